"""The page's figures are those of the files of results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.endurance.pages import fuzz_table, kills_table, soak_table
from tests.endurance.results import FOLDER

TABLES: dict[str, Callable[[], list[str]]] = {
    "fuzz.json": fuzz_table,
    "kills.json": kills_table,
    "soak.json": soak_table,
}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.json")))
def test_every_line_of_a_table_is_what_was_measured(name: str) -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line for line in TABLES[name]() if line not in lines] == []
