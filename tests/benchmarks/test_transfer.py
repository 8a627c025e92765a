"""Few pictures of real classes suffice where features are there: small, but on CIFAR-10 itself."""

from __future__ import annotations

from pathlib import Path

from benchmarks.transfer import measure as experiment
from benchmarks.transfer.report import as_table, summarise
from benchmarks.transfer.settings import Settings


def test_a_head_on_known_features_beats_the_guess_by_far_and_repeats(
    tmp_path: Path, data_folder: Path, monkeypatch
) -> None:
    monkeypatch.setattr(experiment, "WAYS", ("head", "last_stage"))
    settings = Settings("resnet8_v1", seeds=1, start_images=6000, start_epochs=1, epochs=10)
    first, second = (tmp_path / name for name in ("first", "second"))
    start, *rows = experiment.measure(settings, [25], data_folder, first)
    assert start["test_error_percent"] < 75  # six classes, never one of the new four
    assert [row["way"] for row in rows] == ["head", "last_stage"]
    for row in rows:
        assert row["majority_error_percent"] == 75
        assert row["test_error_percent"] < 50
        assert "--from" in row["command"]
    # The same again, to the last of 4,000 test images.
    _, *again = experiment.measure(settings, [25], data_folder, second)
    assert [r["test_error_percent"] for r in again] == [r["test_error_percent"] for r in rows]
    described = {
        "settings": vars(settings), "known_classes": ["a"], "new_classes": ["b"],
        "start_test_error_percent": start["test_error_percent"], "summary": summarise(rows),
    }  # fmt: skip
    assert "head only" in as_table(described) and "25 each" in as_table(described)
