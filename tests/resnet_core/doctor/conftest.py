from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resnet_core.__main__ import main
from resnet_core.zoo import imported_entries


@pytest.fixture
def do_import(tmp_path: Path, capsys: pytest.CaptureFixture) -> Callable[..., dict[str, Any]]:
    """Import a file as the command line does; its printed object, or with `fails` its sentence."""

    def run(path: Path, *words: object, fails: bool = False) -> Any:
        status = main(
            ["import", str(path), "--runs", str(tmp_path / "runs"), "--json", *map(str, words)]
        )
        said = capsys.readouterr()
        if fails:
            assert status == 2 and not said.out and said.err.count("\n") == 1, said
            assert not imported_entries(tmp_path / "runs")
            return said.err
        assert status == 0, said.err
        return json.loads(said.out)

    return run
