"""What a training step frees stays with its process, seen by the page faults of the next steps."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

# As a step: blocks larger than glibc keeps by itself, all freed, and asked for again.
STEPS = """
import ctypes, os, resource, sys
if sys.argv[1] == "kept":
    from resnet_core.training.kept_memory import LARGE_PAGES, keep_what_is_freed
    assert keep_what_is_freed() and os.environ[LARGE_PAGES] == "1"
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def step():
    blocks = [libc.malloc(8 * 2**20) for _ in range(8)]
    for block in blocks:
        ctypes.memset(block, 1, 8 * 2**20)
    for block in blocks:
        libc.free(block)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 4 * 8 * 8 * 2**20 // 4096  # that four steps write to


def page_faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator has other ways")
def test_the_next_step_finds_its_memory_where_the_last_one_left_it() -> None:
    assert page_faults("kept") < PAGES / 100
    assert page_faults("as it comes") > PAGES / 2


def test_what_a_person_set_of_large_pages_stands(monkeypatch) -> None:
    from resnet_core.training.kept_memory import LARGE_PAGES, keep_what_is_freed

    monkeypatch.setenv(LARGE_PAGES, "0")
    monkeypatch.setattr("resnet_core.training.kept_memory.set_malloc", lambda _: True)
    keep_what_is_freed()
    assert os.environ[LARGE_PAGES] == "0"
