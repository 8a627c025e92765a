"""What the page says was found inside the nets is what the stored results show."""

from __future__ import annotations

from benchmarks.figures.why_ensemble import ensemble_figure
from benchmarks.figures.why_gradients import gradient_flow_figures
from benchmarks.figures.why_landscape import landscape_figures
from benchmarks.figures.why_responses import response_figure
from benchmarks.figures.why_surgery import surgery_figures
from benchmarks.why.stored import Stored, read_stored
from tests.docs import STUDIES, read_page


def stored(analysis: str) -> Stored:
    found = read_stored(STUDIES / "analysis" / f"{analysis}.jsonl")
    assert found is not None
    return found


def test_each_finding_is_told_as_its_figure_has_it() -> None:
    figures = [
        *gradient_flow_figures(stored("gradients")).values(),
        *surgery_figures(stored("surgery")),
        *landscape_figures(stored("landscape")),
        response_figure(stored("responses")),
        ensemble_figure(stored("ensemble")),
    ]
    told = {line.removeprefix("- ") for line in read_page("why").splitlines()}
    assert len(figures) == 8
    assert [title for each in figures if (title := each.layout.title.text) + "." not in told] == []
