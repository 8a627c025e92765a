"""How a file must be refused on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet_core.__main__ import main


def refuse(path: Path, capsys: pytest.CaptureFixture, *words: str) -> str:
    """The one sentence on standard error with which a file is refused; nothing is kept."""
    runs = path.parent / "runs"
    status = main(
        ["import", str(path), "--normalisation", "half", "--data", "cifar10", "--stride-in", "1x1",
         "--runs", str(runs), *words]
    )  # fmt: skip
    said = capsys.readouterr()
    assert status == 2 and not said.out, said
    assert said.err.count("\n") == 1 and said.err.rstrip().endswith((".", ").")), said.err
    assert not runs.exists() or not list(runs.rglob("card.json"))
    return said.err
