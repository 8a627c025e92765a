"""The Classify tab in a real browser."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[3] / "ui" / "classify" / "examples"


def drop(page, data: bytes, name: str, kind: str) -> None:
    """Drop a file onto the picture as a mouse does, with a DataTransfer."""
    transfer = page.evaluate_handle(
        """([text, name, type]) => {
            const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, {type}));
            return transfer;
        }""",
        [base64.b64encode(data).decode(), name, kind],
    )
    page.dispatch_event("#picture button[aria-label*='Drop']", "drop", {"dataTransfer": transfer})


def clear(page) -> None:
    page.click("#picture button[aria-label='Remove Image']")
    page.wait_for_selector(".lab-empty")


def choose(page, box: str, option: str) -> None:
    page.click(f"{box} input")
    page.get_by_role("option", name=option).click()
    page.wait_for_function("!document.querySelector('[role=option]')")


def photo(cifar10, name: str) -> bytes:
    """A real photo of the test split, enlarged, that the shipped net gets right in that size."""
    from export.catalogue import list_exported
    from export.classifier import open_engine
    from resnet_core.pictures import to_input

    label = cifar10.class_names.index(name)
    images = cifar10.test.images[cifar10.test.labels == label].numpy()[:100]
    enlarged = [Image.fromarray(i).resize((512, 512), Image.Resampling.NEAREST) for i in images]
    # Scaled down again it is not the picture it was.
    seen = np.stack([to_input(picture, 32) for picture in enlarged])
    probabilities = open_engine(list_exported()[0].name).run(seen)
    buffer = io.BytesIO()
    enlarged[int(probabilities[:, label].argmax())].save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["horse", "frog"])
def test_a_dropped_photo_is_answered(page, cifar10, name: str) -> None:
    drop(page, photo(cifar10, name), "holiday.png", "image/png")
    page.wait_for_selector(".lab-verdict")
    assert page.inner_text(".lab-verdict") == f"A {name}."
    assert page.locator(".lab-ranks li").count() == 5
    assert "ONNX Runtime" in page.inner_text(".lab-times")
    assert "decode" in page.inner_text(".lab-times")
    assert "airplane, automobile, bird" in page.inner_text(".lab-scope")


def test_the_pixels_shown_are_the_pixels_the_net_saw(page) -> None:
    from resnet_core.pictures import read_picture, to_input

    page.set_input_files("#picture input[type=file]", EXAMPLES / "truck.jpg")
    page.wait_for_selector(".lab-seen")
    shown = page.get_attribute(".lab-seen", "src").split(",")[1]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown))))
    expected = to_input(read_picture(EXAMPLES / "truck.jpg").image, 32)
    np.testing.assert_array_equal(pixels, expected)


def test_two_models_side_by_side(page) -> None:
    page.set_input_files("#picture input[type=file]", EXAMPLES / "ship.jpg")
    page.wait_for_selector(".lab-verdict")
    choose(page, "#model", "resnet56_v1")
    choose(page, "#compare", "plain56")
    page.wait_for_function("document.querySelectorAll('.lab-card').length == 2")
    assert page.locator(".lab-model").all_inner_texts() == ["resnet56_v1", "plain56"]
    commands = page.input_value("#command textarea").split("\n")
    models = ["resnet56_v1", "plain56"]
    assert len(commands) == 2 and all(
        f"--model {m} " in c for m, c in zip(models, commands, strict=True)
    )


def test_an_example_is_one_click_away(page) -> None:
    page.get_by_role("button", name="Example: airplane", exact=True).click()
    page.wait_for_selector(".lab-verdict")
    assert page.inner_text(".lab-verdict") == "An airplane."


def test_bad_pictures_get_a_sentence_and_the_next_one_works(page) -> None:
    half = (EXAMPLES / "ship.jpg").read_bytes()[:4000]
    for data, name, kind, words in (
        (half, "half.jpg", "image/jpeg", "damaged or incomplete"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "logo.svg", "image/svg+xml", "SVG"),
        (b"no picture", "text.png", "image/png", "not a picture"),
    ):
        drop(page, data, name, kind)
        page.wait_for_selector(".lab-problem")
        assert words in page.inner_text(".lab-problem")
        clear(page)
    page.set_input_files("#picture input[type=file]", EXAMPLES / "ship.jpg")
    page.wait_for_selector(".lab-verdict")
    assert page.inner_text(".lab-verdict") == "A ship."


def test_nothing_leaves_this_machine(page) -> None:
    page.set_input_files("#picture input[type=file]", EXAMPLES / "ship.jpg")
    page.wait_for_selector(".lab-verdict")
    hosts = {urlparse(url).hostname for url in page.asked if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_overflows_and_text_can_be_read(
    browser, app_url: str, width: int, dark: bool
) -> None:
    page = open_at(browser, app_url, width, dark)
    page.set_input_files("#picture input[type=file]", EXAMPLES / "ship.jpg")
    page.wait_for_selector(".lab-verdict")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in (".lab-verdict", ".lab-times", ".lab-scope", ".lab-model"):
        assert contrast(page, selector) >= 4.5, selector
    # Models are chosen without scrolling; on a phone the answer comes first.
    answer, model = (page.locator(place).bounding_box()["y"] for place in ("#answer", "#model"))
    assert model < 844 if width == 1440 else answer < model
    page.close()


def open_at(browser, url: str, width: int, dark: bool):
    """The Classify tab as a screen of a width shows it, ready for a picture."""
    scheme = "dark" if dark else "light"
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.goto(url)
    page.wait_for_selector("#picture input[type=file]", state="attached")
    return page


def contrast(page, selector: str) -> float:
    """WCAG contrast of an element's text with the first opaque background behind it."""
    colours = page.evaluate(
        """selector => {
            let element = document.querySelector(selector);
            const text = getComputedStyle(element).color;
            while (element) {
                const ground = getComputedStyle(element).backgroundColor;
                if (!/, 0\\)$|transparent/.test(ground)) return [text, ground];
                element = element.parentElement;
            }
            return [text, 'rgb(255, 255, 255)'];
        }""",
        selector,
    )

    def luminance(colour: str) -> float:
        rgb = np.array([float(v) for v in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
        linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    light, dark = sorted(map(luminance, colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)
