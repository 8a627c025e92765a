"""What glibc does with freed pixels, seen in processes of their own."""

from __future__ import annotations

from tests.malloc_script import needs_glibc, number_printed

# A first large block raises glibc's own threshold when it is freed; those after it come from the
# heap, and the small one at its top keeps all of it from going back.
PINNED = """
import sys
from pathlib import Path
if sys.argv[1] == "steady":
    from ui.steady_memory import give_back_what_is_freed
    assert give_back_what_is_freed()
def held_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
libc.free(block(20 * 2**20))
before = held_mb()
blocks = [block(10 * 2**20) for _ in range(20)]
pin = block(64 * 2**10)
for place in blocks:
    libc.free(place)
print(held_mb() - before)
"""


@needs_glibc
def test_freed_pixels_go_back_to_the_system_below_what_is_still_in_use() -> None:
    assert number_printed(PINNED, "steady") < 20
    assert number_printed(PINNED, "as it comes") > 150
