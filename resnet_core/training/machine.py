"""The machine as its operating system describes it: processor, clock, memory, driver. No torch."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

CPU_INFO = Path("/proc/cpuinfo")
HIGHEST_CLOCK_KHZ = Path("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def describe_machine() -> dict[str, Any]:
    """What can be told of the processor, the memory and the GPU's driver; the rest is left out."""
    facts = {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "clock_mhz": clock_mhz(),
        "memory_gb": memory_gb(),
        "gpu_driver": nvidia_driver(),
    }
    return {name: value for name, value in facts.items() if value is not None}


def cpu_name() -> str:
    name = _first("model name") if sys.platform == "linux" else None
    return name or platform.processor() or platform.machine()


def clock_mhz() -> int | None:
    """The highest clock where the system tells it, else the one it reports now, in MHz."""
    try:
        return round(int(HIGHEST_CLOCK_KHZ.read_text()) / 1000)
    except (OSError, ValueError):
        reported = _first("cpu MHz")
    return round(float(reported)) if reported else None


def memory_gb() -> float | None:
    """Main memory in GB of 10⁹ bytes, as the system sees it."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)


def nvidia_driver() -> str | None:
    """The version of the NVIDIA driver that is loaded; None without one."""
    try:
        found = re.search(r"\b\d+\.\d+(\.\d+)?\b", NVIDIA_DRIVER.read_text())
    except OSError:
        return None
    return found.group() if found else None


def cpu_flags() -> list[str]:
    """The processor's features as Linux names them; none where the system does not tell."""
    return (_first("flags") or "").split()


def _first(field: str) -> str | None:
    """A field of the first processor in /proc/cpuinfo; None where there is none."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), None)
