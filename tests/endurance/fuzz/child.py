"""One parser under coverage-guided mutation, in a process that may crash: started by `campaign`.

Atheris (libFuzzer) sees which lines of this kit's and Pillow's Python an input reaches and keeps
those that reach new ones; what is inside compiled libraries it can't see. A bug is written down
and the search goes on; only a crash, a hang or a lack of memory ends the process.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import atheris

MOST_DATA_BYTES = 4 * 2**30
"""All that the process may ask the system for: beyond it, a MemoryError tells which line asked."""
MOST_RSS_MB = 2500
HANG_SECONDS = 120
"""Of wall-clock time, after which the process is ended; slowness is judged by processor time."""
INSTRUMENTED = ["resnet_core", "export", "benchmarks", "ui", "PIL"]
NOTED_EVERY = 500
PAUSED = 75
"""Exit status of a process that made way; it is started again later."""
ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Tally:
    """What was found so far; written to a file now and then, for the process may crash."""

    file: Path
    pause_file: Path
    wanted: int
    counts: dict[str, int] = field(default_factory=lambda: {"read": 0, "refused": 0, "broken": 0})
    bugs: dict[str, dict] = field(default_factory=dict)
    slowest_seconds: float = 0.0

    @property
    def cases(self) -> int:
        return sum(self.counts.values())

    def note(self, said: str, seconds: float) -> None:
        self.counts[said] += 1
        self.slowest_seconds = max(self.slowest_seconds, seconds)
        if self.cases % NOTED_EVERY == 0 or self.cases >= self.wanted:
            self.write()
            if self.pause_file.name and self.pause_file.exists():
                os._exit(PAUSED)
        if self.cases >= self.wanted:
            os._exit(0)  # libFuzzer has no other way to stop at a number

    def note_bug(self, error: BaseException, data: bytes) -> None:
        where = next(
            (f"{Path(f.filename).relative_to(ROOT)}:{f.name}"
             for f in reversed(traceback.extract_tb(error.__traceback__))
             if Path(f.filename).is_relative_to(ROOT) and "tests/endurance" not in f.filename
             and ".venv" not in f.filename), "?",
        )  # fmt: skip
        key = f"{type(error).__name__} in {where}"
        if key not in self.bugs:
            said = "".join(traceback.format_exception_only(error)).strip()[:500]
            said = said.encode("utf-8", "backslashreplace").decode()
            self.bugs[key] = {"times": 0, "said": said, "input": data.hex()}
            self.bugs[key]["trace"] = traceback.format_exc()[-2000:]
        self.bugs[key]["times"] += 1

    def write(self) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        said = {
            "cases": self.cases, **self.counts, "bugs": self.bugs, "peak_rss_mb": peak,
            "slowest_seconds": round(self.slowest_seconds, 3),
        }  # fmt: skip
        temporary = self.file.with_suffix(".part")
        temporary.write_text(json.dumps(said))
        temporary.replace(self.file)


def main(name: str, cases: int, seed: int, tally_file: Path, pause_file: Path) -> None:
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.endurance.fuzz.catalogue import TARGETS
        from tests.endurance.fuzz.target import outcome

        target = TARGETS[name]
        folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-", dir=tally_file.parent))
        os.environ["RESNET_LAB_RUNS"] = str(folder)
        (folder / "case").mkdir()
        prepared = target.prepare(folder / "case")
    for seed_input in prepared.seeds:  # which also imports whatever is imported late
        outcome(prepared.read, seed_input)
    seeds = folder / "seeds"
    seeds.mkdir()
    for number, seed_input in enumerate(prepared.seeds):
        (seeds / str(number)).write_bytes(seed_input)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_DATA_BYTES, MOST_DATA_BYTES))
    tally = Tally(tally_file, pause_file, cases)

    def one_case(data: bytes) -> None:
        began = time.process_time()
        try:
            said = outcome(prepared.read, data)
        except Exception as error:
            tally.note_bug(error, data)
            said = "broken"
        tally.note(said, time.process_time() - began)

    atheris.Setup(
        [sys.argv[0], f"-seed={seed}", f"-max_len={target.longest_bytes}", "-runs=-1",
         f"-timeout={HANG_SECONDS}", f"-rss_limit_mb={MOST_RSS_MB}",
         f"-artifact_prefix={folder}/ended-by-", str(seeds)],
        one_case,
    )  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5]))
