"""The Depth tab in a real browser, over a study written by hand and one that is started there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.app_speed import served
from benchmarks.depth.study import read_study
from resnet_core.files import write_json
from resnet_core.runs.folder import RunState
from resnet_core.training.recipes import RECIPES
from tests.resnet_core.live_runs import wait_until
from tests.ui.classify.test_classify_page import contrast
from tests.ui.live_app import App, choose, end_runs, fill, open_tab, unfold, words
from tests.written_runs import write_run

NETS = [
    (family, depth, seed)
    for family in ("plain", "resnet_v1") for depth in (20, 56) for seed in (0, 1)
]  # fmt: skip


def model(family: str, depth: int) -> str:
    return f"plain{depth}" if family == "plain" else f"resnet{depth}_v1"


def write_study(path: Path) -> None:
    """Errors chosen so that plain nets get worse with depth and residual ones better."""
    for family, depth, seed in NETS:
        run = write_run(path / f"{model(family, depth)}-seed{seed}", family, depth, seed)
        error = {("plain", 20): 20, ("plain", 56): 50, ("resnet_v1", 20): 12, ("resnet_v1", 56): 9}[
            family, depth
        ]
        summary = run.summary() | {
            "test_error_percent": error + seed / 5, "train_error_percent": error - 2 + seed / 5,
        }  # fmt: skip
        write_json(run.summary_file, summary)
    runs = [{"model": model(family, depth), "seed": seed} for family, depth, seed in NETS]
    write_json(path / "study.json", {
        "format": "resnet-lab-study-1", "data": "shapes", "recipe": asdict(RECIPES["taste"]),
        "runs": runs, "commands": ["python -m benchmarks depth --depths 20,56"],
    })  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    write_study(folder / "runs" / "studies" / "a-written-one")
    with served(words(folder / "runs", folder / "data")) as url:
        yield App(url, folder / "runs")
    end_runs(folder / "runs" / "studies" / "shapes-taste-30")


@pytest.fixture
def page(browser, app: App) -> Iterator[Page]:
    page = open_tab(browser, app.url, "Depth")
    page.wait_for_selector("#study-verdicts li")
    yield page
    page.close()


def lines(page: Page, figure: str) -> list[str]:
    return page.evaluate(
        f"[...(document.querySelector('#{figure} .lab-plot').data ?? [])].map(line => line.name)"
    )


def test_a_study_is_seen_judged_and_taken_along(page: Page, app: App) -> None:
    page.wait_for_function("document.querySelector('#study-figure .lab-plot').data?.length >= 8")
    assert {"Plain, train", "Plain, test", "ResNet v1, test"} <= set(lines(page, "study-figure"))
    expect(page.locator("#study-figure figcaption")).to_contain_text(
        "Plain gets worse from 20 to 56"
    )
    verdicts = page.inner_text("#study-verdicts")
    assert "Deeper plain nets do worse on training images: shown" in verdicts
    assert "Skip connections cure it: at 56 layers" in verdicts and "degrees of freedom" in verdicts

    page.click("#study-papers label:has-text('beside ours')")
    page.wait_for_function(
        "document.querySelector('#study-figure .lab-plot').data.some(l => l.name === 'papers')"
    )
    page.click("#study-x label:has-text('parameters')")
    page.wait_for_function(
        "document.querySelector('#study-figure .lab-plot').layout.xaxis.title.text.includes('millions')"
    )

    # At first the extremes of both families; after a click, the net that was clicked.
    assert len(set(lines(page, "study-curves"))) >= 4
    page.evaluate(
        "document.querySelector('#study-figure .lab-plot').emit('plotly_click', {points: ["
        "{customdata: ['plain', 56, 'Plain 56'], x: 56, y: 50, data: {name: 'Plain, test'}}]})"
    )
    page.wait_for_function(
        "[...document.querySelector('#study-curves .lab-plot').data].every(l => l.name.includes('Plain 56'))"
    )
    expect(page.locator("#study-curves-of input")).to_have_value("Plain 56")

    unfold(page, "#study-table")
    page.wait_for_selector("#study-table td")
    with page.expect_download() as csv:
        page.click("#study-csv")
    assert "plain,56,2," in Path(csv.value.path()).read_text()
    with page.expect_download() as html:
        page.click("#study-html")
    assert "Skip connections cure it" in Path(html.value.path()).read_text()


def test_curves_are_chosen_by_keyboard(page: Page) -> None:
    menu = page.get_by_label("Curves of", exact=True)
    menu.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("ResNet v1 20")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "(() => { const drawn = document.querySelector('#study-curves .lab-plot').data ?? [];"
        " return drawn.length && drawn.every(l => l.name.includes('ResNet v1 20')) })()"
    )
    expect(menu).to_have_value("ResNet v1 20")


def test_a_study_is_started_watched_and_stopped(page: Page, app: App) -> None:
    unfold(page, "#study-form")
    fill(page, "#study-epochs", 30)
    page.click(
        "#study-depths button[aria-label*='32'], #study-depths .token:has-text('32') .token-remove"
    )
    page.click("#study-depths .token:has-text('20') .token-remove")
    expect(page.locator("#study-command code")).to_contain_text(
        "--depths 8 --seeds 1 --data shapes --recipe taste --epochs 30"
    )
    page.click("#study-start")
    expect(page.locator("#study-progress")).to_contain_text("0 of 2 nets trained")
    expect(page.locator("#study-stop")).to_be_visible()
    study = read_study(app.runs / "studies" / "shapes-taste-30")
    page.reload()
    page.get_by_role("tab", name="Depth").click()
    choose(page, "#study", "shapes, 30 epochs of taste · 2 runs · yours")
    expect(page.locator("#status")).to_contain_text("Training plain8")
    page.click(
        "#status button[data-action=stop]"
    )  # on every tab; the tab's own button does the same
    wait_until(lambda: {f.state() for f in study.folders()} == {RunState.STOPPED})
    expect(page.locator("#study-stop")).to_be_hidden()
    expect(page.locator("#study-progress")).to_contain_text("goes on where it stands")


def test_wrong_settings_are_said(page: Page) -> None:
    unfold(page, "#study-form")
    fill(page, "#study-epochs", 0)
    expect(page.locator("#study-command")).to_contain_text("more than 0 epochs")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1440])
def test_depth_fits_and_can_be_read(browser, app: App, width: int, dark: bool) -> None:
    page = open_tab(
        browser, app.url, "Depth", viewport={"width": width, "height": 844},
        color_scheme="dark" if dark else "light",
    )  # fmt: skip
    page.wait_for_selector("#study-verdicts li")
    for accordion in ("#study-table", "#study-form"):
        unfold(page, accordion)
    page.wait_for_selector("#study-start")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in ("#study-progress p", "#study-verdicts small", "#study-verdicts .lab-outcome"):
        assert contrast(page, selector) >= 4.5, selector
    page.close()
