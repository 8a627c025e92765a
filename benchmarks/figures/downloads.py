"""A comparison to keep: a table for other programs, a page for people. PNG is the browser's work."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from html import escape
from typing import Any

from plotly.graph_objects import Figure

from benchmarks.figures.compare import compare_figure
from benchmarks.figures.compared import ComparedRun, load_run
from benchmarks.figures.final_table import COLUMNS, cells, final_table
from benchmarks.figures.style import FONT, plotly_js_file
from benchmarks.figures.windows import points_by_step
from resnet_core.runs.folder import RunFolder

CSV_COLUMNS = (
    "run", "model", "data", "recipe", "seed", "kind", "step", "epoch", "images", "seconds",
    "train_error_percent", "validation_error_percent", "train_loss", "validation_loss", "lr",
)  # fmt: skip
CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtons": [["toImage", "zoom2d", "resetScale2d"]],
}
PAGE_STYLE = f"""
body {{ font: 15px/1.5 {FONT}; color: #1f2937; background: #ffffff; max-width: 1080px; margin: 1.5rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 0.85rem; white-space: nowrap; }}
th, td {{ text-align: left; padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid #e5e7eb; font-variant-numeric: tabular-nums; }}
pre {{ background: #f1f5f9; padding: 0.7rem; overflow-x: auto; font-size: 0.8rem; }}
"""


def comparison_csv(folders: Sequence[RunFolder]) -> str:
    """One line a run and point. Train figures are means over the epoch so far.

    `kind` is epoch for an epoch's end and step for what came between, thinned.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for folder in folders:
        writer.writerows(_csv_rows(load_run(folder)))
    return text.getvalue()


def _csv_rows(run: ComparedRun) -> list[list[Any]]:
    ends = {point.step for point in run.history.epochs}
    about = [not_a_formula(word) for word in (run.name, run.model, run.config["data"], run.recipe)]
    return [
        [
            *about, run.seed, "epoch" if p.step in ends else "step", p.step, f"{p.epoch:.6g}",
            p.images, f"{p.train_seconds:.3f}", p.train_error_percent, p.validation_error_percent,
            p.train_loss, p.validation_loss, p.lr,
        ]
        for p in points_by_step(run.history)
    ]  # fmt: skip


def not_a_formula(word: str) -> str:
    # A name that begins like a formula would run as one in a spreadsheet.
    return "'" + word if word.startswith(("=", "+", "-", "@")) else word


def comparison_html(
    folders: Sequence[RunFolder], x: str = "epoch", group_by: str = "run", title: str = "Runs"
) -> str:
    """One file that needs no other and no network: curves, final figures, commands, environments.

    Args:
        x, group_by: as `compare_figure` takes them.
        title: the page's heading.
    """
    figures = [compare_figure(folders, x, y, group_by=group_by) for y in ("error", "loss")]
    runs = [load_run(folder) for folder in folders]
    band = " Bands reach from the lowest to the highest seed." if group_by == "seeds" else ""
    body = f"""<p>Training dashed, validation solid; a colour a family, deeper nets darker.{band}</p>
{"".join(render_figure(figure) for figure in figures)}
<h2>Final figures</h2>
{render_table([heading for heading, _ in COLUMNS], [cells(row) for row in final_table(folders)])}
<h2>Commands</h2>
<pre>{escape(chr(10).join(run.config.get("command", "") for run in runs))}</pre>
<h2>Environments</h2>
{"".join(_render_environment(run) for run in runs)}"""
    return html_page(title, body)


def html_page(title: str, body: str) -> str:
    """A page around HTML that may hold plotly figures: plotly itself is in it, nothing is fetched."""
    # In a script element only its end tag could end the library early; plotly.min.js has none.
    library = plotly_js_file().read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{PAGE_STYLE}</style>
<script>{library}</script>
</head>
<body>
<h1>{escape(title)}</h1>
{body}
</body>
</html>
"""


def render_figure(figure: Figure) -> str:
    """A figure for such a page. Its title is text of the page, which wraps on a phone."""
    title = figure.layout.title.text  # escaped as plotly wants it, which is HTML
    figure.layout.title.text = None
    plot = figure.to_html(
        full_html=False, include_plotlyjs=False, config=CONFIG, default_height="420px"
    )
    return f"<h2>{title}</h2>{plot}"


def render_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls sideways where it is wider than the page."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _render_environment(run: ComparedRun) -> str:
    facts = json.dumps(run.environment, indent=2, ensure_ascii=False)
    return f"<details><summary>{escape(run.name)}</summary><pre>{escape(facts)}</pre></details>"
