"""PyTorch's own profiler on an eager model: a time for every operator, under the module it ran in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.engines.interface import OpenModel
from export.engines.profile import WARM_RUNS, Operation, Profile, ProfiledRun, Profiler

if TYPE_CHECKING:
    from torch import nn

WHOLE = "run:"
MODULE = "module:"
OPERATOR = "aten::"
NETWORK = "network."
ENDS = "pixels and answer"


def profiler(open_model: Callable[[Path, str, int], OpenModel]) -> Profiler:
    """A profiler of what `open_model` opens: an eager model that shows its module."""
    return partial(_profile, open_model)


def _profile(
    open_model: Callable[[Path, str, int], Any], file: Path, precision: str, threads: int,
    images: NDArray[np.uint8], runs: int,
) -> Profile:  # fmt: skip
    from torch.profiler import ProfilerActivity, profile, record_function

    opened = open_model(file, precision, threads)
    on_gpu = opened.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    for _ in range(WARM_RUNS):
        opened.run(images)
    with _named(opened.model), profile(activities=activities) as seen:
        for _ in range(runs):
            with record_function(WHOLE):
                opened.run(images)
    return Profile(opened.name, tuple(_runs(seen.events(), on_gpu)))


@contextmanager
def _named(model: nn.Module) -> Iterator[None]:
    """While open, every module's forward pass is a range in the profile, under its path."""
    from torch.profiler import record_function

    open_ranges: list[Any] = []

    def enter(name: str) -> None:
        open_ranges.append(record_function(MODULE + name))
        open_ranges[-1].__enter__()

    def leave() -> None:
        open_ranges.pop().__exit__(None, None, None)

    hooks = []
    for path, module in model.named_modules():
        name = path.removeprefix(NETWORK)
        hooks.append(module.register_forward_pre_hook(lambda *_, name=name: enter(name)))
        hooks.append(module.register_forward_hook(lambda *_: leave()))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _runs(events: Sequence[Any], on_gpu: bool) -> Iterator[ProfiledRun]:
    ordered = sorted(events, key=lambda event: event.time_range.start)
    for whole in ordered:
        # A GPU repeats the ranges on its own line of time.
        if whole.name == WHOLE and "CPU" in str(whole.device_type):
            inside = [e for e in ordered if _is_inside(e, whole) and _is_outermost(e)]
            names: Counter[str] = Counter()
            operations = tuple(_operation(event, names, on_gpu) for event in inside)
            yield ProfiledRun(whole.time_range.elapsed_us() / 1000, operations)


def _is_inside(event: Any, whole: Any) -> bool:
    start, end = whole.time_range.start, whole.time_range.end
    return bool(start <= event.time_range.start and event.time_range.end <= end)


def _is_outermost(event: Any) -> bool:
    """An operator that no other operator called: its time holds theirs."""
    parent = event.cpu_parent
    return event.name.startswith(OPERATOR) and not (parent and parent.name.startswith(OPERATOR))


def _operation(event: Any, names: Counter[str], on_gpu: bool) -> Operation:
    kind = event.name.removeprefix(OPERATOR)
    parent = event.cpu_parent
    module = parent.name.removeprefix(MODULE) if parent and parent.name != WHOLE else ""
    names[f"{module} {kind}"] += 1
    name = f"{module} {kind} {names[f'{module} {kind}']}".strip()
    microseconds = event.device_time_total if on_gpu else event.cpu_time_total
    return Operation(name, module or ENDS, kind, microseconds / 1000)
