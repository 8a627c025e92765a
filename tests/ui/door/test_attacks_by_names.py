"""HTML in the names of runs, models, classes and files: shown as text, on every page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from benchmarks.app_speed import served
from resnet_core.data.own_store import ClassCount, LeftOut, Report
from tests.ui.live_app import PATIENCE_MS, end_runs, unfold, words
from tests.written_runs import write_run
from ui.train.own_images import render_report

ROOT = Path(__file__).resolve().parents[3]
EVIL = "<img src=x onerror=hit()>"
BREAKS_OUT = "\"'><img src=x onerror=hit()>"
TABS = ("Classify", "Train", "Depth", "Speed", "Models")
HIT = "window.hits = 0; window.hit = () => { window.hits += 1 };"


@pytest.fixture(scope="module")
def url(tmp_path_factory, data_folder: Path) -> Iterator[str]:
    """An app whose runs, imported models and data have such names."""
    runs = tmp_path_factory.mktemp("names") / "runs"
    run = write_run(runs / f"20260101-000000-{EVIL}")
    write_run(runs / f"20260101-000001-{BREAKS_OUT}", steps=8)
    (runs / f"20260101-000002-{EVIL}").mkdir()
    (runs / f"20260101-000002-{EVIL}" / "config.json").write_text(f'{{"{EVIL}"')
    config = json.loads(run.config_file.read_text())
    config |= {"data": EVIL, "command": EVIL}
    config["recipe"] |= {"keep": "last"}
    run.config_file.write_text(json.dumps(config))
    import_model(runs)
    with served(words(runs, data_folder)) as url:
        yield url
    end_runs(runs)


def import_model(runs: Path) -> None:
    """As somebody's archive could bring it."""
    folder = runs / "imported" / BREAKS_OUT
    shutil.copytree(ROOT / "zoo" / "resnet20_v1", folder)
    card = json.loads((folder / "card.json").read_text())
    card |= {"name": EVIL, "data": EVIL, "command": EVIL,
             "imported": {"source": EVIL, "sha256": EVIL}}  # fmt: skip
    (folder / "card.json").write_text(json.dumps(card))


@pytest.fixture
def page(browser, url: str):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(HIT)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on(
        "console",
        lambda said: said.type == "error" and page.errors.append(said.text),
    )
    page.goto(url)
    yield page
    page.close()


def assert_harmless(page) -> None:
    """Nothing ran, and nothing stands ready that only the content policy keeps from running."""
    assert page.evaluate("window.hits") == 0
    assert page.locator("[onerror]").count() == 0 and page.locator("img[src=x]").count() == 0


def test_names_are_text_on_every_tab(page) -> None:
    for tab in TABS:
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(500)
        assert_harmless(page)
    page.get_by_role("tab", name="Models", exact=True).click()
    page.locator("#models button", has_text=EVIL).first.click()
    page.locator("#model-card", has_text=EVIL).wait_for()
    assert_harmless(page)
    page.get_by_role("tab", name="Train", exact=True).click()
    page.locator("#run input").click()
    page.locator("#watch", has_text=EVIL).wait_for()
    assert_harmless(page)


def test_a_picture_s_name_and_model_are_text(page, tmp_path: Path) -> None:
    shutil.copy(ROOT / "ui" / "classify" / "examples" / "ship.jpg", tmp_path / f"{EVIL}.jpg")
    unfold(page, "#several")
    page.set_input_files("#files input[type=file]", tmp_path / f"{EVIL}.jpg")
    page.locator("#answers .lab-shots li").wait_for()
    assert_harmless(page)
    page.set_input_files("#picture input[type=file]", tmp_path / f"{EVIL}.jpg")
    page.locator("#answer .lab-verdict").wait_for()
    assert_harmless(page)


def test_the_pages_live_with_the_content_policy(page) -> None:
    for tab in TABS:
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(300)
    refused = [text for text in page.errors if "Content Security Policy" in text]
    assert refused == []


def test_a_handler_in_an_attribute_does_not_run(page) -> None:
    """Were a name shown unescaped after all."""
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', {json.dumps(EVIL)})")
    page.wait_for_timeout(300)
    assert page.evaluate("window.hits") == 0


def test_class_names_are_text_in_the_report_of_own_images() -> None:
    report = Report(
        source=EVIL, image_size=32, seed=0, test_share=0.2,
        classes=(ClassCount(EVIL, 4, 1), ClassCount(BREAKS_OUT, 4, 1)),
        left_out=(LeftOut(f"{EVIL}.jpg", BREAKS_OUT),), left_out_total=1, duplicates=0,
        notes=(EVIL,),
    )  # fmt: skip
    shown = render_report(report, {BREAKS_OUT: np.zeros((2, 8, 8, 3), np.uint8)})
    seen = Elements()
    seen.feed(shown)
    assert set(seen.names) <= {"div", "p", "b", "span", "img", "ul", "li"}
    assert not any(name.startswith("on") for name in seen.attributes)
    assert seen.names.count("img") == 1  # the pictures of a class


class Elements(HTMLParser):
    """What a browser would make of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]
