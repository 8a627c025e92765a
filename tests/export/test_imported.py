"""From a stranger's file to an answer about a picture, by the commands a person types."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.catalogue import list_exported
from export.gate import find_gate
from export.session import OnnxSession
from resnet_core.zoo import imported_entries
from tests.resnet_core.doctor.ports import Port, logits, save


def test_import_export_classify(
    tmp_path: Path, run_module, shapes, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    monkeypatch.setenv("RESNET_LAB_RUNS", str(runs))
    net = Port(1, "B", "downsample", "fc")
    path = save({"state_dict": net.state_dict()}, tmp_path / "theirs.pth")
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"kind {i}" for i in range(10)))
    done = run_module("resnet_core", "import", path, "--normalisation", "imagenet", "--classes", names)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "theirs" not in {model.name for model in list_exported()}
    exported = run_module("export", "onnx", "theirs")
    assert exported.returncode == 0, exported.stderr
    picture = tmp_path / "drawn.png"
    pixels = shapes.test.images[:1]
    Image.fromarray(pixels[0].numpy()).save(picture)
    asked = run_module("export", "classify", picture, "--model", "theirs", "--top-k", 10, "--json")
    assert asked.returncode == 0, asked.stderr
    (answer,) = json.loads(asked.stdout)
    theirs = logits(net, pixels).softmax(1)[0].numpy()
    ours = {row["name"]: row["probability"] for row in answer["classes"]}
    np.testing.assert_allclose([ours[f"kind {i}"] for i in range(10)], theirs, atol=1e-5)

    listed = {model.name: model for model in list_exported()}
    assert "imported, error not measured" in listed["theirs"].title
    facts = OnnxSession(listed["theirs"].file, "cpu").facts
    assert facts.source == "imported from theirs.pth" and facts.test_error_percent is None
    gate = find_gate(facts, tmp_path)
    assert gate.labels is None and "not known what it was trained on" in gate.said
    unsaid = run_module("resnet_core", "evaluate", "theirs")
    assert unsaid.returncode == 2 and "with --data" in unsaid.stderr
    measured = run_module("resnet_core", "evaluate", "theirs", "--data", "shapes", "--json", "--device", "cpu")  # fmt: skip
    assert measured.returncode == 0, measured.stderr
    wrong = sum(
        int((logits(net, shapes.test.images[i : i + 500]).argmax(1) != shapes.test.labels[i : i + 500]).sum())
        for i in range(0, 2000, 500)
    )  # fmt: skip
    error_percent = json.loads(measured.stdout)["error_percent"]
    assert error_percent == pytest.approx(wrong / 20, abs=0.11)  # a tie may fall either way


def test_a_damaged_card_hides_no_other_model(tmp_path: Path) -> None:
    from resnet_core.__main__ import main

    path = save(Port(1).state_dict(), tmp_path / "a.pth")
    for name in ("one", "two", "three"):
        words = ["--normalisation", "half", "--data", "cifar10", "--name", name]
        assert main(["import", str(path), "--runs", str(tmp_path), *words]) == 0
    (tmp_path / "imported" / "one" / "card.json").write_text("{")
    (tmp_path / "imported" / "two" / "card.json").write_text("[]")
    assert [entry.name for entry in imported_entries(tmp_path)] == ["three"]
