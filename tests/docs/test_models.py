"""The tables of models are the cards that ship."""

from __future__ import annotations

import pytest

from benchmarks.work.report import time_finding
from benchmarks.work.stored import read_work
from resnet_core.zoo import zoo_entries
from tests.docs import README, read_page

PAGE = read_page("models")


@pytest.mark.parametrize("entry", zoo_entries(), ids=lambda entry: entry.name)
@pytest.mark.parametrize("page", [README, PAGE], ids=["readme", "models"])
def test_every_shipped_model_stands_in_the_table_with_its_figures(entry, page: str) -> None:
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{entry.name}` ")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    card = entry.card
    assert cells[1:4] == [
        f"{card['params'] / 1e6:.2f} M", str(card["epochs"]), f"{card['test_error_percent']:.2f} %",
    ]  # fmt: skip


def test_the_shipped_times_of_photo_nets_are_told() -> None:
    found = read_work()
    ratio = time_finding(found.nets, found.times).split("takes ResNet 152 ")[1]
    times = {net.name: f"{net.median_ms:.0f}" for net in found.times}
    assert f"ResNet-152 takes {ratio.removesuffix(')')}; " in PAGE
    assert f"; {times['resnet152']} against {times['vgg19']} ms)" in PAGE
    assert f"--rounds {len(found.times[0].rounds_ms)}`" in PAGE
