"""Look inside, in a real browser."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from resnet_core.zoo import zoo_entries
from tests.ui.classify.test_classify_page import EXAMPLES, choose, clear, contrast, open_at

OPEN = "#inside button >> nth=0"


def put(page, picture: Path = EXAMPLES / "ship.jpg") -> None:
    page.set_input_files("#picture input[type=file]", picture)
    page.wait_for_selector(".lab-verdict")


def heat(page) -> np.ndarray:
    """The pixels of the picture with heat over it, (h, w, 3)."""
    shown = page.get_attribute(".lab-heat img", "src").split(",")[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(shown))), dtype=int)


def test_the_panel_opens_on_the_picture_and_follows_it(page) -> None:
    put(page)
    assert page.locator(".lab-inside").count() == 0
    page.click(OPEN)
    expect(page.locator(".lab-heat h3")).to_contain_text("Most for “ship”")
    numbers = re.search(
        r"exactly: (−?[\d.]+) ([+−][\d.]+) = (−?[\d.]+)\.", page.inner_text(".lab-inside")
    )
    total, bias, logit = (float(n.replace("−", "-")) for n in numbers.groups())
    assert total + bias == pytest.approx(logit, abs=0.02)
    assert page.locator(".lab-stages figure").count() == 4
    clear(page)
    put(page, EXAMPLES / "truck.jpg")
    expect(page.locator(".lab-heat h3")).to_contain_text("Most for “truck”")


def test_another_class_and_another_model_give_another_map(page) -> None:
    page.click(OPEN)
    expect(page.locator("#inside-shown")).to_contain_text("Drop in a picture first")
    put(page)
    expect(page.locator(".lab-heat h3")).to_contain_text("“ship”")
    first = heat(page)
    choose(page, "#inside-class", "frog")
    expect(page.locator(".lab-heat h3")).to_contain_text("“frog”")
    assert np.abs(heat(page) - first).mean() > 1
    expect(page.locator("#inside .lab-command code")).to_contain_text("--class frog")
    choose(page, "#model", "plain20")
    expect(page.locator("#inside .lab-command code")).to_contain_text("--model plain20")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_overflows_and_text_can_be_read(
    browser, app_url: str, width: int, dark: bool
) -> None:
    page = open_at(browser, app_url, width, dark)
    put(page)
    page.click(OPEN)
    page.wait_for_selector(".lab-stages img")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in (".lab-heat h3", ".lab-scale", ".lab-about", ".lab-stages figcaption"):
        assert contrast(page, selector) >= 4.5, selector
    page.close()


def test_ten_crops_and_another_net_are_averaged(page) -> None:
    put(page)
    page.click(OPEN)
    expect(page.locator("#averaged")).to_contain_text("Ask about more views")
    page.get_by_role("radio", name="Ten crops").check()
    expect(page.locator("#averaged .lab-card")).to_contain_text("Mean of 10 views")
    page.click("#average-with input")
    page.get_by_role("option", name=re.compile("^plain20")).click()
    first = zoo_entries()[0].name
    expect(page.locator("#averaged .lab-model")).to_have_text(f"{first} + plain20")
    expect(page.locator("#averaged code")).to_have_text(
        f"python -m export classify PICTURE --model {first} --views ten-crop --with plain20"
    )
