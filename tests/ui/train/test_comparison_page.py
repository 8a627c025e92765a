"""The page that `compare --html` writes, in a browser without a network."""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures.downloads import comparison_html
from tests.written_runs import write_run

HOSTILE = "<script>alert(1)</script> & %{x}"


def test_the_page_opens_offline(browser, tmp_path: Path) -> None:
    seeds = [write_run(tmp_path / f"seed{seed}", seed=seed) for seed in range(3)]
    hostile = write_run(tmp_path / HOSTILE.replace("/", "∕"), "plain")
    path = tmp_path / "page.html"
    path.write_text(comparison_html([*seeds, hostile], group_by="seeds", title=HOSTILE))
    context = browser.new_context(offline=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append("alert"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector(".main-svg .scatterlayer .trace")
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator(".js-plotly-plot").count() == 2
    assert page.locator("tbody tr").count() == 5  # four runs and a mean
    assert "python -m resnet_core train --seed 2" in page.locator("pre").first.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert not said and not [
        url for url in asked if not url.startswith(("file:", "data:", "blob:"))
    ]
    context.close()
