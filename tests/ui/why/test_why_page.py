"""The section "Why it happens" in a real browser: stored results, a computation, surgery by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from benchmarks.app_speed import served
from tests.ui.live_app import PATIENCE_MS, unfold, words

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def why_url(tmp_path_factory) -> Iterator[str]:
    """The real app over runs of its own; surgery by hand reads CIFAR-10, which CI has."""
    data = Path(os.environ.get("RESNET_LAB_DATA", ROOT / "data"))
    with served(words(tmp_path_factory.mktemp("why") / "runs", data)) as url:
        yield url


@pytest.fixture
def page(browser, why_url: str) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(PATIENCE_MS)
    page.said = []
    page.on("pageerror", lambda error: page.said.append(str(error)))
    open_section(page, why_url)
    yield page
    page.close()
    # A request that a reload cut off is nobody's fault.
    assert not [said for said in page.said if "abort" not in said.lower()]


def open_section(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("tab", name="Depth").click()
    page.wait_for_selector("#why-gradients-1 .scatterlayer .trace")


def look_at(page: Page, title: str) -> None:
    page.get_by_label(title, exact=True).check()


def title(page: Page, figure: str):
    return page.locator(f"#{figure} figcaption")


def test_stored_results_are_there_at_once_with_words_and_command(page: Page) -> None:
    for name, figure, mark, says in (
        ("Skip surgery", "why-surgery-2", ".barlayer .trace", "Without one block plain56 errs"),
        ("Responses", "why-responses-1", ".scatterlayer .trace", "respond"),
        ("Ensembles", "why-ensemble-1", ".scatterlayer .trace", "nets together"),
        ("Gradient flow", "why-gradients-2", ".scatterlayer .trace", "Without batch norm"),
    ):
        look_at(page, name)
        page.wait_for_selector(f"#{figure} {mark}")
        expect(title(page, figure)).to_contain_text(says)
    expect(page.locator("#why-lead-gradients")).to_be_visible()
    expect(page.locator("#why-origin-gradients")).to_contain_text(
        "python -m benchmarks why gradients"
    )


def test_the_landscape_is_there_also_without_3d_graphics(page: Page) -> None:
    look_at(page, "Loss landscape")
    expect(title(page, "why-landscape-1")).to_contain_text("at the net")
    page.get_by_label("map from above").check()
    page.wait_for_selector("#why-landscape-2 .contourlayer .contour")
    assert page.evaluate(
        "document.querySelector('#why-landscape-1 .lab-plot')._fullLayout.coloraxis === undefined"
    )


def camera(page: Page) -> dict:
    plot = "document.querySelector('#why-landscape-1 .lab-plot')"
    return page.evaluate(f"{plot}._fullLayout.scene._scene.getCamera().eye")


def test_a_surface_is_turned_by_hand_stays_so_and_is_saved_as_seen(page: Page, tmp_path) -> None:
    look_at(page, "Loss landscape")
    page.wait_for_selector("#why-landscape-1 canvas")
    page.wait_for_timeout(1000)  # the first frame is drawn in software
    canvas = page.locator("#why-landscape-1 canvas").first
    canvas.scroll_into_view_if_needed()  # a mouse reaches only what is in sight
    page.wait_for_timeout(500)
    before, box = camera(page), canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 90, y + 40, steps=6)
    page.mouse.up()
    page.wait_for_timeout(500)
    turned = camera(page)
    assert turned != before
    page.evaluate("document.body.classList.toggle('dark')")
    page.wait_for_timeout(1500)
    assert camera(page) == pytest.approx(turned)
    with page.expect_download() as download:
        page.locator("#why-landscape-1 .modebar-btn").first.click()
    path = tmp_path / "surface.png"
    download.value.save_as(path)
    with Image.open(path) as image:
        assert image.size == (2000, 1120)
        assert image.convert("RGB").getpixel((5, 5)) == (255, 255, 255)
        assert len(image.convert("RGB").getcolors(1 << 22)) > 100


def test_a_computation_grows_on_the_page_and_a_reload_finds_it_again(
    page: Page, why_url: str, data_folder: Path
) -> None:
    unfold(page, "#why-compute-gradients")
    page.click("#why-nets-gradients input")
    for _ in range(5):  # leave one net
        page.keyboard.press("Backspace")
    page.keyboard.press("Tab")
    expect(page.locator("#why-compute-gradients code")).to_contain_text("why gradients plain20")
    page.locator("#why-start-gradients").click()
    expect(page.locator("#why-state-gradients .lab-busy")).to_be_visible()
    open_section_again(page, why_url)
    expect(page.get_by_label("computed here").first).to_be_checked()
    expect(title(page, "why-gradients-1")).to_contain_text("in plain20")
    expect(page.locator("#why-state-gradients .lab-busy")).to_have_count(0)
    unfold(page, "#why-compute-gradients")
    expect(page.locator("#why-start-gradients")).to_be_enabled()
    expect(page.locator("#why-start-gradients")).to_have_text("Compute")
    expect(page.locator("#why-stop-gradients")).to_be_disabled()


def open_section_again(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("tab", name="Depth").click()
    page.locator("#why-compute-gradients button").first.wait_for()


def test_a_block_switched_off_by_hand(page: Page, data_folder: Path) -> None:
    look_at(page, "Skip surgery")
    page.locator("#why-off label", has_text="3").first.click()
    expect(page.locator("#why-answer .lab-verdict")).to_contain_text("points of error")
    expect(page.locator("#why-answer code")).to_contain_text(
        "why surgery resnet20_v1 --images 500 --seed 0 --no-swaps --off 3"
    )
    page.locator("#why-off label", has_text="3").first.click()
    expect(page.locator("#why-answer")).to_contain_text("Tick a block")
