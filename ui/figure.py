"""A plotly figure that changes while it is looked at: zoom, place and theme are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import is_static_file

from benchmarks.figures.style import TEMPLATES, plotly_js_file

SCRIPT = Path(__file__).with_name("figure.js")
HTML = """<figure class="lab-figure">
<figcaption></figcaption><div class="lab-plot" style="height: ${height}px"></div>
</figure>"""
# Neither title nor plot changes its height when a figure arrives: nothing below it jumps.
CSS = """
.lab-figure { margin: 0; }
.lab-figure figcaption {
  display: flex;
  align-items: flex-end;
  min-height: 2.7em;
  line-height: 1.35;
  font-size: 0.95rem;
  font-weight: 600;
  color: var(--body-text-color);
}
.lab-plot { width: 100%; overflow: hidden; }
"""


class LiveFigure(gr.HTML):  # type: ignore[misc]
    """A figure from `benchmarks.figures`; its own title is the caption above it.

    `gr.Plot` draws a figure anew whenever it changes, which loses the zoom. This one hands it to
    `Plotly.react` in the browser, in the colours of the page's theme. Plotly comes from this
    server, once, when the first figure is seen.

    In a `gr.Row` each stands in a `gr.Column(min_width=340)`, so that a phone shows one below the
    other: Gradio gives raw HTML no least width.

    A click on a point triggers `click`; its `gr.EventData` has `customdata`, `x`, `y` and `name`,
    the name of the line.
    """

    def __init__(self, value: Any = None, *, height: int = 280, **options: Any):
        """
        Args:
            value: a figure, its JSON, a function that gives one, or None for nothing yet.
            height: of the plot without its title, in pixels.
            options: those of `gr.HTML`.
        """
        self.height = height
        library = plotly_js_file()
        if not is_static_file(library):
            gr.set_static_paths(library)
        super().__init__(
            value,
            html_template=HTML,
            css_template=CSS,
            js_on_load=SCRIPT.read_text(encoding="utf-8"),
            apply_default_css=False,
            height=height,
            library=library.as_posix(),
            templates=TEMPLATES,
            **options,
        )

    def postprocess(self, value: Any) -> str | None:
        """The figure's JSON without its template: the browser puts in that of its theme."""
        if value is None:
            return None
        figure = json.loads(value if isinstance(value, str) else value.to_json())
        figure["layout"].pop("template", None)
        return json.dumps(figure, separators=(",", ":"))
