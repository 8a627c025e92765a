"""A study's report: one HTML file that needs no other and no network."""

from __future__ import annotations

from html import escape

from benchmarks.depth.report import HEADINGS, cells_in_words
from benchmarks.depth.results import Cell, left_out, read_results
from benchmarks.depth.study import Study, describe
from benchmarks.depth.verdicts import Verdict, judge
from benchmarks.figures.compare import compare_figure
from benchmarks.figures.depth import depth_figure
from benchmarks.figures.downloads import html_page, render_figure, render_table
from resnet_core.models.config import FAMILIES


def study_html(study: Study) -> str:
    """Figures, verdicts, table, curves, commands and environments.

    Raises:
        RunError: a run's folder is damaged.
    """
    cells = read_results(study)
    curves = [
        compare_figure([run.folder for cell in nets for run in cell.runs], group_by="seeds")
        for family in FAMILIES
        if (nets := [cell for cell in cells if cell.family == family])
    ]
    body = [
        f"<p>{escape(describe(study))}. Training error dashed, test error solid; bars are 95 % "
        "intervals of means over seeds.</p>",
        render_figure(depth_figure(cells, papers=True)),
        "<h2>What it shows</h2>", render_verdicts(judge(cells, study.recipe.epochs)),
        "<h2>Every net</h2>", render_table(HEADINGS, [cells_in_words(cell) for cell in cells]),
        *(f"<p>{escape(sentence)}</p>" for sentence in left_out(study)),
        *(render_figure(depth_figure(cells, x)) for x in ("params", "multiply_adds", "seconds")),
        *(render_figure(figure) for figure in curves),
        "<h2>Commands</h2>", f"<pre>{escape(chr(10).join(study.commands))}</pre>",
        "<h2>Environments</h2>", _environments(cells),
    ]  # fmt: skip
    return html_page(f"Depth study {study.name}", "\n".join(body))


def render_verdicts(verdicts: list[Verdict]) -> str:
    """Each claim with its outcome and the figures behind it."""
    items = "".join(_item(verdict) for verdict in verdicts)
    return f'<ul class="lab-verdicts">{items}</ul>' if items else "<p>Nothing to judge yet.</p>"


def _item(verdict: Verdict) -> str:
    word = verdict.outcome.value
    figures = escape(verdict.figures).replace(" -", " −")  # as long as the plus of its neighbour
    return (
        f'<li class="lab-outcome-{verdict.outcome.name.lower()}"><b>{escape(verdict.claim)}:</b> '
        f'<span class="lab-outcome">{escape(word)}</span>'
        f"<br><small>{figures}. {escape(verdict.still_needed)}</small></li>"
    )


def _environments(cells: list[Cell]) -> str:
    """Each environment once, with the runs that were trained in it."""
    trained: dict[str, list[str]] = {}
    for cell in cells:
        for run in cell.runs:
            facts = run.summary["environment"]
            said = ", ".join(
                f"{key} {value}" for key, value in facts.items() if not key.startswith("process")
            )
            trained.setdefault(said, []).append(run.folder.name)
    return "".join(
        f"<p>{escape(facts)}<br><small>{escape(', '.join(names))}</small></p>"
        for facts, names in trained.items()
    )
