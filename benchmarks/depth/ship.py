"""A finished study made small enough to ship: its runs' folders without weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks.depth.study import STUDY_FILE, Study
from resnet_core.files import write_json, write_text
from resnet_core.runs.folder import RunFolder

MOST_STEPS = 60  # points of the curve between epochs; every epoch's end is kept


def ship_study(study: Study, target: Path) -> int:
    """Copy what the Depth tab reads: plan, configs, environments, summaries, thinned events.

    Returns:
        Bytes written.
    """
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(study.path / STUDY_FILE, target / STUDY_FILE)
    for folder in study.folders():
        _ship_run(folder, RunFolder(target / folder.name))
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def _ship_run(run: RunFolder, copy: RunFolder) -> None:
    copy.path.mkdir(exist_ok=True)
    write_text(copy.events_file, "".join(f"{json.dumps(e)}\n" for e in _thin(run.events())))
    # Where the data lay on that machine is nobody's business.
    write_json(copy.config_file, run.config() | {"data_folder": "data"})
    for name in ("environment_file", "summary_file"):
        source: Path = getattr(run, name)
        shutil.copyfile(source, getattr(copy, name))


def _thin(events: list[dict[str, object]]) -> list[dict[str, object]]:
    steps = [event for event in events if event["event"] == "step"]
    stride = max(1, -(-len(steps) // MOST_STEPS))
    kept = {id(event) for event in steps[::stride]}
    return [event for event in events if event["event"] != "step" or id(event) in kept]
