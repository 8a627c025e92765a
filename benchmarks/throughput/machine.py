"""The machine behind a result, in words: for a menu, for a page, and what differs between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# What the engines' fast paths ask of a processor, as PyTorch names it and as people do.
FEATURES = {
    "avx2": "AVX2",
    "avx512_f": "AVX-512",
    "avx512_vnni": "AVX512-VNNI",
    "avx512_bf16": "AVX512-BF16",
    "amx_bf16": "AMX-BF16",
    "amx_int8": "AMX-INT8",
}
VERSIONS = {
    "python": "Python",
    "torch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "cuda": "CUDA",
}
NOTHING = "none of those that matter here"
Facts = dict[str, Any]


def machine_name(environment: Facts) -> str:
    """The GPU, if there is one, else the processor, its cores and the best of its features.

    Virtual machines call chips of several generations by one name; the feature tells them apart.
    """
    cpu = f"{environment.get('cpu', 'a processor')}, {environment.get('cores', '?')} cores"
    return str(environment.get("gpu") or ", ".join([cpu, *features_of(environment)[-1:]]))


def features_of(environment: Facts) -> list[str]:
    """Those of the processor that the engines' fast paths ask for."""
    there = {str(name).lower() for name in environment.get("cpu_features", ())}
    return [title for key, title in FEATURES.items() if key in there]


def unlikeness(a: Facts, b: Facts) -> tuple[bool, int]:
    """How far two machines are apart, for sorting: a GPU that one has, then features that one has."""
    differing = set(features_of(a)) ^ set(features_of(b))
    return bool(a.get("gpu")) != bool(b.get("gpu")), len(differing)


def describe(environment: Facts) -> list[tuple[str, str]]:
    """What matters, as (what, how much) in the order to read it; unknown parts are left out."""
    said: list[tuple[str, str]] = [("Processor", _processor(environment))]
    said.append(("Features", ", ".join(features_of(environment)) or NOTHING))
    if "memory_gb" in environment:
        said.append(("Memory", f"{environment['memory_gb']:g} GB"))
    if "gpu" in environment:
        said.append(("GPU", _gpu(environment)))
    if "system" in environment:
        said.append(("System", str(environment["system"])))
    versions = [f"{title} {environment[k]}" for k, title in VERSIONS.items() if environment.get(k)]
    said.append(("Versions", ", ".join(versions)))
    if environment.get("commit"):
        said.append(("Code", str(environment["commit"])))
    return [(what, how) for what, how in said if how]


def _processor(environment: Facts) -> str:
    words = [str(environment.get("cpu", "unknown"))]
    if "cores" in environment:
        words.append(f"{environment['cores']} cores")
    if environment.get("clock_mhz"):
        words.append(f"{environment['clock_mhz'] / 1000:.2f} GHz")
    return ", ".join(words)


def _gpu(environment: Facts) -> str:
    words = [str(environment["gpu"])]
    if environment.get("gpu_memory_gb"):
        words.append(f"{environment['gpu_memory_gb']:g} GB")
    if environment.get("gpu_driver"):
        words.append(f"driver {environment['gpu_driver']}")
    return ", ".join(words)


def differences(a: Facts, b: Facts) -> list[tuple[str, str, str]]:
    """(what, in a, in b) for every fact that is not the same; features only where they matter."""
    found = []
    for name in dict.fromkeys((*a, *b)):
        first, second = _told(name, a), _told(name, b)
        if first != second:
            found.append((name.replace("_", " "), first, second))
    return found


def _told(name: str, environment: Facts) -> str:
    if name == "cpu_features":
        return ", ".join(features_of(environment)) or NOTHING
    value = environment.get(name)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return "–" if value is None else str(value)
