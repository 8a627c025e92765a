"""The depth study's tables and verdicts are those of the studies that ship."""

from __future__ import annotations

import re

import pytest

from benchmarks.depth.papers import paper_figure
from benchmarks.depth.report import cells_in_words
from benchmarks.depth.results import find_cell, read_results
from benchmarks.depth.spreads import compare_nets
from benchmarks.depth.study import SHIPPED_FOLDER, read_study
from benchmarks.depth.verdicts import Outcome, judge
from tests.docs import README, read_page

PAGE = read_page("depth")


@pytest.mark.parametrize("name", ["cifar10-taste-3", "cifar10-fast-30"])
def test_a_shipped_study_stands_in_its_table(name: str) -> None:
    cells = read_results(read_study(SHIPPED_FOLDER / name))
    assert cells
    for cell in cells:
        family, depth, seeds, train, test, *_ = cells_in_words(cell)
        assert f"| {family} {depth} | {seeds} | {train} | {test} |" in PAGE


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (("plain", 110), ("plain", 20), "(110 layers by {} points of test error, {} to {})"),
        (("resnet_v1", 20), ("resnet_v1", 110), "(by {} points, {} to {})"),
        (("plain", 110), ("resnet_v1", 110), "skips are worth {} points ({} to {})"),
    ],
)
def test_what_depth_does_is_told_with_its_interval(first, second, words: str) -> None:
    cells = read_results(read_study(SHIPPED_FOLDER / "cifar10-fast-30"))
    nets = [find_cell(cells, *net) for net in (first, second)]
    assert nets[0] and nets[1]
    found = compare_nets(cells, "test", nets[0], nets[1])
    assert found is not None and found.is_above
    told = (f"{figure:.2f}" for figure in (found.value, found.low, found.high))
    assert words.format(*told) in PAGE


def test_which_papers_figures_are_reproduced_is_told() -> None:
    study = read_study(SHIPPED_FOLDER / "cifar10-fast-30")
    found = judge(read_results(study), study.recipe.epochs)
    places = {
        outcome: [v for v in found if "reproduces" in v.claim and v.outcome is outcome]
        for outcome in Outcome
    }
    depths = {
        outcome: [verdict.claim.split()[2] for verdict in verdicts]
        for outcome, verdicts in places.items()
    }
    assert depths[Outcome.SHOWN] == ["20"] and "ResNet-20 reproduces the paper's figure" in PAGE
    for outcome, words in (
        (Outcome.TOO_FEW, "of {} and {} layers, {} and {} points above the paper's, too few runs"),
        (Outcome.TOO_CLOSE, "of {} and {}, {} and {} points above, it is too close to tell"),
    ):
        gaps = [re.findall(r"\+(\d.\d\d) points", v.figures)[0] for v in places[outcome]]
        assert words.format(*depths[outcome], *gaps) in PAGE


@pytest.mark.parametrize("depth", [20, 56, 110])
def test_the_readme_tells_what_skips_are_worth(depth: int) -> None:
    cells = read_results(read_study(SHIPPED_FOLDER / "cifar10-fast-30"))
    nets = [find_cell(cells, family, depth) for family in ("plain", "resnet_v1")]
    plain, resnet = (cells_in_words(net)[4] for net in nets if net)
    papers = paper_figure("resnet_v1", depth)
    assert papers is not None
    assert f"| {depth} | {plain} | {resnet} | {papers.test_error_percent:.2f} % |" in README
