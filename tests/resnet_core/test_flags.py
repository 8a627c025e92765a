"""cuDNN's flags, which are the process's, where several runs of one process set them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from threading import Event

import pytest
import torch

from resnet_core.training.hardware import Hardware, cudnn_flags

CUDA = Hardware(torch.device("cuda"), "fp32", compiled=False)
CPU = Hardware(torch.device("cpu"), "fp32", compiled=False)


def allows_tf32() -> bool:
    return bool(torch.backends.cudnn.allow_tf32)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    before = allows_tf32()
    with ThreadPoolExecutor(2) as pool:
        yield pool
    torch.backends.cudnn.allow_tf32 = before


class Stay:
    """A thread's stay within a context, from `enter` until it may leave."""

    def __init__(self, pool: ThreadPoolExecutor, context: AbstractContextManager[object]):
        self.is_in, self._may_leave = Event(), Event()
        self.seen: Future[tuple[bool, bool]] = pool.submit(self._stay, context)

    def _stay(self, context: AbstractContextManager[object]) -> tuple[bool, bool]:
        with context:
            first = allows_tf32()
            self.is_in.set()
            assert self._may_leave.wait(30)
            return first, allows_tf32()

    def leave(self) -> tuple[bool, bool]:
        """Whether TF32 was allowed when it came and when it went."""
        self._may_leave.set()
        return self.seen.result(30)


def test_runs_that_end_at_once_are_both_measured_exactly(threads: ThreadPoolExecutor) -> None:
    torch.backends.cudnn.allow_tf32 = True
    first = Stay(threads, CUDA.exact())
    assert first.is_in.wait(30)
    second = Stay(threads, CUDA.exact())
    # It gets as far as the lock, unless there is none and it is let in.
    wait([second.seen], timeout=0.5)
    assert first.leave() == (False, False)
    assert second.leave() == (False, False)
    assert allows_tf32()  # as it was, not as the first had set it when the second came


def test_a_step_is_not_recorded_with_the_flags_of_an_evaluation(
    threads: ThreadPoolExecutor,
) -> None:
    torch.backends.cudnn.allow_tf32 = False
    measured = Stay(threads, CUDA.exact())
    assert measured.is_in.wait(30)
    recorded = Stay(threads, cudnn_flags(allow_tf32=True, benchmark=True))
    wait([recorded.seen], timeout=0.5)
    assert not recorded.is_in.is_set()
    assert measured.leave() == (False, False)
    assert recorded.leave() == (True, True)


def test_a_thread_may_set_them_within_its_own(threads: ThreadPoolExecutor) -> None:
    def nested() -> tuple[bool, bool]:
        with cudnn_flags(allow_tf32=True), CUDA.exact():
            return allows_tf32(), bool(torch.backends.cudnn.benchmark)

    assert threads.submit(nested).result(30) == (False, False)


def test_on_a_cpu_evaluations_wait_for_nobody(threads: ThreadPoolExecutor) -> None:
    first = Stay(threads, CPU.exact())
    assert first.is_in.wait(30)
    second = Stay(threads, CPU.exact())
    assert second.is_in.wait(30)
    first.leave()
    second.leave()
