"""What to run on: the device, the number format and the memory layout this machine does well."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from threading import RLock
from typing import Any

import torch

from resnet_core.errors import ConfigError
from resnet_core.training.config import PRECISIONS, SWITCHES
from resnet_core.training.cpu_kernels.kernels import has_compiler, unit
from resnet_core.training.distributed import ALONE, Team
from resnet_core.training.machine import describe_machine

# Compiling costs a CPU about half a minute and gains, where a net has no kernels of its own, about
# 0.1 ms an image at the depth of 20 (two cores with AVX512-BF16 or AMX): it pays back after some
# 400,000 images.
COMPILE_PAYS_AFTER_IMAGES = 800_000
# Kernels of this kit's own (cpu_kernels) build in 2 to 5 seconds, and gain half a millisecond an image
# on ResNet-20 (two cores with AVX512-BF16).
KERNELS_PAY_AFTER_IMAGES = 20_000


_flags_lock = RLock()


@contextmanager
def cudnn_flags(allow_tf32: bool, benchmark: bool = False) -> Iterator[None]:
    """How a GPU computes convolutions meanwhile; one thread at a time decides, others wait here.

    The flags are the whole process's: of two runs that end at once, the first to leave would give
    the other TF32 in the middle of its evaluation, and the other would put back the first one's
    flags for good. A thread that trains takes no part in this: its recorded steps replay the
    kernels they were recorded with, and others in fp32 may for that while have more digits.

    Args:
        allow_tf32: whether fp32 convolutions may round to TF32.
        benchmark: whether cuDNN tries its algorithms and keeps the fastest.
    """
    with (
        _flags_lock,
        torch.backends.cudnn.flags(enabled=True, benchmark=benchmark, allow_tf32=allow_tf32),
    ):
        yield


@dataclass(frozen=True)
class Hardware:
    """A resolved choice: no more "auto" in it."""

    device: torch.device
    precision: str
    compiled: bool
    own_kernels: bool = False

    def autocast(self) -> AbstractContextManager[Any]:
        """The number format as a context; does nothing in fp32, so there is one code path."""
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"
        )

    def exact(self) -> AbstractContextManager[Any]:
        """fp32 as a CPU computes it: a GPU's convolutions would use TF32, which has fewer digits.

        On a GPU one thread at a time is in here; on a CPU there is nothing to set.
        """
        return cudnn_flags(allow_tf32=False) if self.device.type == "cuda" else nullcontext()

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Compile the function where that was chosen, and is not done block by block."""
        is_whole = self.compiled and not self.compiles_blocks
        return torch.compile(function) if is_whole else function

    @property
    def compiles_blocks(self) -> bool:
        """Whether each kind of block is compiled, and not the step: on a GPU, which replays it."""
        return self.compiled and self.device.type == "cuda"

    def synchronise(self) -> None:
        """Wait for a GPU to finish what it was given, so that a clock tells the truth."""
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()


def choose_hardware(
    device: str,
    precision: str,
    compiled: str,
    train_images: int,
    team: Team = ALONE,
    in_chains: bool = False,
) -> Hardware:
    """Resolve `auto`: a GPU if there is one, bf16 where the chip multiplies it natively.

    Args:
        train_images: images a process will see in the run, to judge whether compiling pays back.
        in_chains: whether the net's blocks train in chains where the kit's own kernels are used,
            which are most of its step then, and leave compiling nothing to gain.
        team: each member of several takes the GPU of its own number.

    Raises:
        ConfigError: a device or option that does not exist here.
    """
    problems = []
    if precision not in PRECISIONS:
        problems.append(f"Unknown precision '{precision}': choose one of {', '.join(PRECISIONS)}.")
    if compiled not in SWITCHES:
        problems.append(f"Unknown compile '{compiled}': choose one of {', '.join(SWITCHES)}.")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device.startswith("cuda") and not torch.cuda.is_available():
        problems.append("No CUDA GPU is usable here: choose --device cpu or auto.")
    elif device.split(":")[0] not in ("cpu", "cuda"):
        problems.append(f"Unknown device '{device}': choose auto, cpu or cuda.")
    if team.size > 1 and device.startswith("cuda"):
        if device != "cuda":
            problems.append(f"{device} is one GPU for {team.size} processes: choose --device cuda.")
        elif team.local_rank >= torch.cuda.device_count():
            problems.append(
                f"There are fewer GPUs here than processes: start {torch.cuda.device_count()} "
                "with --nproc-per-node, or choose --device cpu."
            )
        device = f"cuda:{team.local_rank}"
    if problems:
        raise ConfigError(problems)
    chosen = torch.device(device)
    if precision == "auto":
        precision = "bf16" if has_native_bf16(chosen) else "fp32"
    own_kernels = precision == "bf16" and _should_build(compiled, train_images, chosen)
    is_compiled = _should_compile(compiled, train_images, chosen)
    if own_kernels and in_chains and compiled == "auto":
        is_compiled = False
    return Hardware(chosen, precision, is_compiled, own_kernels)


def has_native_bf16(device: torch.device) -> bool:
    """Whether bf16 arithmetic is done by the chip (AMX, AVX512-BF16, a GPU) and not emulated."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def _should_compile(compiled: str, train_images: int, device: torch.device) -> bool:
    if compiled != "auto":
        return compiled == "on"
    if device.type == "cuda":  # which replays its steps; what compiling adds is not measured yet
        return False
    return has_compiler() and train_images >= COMPILE_PAYS_AFTER_IMAGES


def _should_build(compiled: str, train_images: int, device: torch.device) -> bool:
    """Whether the kit's own kernels are built, which takes a compiler as well."""
    if device.type != "cpu" or compiled == "off" or unit() is None or not has_compiler():
        return False
    return compiled == "on" or train_images >= KERNELS_PAY_AFTER_IMAGES


def describe_environment(hardware: Hardware | None = None) -> dict[str, Any]:
    """The machine and the versions behind a figure, for storing beside it."""
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        **describe_machine(),
        "cpu_features": sorted(k for k, v in torch.cpu.get_capabilities().items() if v is True),
        "threads": torch.get_num_threads(),
    }
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
        facts["gpu_memory_gb"] = round(torch.cuda.get_device_properties(0).total_memory / 1e9, 1)
        facts["cuda"] = torch.version.cuda
    if hardware is not None:
        facts |= {
            "device": str(hardware.device),
            "precision": hardware.precision,
            "compiled": hardware.compiled,
            "own_kernels": hardware.own_kernels,
        }
    return facts
