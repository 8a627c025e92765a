"""What this machine can do at most: its fastest product at each precision, its memory's rate.

Measured, not read from a data sheet: medians of several rounds, warm-up apart, a GPU waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from time import perf_counter

import torch

from benchmarks.roofline.counting import ELEMENT_BYTES
from benchmarks.roofline.products import products
from benchmarks.roofline.roofs import Machine, Rate
from benchmarks.throughput.cases import ALL
from resnet_core.training.hardware import Hardware, has_native_bf16

# Without these a CPU emulates the format, at a small part of its fp32 rate.
NATIVE_ON_CPU = {
    "fp16": ("amx_fp16", "avx512_fp16"),
    "int8": ("amx_int8", "avx512_vnni", "avx_vnni"),
}
WARM_RUNS = 2


@dataclass(frozen=True)
class Effort:
    """How large and how long."""

    sizes: tuple[int, ...]
    """Rows and columns of the square matrices that are tried; the fastest counts."""
    images: int
    """Of the convolution that is tried as well."""
    copied_bytes: int
    """Read in one copy, and as many written: many times what caches hold."""
    rounds: int = 5
    """Timings of each case, fewer where they are long."""
    round_seconds: float = 0.05
    """A round repeats its work for so long at the least."""
    case_seconds: float = 1.0
    """After which no further round of a case begins, three apart."""


ON_CPU = Effort((512, 1024, 2048), 16, 2**28)
ON_GPU = Effort((2048, 4096, 8192), 512, 2**31)
LEAST_ROUNDS = 3


def measure_machine(threads: Sequence[int], cpu: Effort = ON_CPU, gpu: Effort = ON_GPU) -> Machine:
    """Peaks and bandwidths of the CPU at each number of threads, and of the GPU if there is one.

    Args:
        threads: numbers; 0 for all.
    """
    peaks: list[Rate] = []
    bandwidths: list[Rate] = []
    for count in threads:
        device = torch.device("cpu")
        with _threads(count):
            peaks += [_peak(device, count or ALL, name, cpu) for name in ELEMENT_BYTES]
            bandwidths.append(_bandwidth(device, count or ALL, cpu))
    if torch.cuda.is_available():
        device = torch.device("cuda")
        with _fast_fp32():
            peaks += [_peak(device, ALL, name, gpu) for name in ELEMENT_BYTES]
        bandwidths.append(_bandwidth(device, ALL, gpu))
    return Machine(tuple(peaks), tuple(bandwidths))


def time_rounds(
    work: Callable[[], object],
    effort: Effort,
    synchronise: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = perf_counter,
) -> list[float]:
    """Seconds that the work takes, once for each round, after it has run a few times unwatched."""

    def run(times: int) -> float:
        synchronise()
        began = clock()
        for _ in range(times):
            work()
        synchronise()
        return (clock() - began) / times

    run(WARM_RUNS)
    repeats = max(1, round(effort.round_seconds / max(run(1), 1e-9)))
    began = clock()
    rounds: list[float] = []
    while len(rounds) < effort.rounds:
        if len(rounds) >= LEAST_ROUNDS and clock() - began > effort.case_seconds:
            break
        rounds.append(run(repeats))
    return rounds


def why_not(device: torch.device, precision: str) -> str | None:
    """Why the chip's rate at a precision says nothing: it would be that of an emulation."""
    if precision == "bf16":
        is_native = has_native_bf16(device)
    elif device.type == "cuda" or precision == "fp32":
        is_native = True
    else:
        able = torch.cpu.get_capabilities()
        is_native = any(able.get(feature) for feature in NATIVE_ON_CPU[precision])
    return None if is_native else f"this chip does not multiply {precision} natively"


def _peak(device: torch.device, threads: int | str, precision: str, effort: Effort) -> Rate:
    reason = why_not(device, precision)
    if reason is not None:
        return Rate(device.type, threads, precision, None, reason=reason)
    tried = []
    for product in products(effort.sizes, effort.images, precision, device):
        rounds = time_rounds(product.run, effort, _waiting(device))
        rate = _rate(device, threads, precision, product.flops, rounds, product.size)
        tried.append(replace(rate, of=product.name))
    return max(tried, key=lambda rate: rate.value or 0.0)


def _bandwidth(device: torch.device, threads: int | str, effort: Effort) -> Rate:
    source = torch.ones(effort.copied_bytes, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    rounds = time_rounds(partial(target.copy_, source), effort, _waiting(device))
    return _rate(device, threads, None, 2 * effort.copied_bytes, rounds, effort.copied_bytes)


def _rate(
    device: torch.device, threads: int | str, precision: str | None, work: int,
    rounds: Sequence[float], size: int,
) -> Rate:  # fmt: skip
    rates = [work / seconds / 1e9 for seconds in rounds]
    return Rate(device.type, threads, precision, median(rates), min(rates), max(rates), size)


def _waiting(device: torch.device) -> Callable[[], None]:
    return Hardware(device, "fp32", False).synchronise


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _fast_fp32() -> Iterator[None]:
    """With TF32, which engines on a GPU use for fp32 nets unless they are told not to."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
