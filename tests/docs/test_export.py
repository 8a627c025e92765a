"""What the page says of exported models is what is kept beside them."""

from __future__ import annotations

import pytest

from export.confidence import read_confidence
from resnet_core.zoo import zoo_entries
from tests.docs import read_page

PAGE = read_page("export")


@pytest.mark.parametrize("entry", zoo_entries(), ids=lambda entry: entry.name)
def test_how_strange_pictures_are_told_stands_in_its_table(entry) -> None:
    found = read_confidence(entry.onnx_file).familiarity
    assert found is not None
    told = " | ".join(
        f"{each.auroc_percent:.1f} %, {each.flagged_percent:.1f} %" for each in found.strangers
    )
    assert f"| {entry.name} | {found.test_flagged_percent:.1f} % | {told} |" in PAGE
