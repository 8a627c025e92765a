"""The page's figures are those of the files of results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.endurance.pages import fuzz_table, kills_table, soak_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


@pytest.mark.parametrize("table", [fuzz_table, kills_table, soak_table])
def test_every_line_of_a_table_is_what_was_measured(table: Callable[[], list[str]]) -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line for line in table() if line not in lines] == []
