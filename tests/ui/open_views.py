"""How long the stored looks inside the nets take to open, in a browser without a GPU.

    python -m tests.ui.open_views [--pages 3]

Times a click until the figures are on the screen: on the Depth tab for the first view, which comes
with it, and on a view's name for the others. Every page is opened anew.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from playwright.sync_api import Browser, Page

from benchmarks.app_speed import served
from benchmarks.why.settings import ANALYSES
from tests.ui.live_app import PATIENCE_MS, chromium, words
from ui.why.section import FIGURES
from ui.why.view import TITLES

ROOT = Path(__file__).resolve().parents[2]
# Plotly has laid a figure out; the browser has drawn it once the second frame comes.
IS_LAID_OUT = """figures => figures.every(id => {
  const plot = document.querySelector(`#${id} .lab-plot`);
  return plot?._fullLayout && document.querySelector(`#${id} figcaption`).textContent;
})"""
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def open_views(browser: Browser, url: str) -> Iterator[tuple[str, float]]:
    """Seconds to open each view, in the order of the page."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    depth = page.get_by_role("tab", name="Depth")
    depth.wait_for()
    page.wait_for_timeout(1000)
    for number, view in enumerate(ANALYSES):
        click = page.get_by_label(TITLES[view], exact=True).check if number else depth.click
        began = perf_counter()
        click()
        _until_drawn(page, view)
        yield view, perf_counter() - began
        page.wait_for_timeout(1000)
    page.close()


def _until_drawn(page: Page, view: str) -> None:
    figures = [f"why-{view}-{number + 1}" for number in range(FIGURES[view])]
    page.wait_for_function(IS_LAID_OUT, arg=figures)
    page.evaluate(TWO_FRAMES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=3, help="opened one after another")
    pages = parser.parse_args().pages
    data = Path(os.environ.get("RESNET_LAB_DATA", ROOT / "data"))
    seconds: dict[str, list[float]] = {view: [] for view in ANALYSES}
    with (
        TemporaryDirectory() as runs,
        served(words(Path(runs), data)) as url,
        chromium() as browser,
    ):
        for _ in range(pages):
            for view, took in open_views(browser, url):
                seconds[view].append(took)
    for view, took in seconds.items():
        print(f"{TITLES[view]:16} {median(took):.1f} s (longest of {pages}: {max(took):.1f} s)")


if __name__ == "__main__":
    main()
