"""Several pictures at once in a real browser: dropped, sorted, turned over, downloaded."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from export.classifier import classify
from resnet_core.zoo import zoo_entries
from tests.ui.classify.test_classify_page import EXAMPLES, choose, contrast
from tests.ui.live_app import open_tab, unfold

MODEL, ENGINE = zoo_entries()[0].name, "onnxruntime-cpu"


@pytest.fixture(scope="module")
def photos(cifar10, tmp_path_factory) -> list[Path]:
    """More real photos than a page holds, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"photo {number:02}.png" for number in range(29)]
    for path, pixels in zip(paths, cifar10.test.images.numpy(), strict=False):
        Image.fromarray(pixels).save(path)
    (folder / "=bad.png").write_bytes(b"nothing")
    return [*paths, folder / "=bad.png"]


@pytest.fixture
def gallery(page: Page) -> Page:
    page.click("#several button")
    return page


def put(page: Page, paths: list[Path]) -> None:
    page.set_input_files("#files input[type=file]", paths)
    expect(page.locator("#answers .lab-shots li").first).to_be_visible()


def names(page: Page) -> list[str]:
    return page.locator("#answers .lab-file").all_inner_texts()


def doubt(path: Path) -> float:
    """As the single picture's path answers."""
    (_, first), (_, second) = classify(path, MODEL, ENGINE).ranked(2)
    return 1 - (first - second)


def test_pictures_stand_under_their_classes_and_come_as_a_csv(gallery: Page, photos) -> None:
    put(gallery, [EXAMPLES / "truck.jpg", EXAMPLES / "ship.jpg", photos[-1]])
    headings = [text.split() for text in gallery.locator(".lab-group").all_inner_texts()]
    assert [words[0] for words in headings] == ["ship", "truck", "Can't"]
    assert names(gallery)[:2] == ["ship.jpg", "truck.jpg"]
    assert "not a picture" in gallery.locator("#answers li").last.inner_text()
    expect(gallery.locator("#several .lab-command")).to_contain_text(
        f"python -m export classify FOLDER --csv answers.csv --model {MODEL}"
    )
    with gallery.expect_download() as download:
        gallery.click("#csv")
    table = list(csv.reader(Path(download.value.path()).read_text(encoding="utf-8").splitlines()))
    assert [row[1] for row in table] == ["class", "truck", "ship", ""]
    assert not any(cell.startswith("=") for row in table for cell in row)


def test_the_most_doubtful_come_first_over_all_pages(gallery: Page, photos: list[Path]) -> None:
    put(gallery, photos)
    assert gallery.locator("#answers li").count() == 24
    gallery.get_by_label("Most doubtful first").check()
    expect(gallery.locator(".lab-group")).to_have_count(0)
    first = names(gallery)
    gallery.locator("#answers").get_by_text("Next").first.click()
    expect(gallery.locator("#answers li")).to_have_count(6)
    *rest, bad = names(gallery)
    assert gallery.locator("#answers img").count() == 5 and bad.endswith("bad.png")
    assert sorted([*first, *rest]) == [path.name for path in photos[:-1]]
    doubts = {path.name: doubt(path) for path in photos[:-1]}
    in_order = np.array([doubts[name] for name in [*first, *rest]])
    assert in_order[0] > 0.1 and np.diff(in_order).max() < 1e-4
    gallery.locator("#answers").get_by_text("Previous").click()
    expect(gallery.locator("#answers li")).to_have_count(24)
    assert names(gallery) == first


def test_another_model_answers_anew_and_no_pictures_leave_nothing(gallery: Page, photos) -> None:
    put(gallery, photos[:3])
    choose(gallery, "#model", "plain20")
    expect(gallery.locator("#several .lab-command")).to_contain_text("--model plain20")
    gallery.locator("#files button[aria-label='Clear']").click()
    expect(gallery.locator("#answers")).to_be_hidden()
    expect(gallery.locator("#csv")).to_be_hidden()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1440])
def test_it_fits_and_can_be_read(browser, app_url: str, photos, width: int, dark: bool) -> None:
    scheme = "dark" if dark else "light"
    viewport = {"width": width, "height": 844}
    page = open_tab(browser, app_url, "Classify", viewport=viewport, color_scheme=scheme)
    unfold(page, "#several")
    put(page, [*photos, EXAMPLES / "ship.jpg"])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in (".lab-group small", ".lab-shots small", ".lab-file", ".lab-pager span"):
        assert contrast(page, selector) >= 4.5, selector
    page.get_by_label(
        "Most doubtful first"
    ).check()  # one grid: groups may be narrower than the page
    expect(page.locator(".lab-group")).to_have_count(0)
    columns = {page.locator("#answers li").nth(n).bounding_box()["x"] for n in range(24)}
    assert len(columns) == 2 if width == 390 else 5 <= len(columns) <= 9
    page.close()
