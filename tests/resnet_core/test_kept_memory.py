"""What a training step frees stays with its process, seen by the page faults of the next steps."""

from __future__ import annotations

import os

from tests.malloc_script import needs_glibc, number_printed

# As a step: blocks larger than glibc keeps by itself, all freed, and asked for again.
STEPS = """
import os, resource, sys
if sys.argv[1] == "kept":
    from resnet_core.training.kept_memory import LARGE_PAGES, keep_what_is_freed
    assert keep_what_is_freed() and os.environ[LARGE_PAGES] == "1"
def step():
    for place in [block(8 * 2**20) for _ in range(8)]:
        libc.free(place)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 4 * 8 * 8 * 2**20 // 4096  # that four steps write to


@needs_glibc
def test_the_next_step_finds_its_memory_where_the_last_one_left_it() -> None:
    assert number_printed(STEPS, "kept") < PAGES / 100
    assert number_printed(STEPS, "as it comes") > PAGES / 2


def test_what_a_person_set_of_large_pages_stands(monkeypatch) -> None:
    from resnet_core.training.kept_memory import LARGE_PAGES, keep_what_is_freed

    monkeypatch.setenv(LARGE_PAGES, "0")
    monkeypatch.setattr("resnet_core.training.kept_memory.set_malloc", lambda _: True)
    keep_what_is_freed()
    assert os.environ[LARGE_PAGES] == "0"
