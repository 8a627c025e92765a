"""Commands and answers as the pages write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.classifier import Answer
from resnet_core.zoo import zoo_entries
from tests.ui.depth.test_depth_page import write_study
from ui import child
from ui.classify import averaging
from ui.depth import tab as depth
from ui.why import view as why_view


@pytest.mark.parametrize(("share", "said"), [
    (0.95, "A Siamese cat."), (0.7, "Probably a Siamese cat."),
    (0.4, "Not sure: perhaps a Siamese cat, perhaps an ox."),
])  # fmt: skip
def test_names_keep_their_capitals(share: float, said: str) -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    answer = Answer(
        model="m", family="resnet_v1", engine="e", class_names=("Siamese cat", "ox", "c"),
        probabilities=np.array([share, 0.6 * (1 - share), 0.4 * (1 - share)]), seen=picture,
        picture=Image.fromarray(picture), picture_size=(2, 2), notes=(), decode_ms=0.0,
        preprocess_ms=0.0, inference_ms=0.0,
    )  # fmt: skip
    assert answer.verdict == said


def test_the_command_of_an_average_names_its_engine() -> None:
    command = averaging._command("resnet20_v1", "openvino-cpu:fp32", "flip", ["plain20"])
    assert command.endswith("--engine openvino-cpu:fp32 --views flip --with plain20")
    assert "--engine" not in averaging._command("resnet20_v1", "", "flip", [])


def test_responses_are_called_what_is_measured() -> None:
    lead, source = why_view.LEADS["responses"], why_view.SOURCES["responses"]
    assert "after batch norm" in lead and "the second is what is added" in lead
    assert "without weight decay" in source
    shipped = [entry.card for entry in zoo_entries() if entry.card["data"] == "cifar10"]
    assert {card["recipe"]["decay"] for card in shipped} == {"weights"}  # no batch norm


def test_a_child_that_ended_is_let_go(tmp_path: Path) -> None:
    """Where the system counts zombies as living, it would run for ever else."""
    one = child.Child(tmp_path / "job", tmp_path / "log")
    one.start(["this"], {})
    (process,) = child._children
    process.wait()
    assert one.process_id() is None and child._children == []


def test_a_damaged_study_leaves_the_others_to_choose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    write_study(tmp_path / "studies" / "b-good")
    damaged = tmp_path / "studies" / "a-damaged"
    damaged.mkdir()
    (damaged / "study.json").write_text("{")
    first = depth.look(str(damaged), None, "depth", "both", False, None)
    menu, seen, problem, stop, figure, verdicts, *_ = first
    paths = [path for _, path in menu["choices"]]
    assert str(tmp_path / "studies" / "b-good") in paths and menu["value"] == str(damaged)
    assert "a-damaged" in problem and not stop["visible"] and figure is None and verdicts == ""
    assert len(first) == 11
    again = depth.look(str(damaged), seen, "depth", "both", False, None)
    assert not isinstance(again, list)  # nothing changed: nothing is sent
