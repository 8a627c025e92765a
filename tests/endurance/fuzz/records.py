"""What this kit itself wrote once, and anybody may have edited since: JSON, lines of JSON, CSV."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.endurance.fuzz.target import Prepared, Target

ROOT = Path(__file__).resolve().parents[3]
RUN_FILES = ("config.json", "environment.json", "summary.json", "events.jsonl", "queued")


def _prepare_runs(folder: Path) -> Prepared:
    """The first byte says which of a run's files holds the rest; all readers of runs then read it."""
    from resnet_core.errors import LabError
    from resnet_core.models.config import ModelConfig
    from resnet_core.runs.folder import RunFolder
    from resnet_core.runs.history import read_history
    from resnet_core.runs.queue import waiting
    from resnet_core.runs.summary import describe_runs
    from resnet_core.training.config import TrainConfig
    from resnet_core.training.new_run import read_config
    from resnet_core.training.recipes import find_recipe
    from tests.written_runs import write_run

    good = write_run(folder / "good", epochs=1)
    (good.path / "queued").write_text('{"place": 3}')
    config = TrainConfig(ModelConfig("plain", 8), "shapes", find_recipe("taste"), "data")
    good.config_file.write_text(json.dumps(config.to_dict() | {"command": "x"}))
    seeds = [
        bytes([i]) + (good.path / name).read_bytes()[:4000] for i, name in enumerate(RUN_FILES)
    ]
    sound = {name: (good.path / name).read_bytes() for name in RUN_FILES}
    shutil.rmtree(good.path)
    runs = folder / "runs"
    run = RunFolder(runs / "run")
    run.path.mkdir(parents=True)

    def read(data: bytes) -> None:
        kept = RUN_FILES[data[0] % len(RUN_FILES)] if data else RUN_FILES[0]
        for name, content in sound.items():
            (run.path / name).write_bytes(data[1:] if name == kept else content)
        if kept in ("environment.json", "queued"):
            run.summary_file.unlink()
        # What lists runs must never be stopped by one of them.
        assert [row["name"] for row in describe_runs(runs)] == ["run"]
        waiting(runs)
        refused = []
        for reader in (run.state, run.events, lambda: read_history(run), lambda: read_config(run)):
            try:
                reader()
            except LabError as error:
                refused.append(error)
        if refused:
            raise refused[0]

    return Prepared(seeds, read)


def _prepare_cards(folder: Path) -> Prepared:
    from export.catalogue import list_exported
    from resnet_core.zoo import find_in_zoo, imported_entries, zoo_entries

    card = folder / "zoo" / "net" / "card.json"
    imported = folder / "imported" / "net" / "card.json"
    for file in (card, imported):
        file.parent.mkdir(parents=True)
    seed = (ROOT / "zoo" / "resnet20_v1" / "card.json").read_bytes()
    foreign = json.loads(seed) | {"imported": {"source": "x"}}

    def read(data: bytes) -> None:
        card.write_bytes(data)
        imported.write_bytes(data)
        zoo_entries(folder / "zoo")
        imported_entries(folder)
        list_exported()
        find_in_zoo("net", folder / "zoo")

    return Prepared([seed, json.dumps(foreign).encode()], read)


def _one_file(path: Path, seeds: list[bytes], reader: Callable[[], Any]) -> Prepared:
    def read(data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        reader()

    return Prepared(seeds, read)


def _prepare_studies(folder: Path) -> Prepared:
    from benchmarks.depth.results import read_results, rows
    from benchmarks.depth.study import STUDY_FILE, read_study

    seed = (ROOT / "studies" / "cifar10-taste-3" / STUDY_FILE).read_bytes()
    return _one_file(folder / STUDY_FILE, [seed], lambda: rows(read_results(read_study(folder))))


def _prepare_speed(folder: Path) -> Prepared:
    from benchmarks.throughput.stored import read_speed
    from tests.written_speed import speed_row, write_speed

    file = folder / "speed.json"
    write_speed(file, [speed_row()])
    return _one_file(file, [file.read_bytes()], lambda: read_speed(file).share_done)


def _prepare_load(folder: Path) -> Prepared:
    from benchmarks.load.stored import FORMAT, read_load

    file = folder / "load.json"
    row = {"scenario": "Server", "model": "x", "engine": "y", "precision": "fp32", "threads": "all"}
    row |= {"achieved_images_per_second": 9.0, "offered_images_per_second": 9.0}
    seed = json.dumps({"format": FORMAT, "rows": [row]}).encode()
    return _one_file(file, [seed], lambda: read_load(file))


def _prepare_notes(folder: Path) -> Prepared:
    """What was measured of a model: `confidence.json` beside it, and the fastest engine."""
    from export.confidence import FORMAT, read_confidence
    from export.converted import hash_file
    from export.tuned import FORMAT as TUNED
    from export.tuned import cache_file, read_tuned
    from resnet_core.onnx_names import confidence_file

    model = folder / "model.onnx"
    model.write_bytes(b"model")
    calibration = {
        "temperature": 1.1, "fitted_on": "x", "nll_before": 0.3, "nll_after": 0.2,
        "test_images": 9, "test_ece_before_percent": 3.0, "test_ece_after_percent": 1.0,
        "command": "x",
    }  # fmt: skip
    note = {
        "format": FORMAT, "model_sha256": hash_file(model), "calibration": calibration,
        "familiarity": None,
    }  # fmt: skip
    tuned = {
        "format": TUNED, "model": "x", "rows": [], "chosen": "onnxruntime-cpu:fp32",
        "environment": {}, "gate": "x",
    }  # fmt: skip

    def read(data: bytes) -> None:
        confidence_file(model).write_bytes(data)
        cached = cache_file(model)
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_bytes(data)
        read_confidence(model)
        read_tuned(model)

    return Prepared([json.dumps(note).encode(), json.dumps(tuned).encode()], read)


def _prepare_why(folder: Path) -> Prepared:
    from benchmarks.why.stored import read_stored

    file = folder / "why.jsonl"
    header = {"event": "started", "analysis": "gradients", "models": [], "settings": {}}
    lines = [header, {"event": "row", "layer": 1}, {"event": "finished"}]
    seed = "".join(json.dumps(line) + "\n" for line in lines).encode()
    return _one_file(file, [seed], lambda: read_stored(file))


def _prepare_histories(folder: Path) -> Prepared:
    from resnet_core.runs.history import read_history_csv

    file = folder / "history.csv"
    seed = (ROOT / "zoo" / "plain20" / "history.csv").read_bytes()
    return _one_file(file, [seed], lambda: read_history_csv(file, 128))


def _prepare_tables(folder: Path) -> Prepared:
    from export.folder.table import Form, encode, open_table

    file, form = folder / "answers.csv", Form("net", "engine", ("a", "b"), 2)
    record = ["x.png", "a", "0.9", "0.2", "b", "0.1", "", "net", "engine"]

    def read() -> None:
        with open_table(file, form):
            pass

    return _one_file(file, [encode([form.columns, record, record])], read)


TARGETS = (
    Target("runs", "a run's config, environment, summary, events and place", _prepare_runs, 6),
    Target("cards", "model cards, shipped and imported", _prepare_cards, 6),
    Target("studies", "study.json", _prepare_studies, 20),
    Target("speed", "results of the throughput benchmark", _prepare_speed, 25),
    Target("load", "results of the load benchmark", _prepare_load, 25, 8192),
    Target("notes", "confidence.json and the engine cache", _prepare_notes, 15),
    Target("why", "results of `benchmarks why`", _prepare_why, 30),
    Target("histories", "history.csv", _prepare_histories, 30),
    Target("tables", "tables of answers", _prepare_tables, 20),
)
