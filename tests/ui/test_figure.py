"""LiveFigure in a real browser: zoom, theme, width, clicks, pictures, and no network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.app_speed import served
from benchmarks.figures.canvas import empty_figure
from benchmarks.figures.style import TEMPLATES
from ui.figure import LiveFigure

OFFLINE_COMPLAINT_MS = 500
NO_NETWORK = ("Failed to fetch", "Connection errored out")
ROOT = Path(__file__).resolve().parents[2]
APP = """
import sys
import gradio as gr
from benchmarks.figures.canvas import Label, add_line, empty_figure, label_line_ends, new_figure
from benchmarks.figures.style import family_colour
from ui.figure import LiveFigure
from ui.layout import make_theme

def grow(count):
    count += 1
    figure = new_figure(f"Error: after {count} updates of <b>two</b> &lt;lines&gt;", "epochs", "error")
    for name, depth, shift in (("first", 20, 0), ("second", 56, 20)):
        colour = family_colour("plain", depth)
        x = list(range(10 + count))
        y = [50 + shift - value for value in x]
        add_line(figure, x, y, name, colour, "solid", "%{y}", [[name, v] for v in x], marks=True)
        label_line_ends(figure, [Label(f"the {name} line", y[-1], colour)])
    return count, figure

with gr.Blocks() as app:
    with gr.Tabs():
        with gr.Tab("Words"):
            gr.HTML("Nothing to see")
        with gr.Tab("Figures"):
            with gr.Row():
                with gr.Column(min_width=340):
                    live = LiveFigure(elem_id="live")
                with gr.Column(min_width=340):
                    still = LiveFigure(empty_figure("Nothing yet"), elem_id="empty")
            below = gr.HTML("What is below", elem_id="below")
            clicked = gr.Textbox(elem_id="clicked")
            gr.Button("Clear", elem_id="clear").click(lambda: None, None, still)
    count = gr.State(0)
    gr.Timer(0.4).tick(grow, count, [count, live], show_progress="hidden")

    def tell(event: gr.EventData):
        return str(event.customdata)

    live.click(tell, None, clicked)

app.launch(server_port=int(sys.argv[1]), quiet=True, theme=make_theme(), ssr_mode=False)
"""


@pytest.fixture(scope="module")
def figures_url(tmp_path_factory) -> Iterator[str]:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{APP}"
    with served([sys.executable, "-c", program]) as url:
        yield url


@contextmanager
def opened(browser, url: str, width: int = 1280, theme: str = "light", **options):
    """A page of the app; at its end it must not have complained or asked another machine."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    page = context.new_page()
    page.asked, page.said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda m: page.said.append(m.text) if is_complaint(m) else None)
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(f"{url}?__theme={theme}")
    page.get_by_role("tab", name="Words").wait_for()
    yield page
    said, asked = list(page.said), list(page.asked)
    context.close()
    assert not said
    assert not [u for u in asked if not u.startswith(("http://127.0.0.1:", "data:", "blob:"))]


@pytest.fixture
def open_figures(browser, figures_url: str):
    with ExitStack() as pages:
        yield lambda **options: pages.enter_context(opened(browser, figures_url, **options))


@pytest.fixture(scope="module")
def shown(browser, figures_url: str):
    """One page for the tests that leave it as it was."""
    with opened(browser, figures_url) as page:
        show(page)
        yield page


def is_complaint(message) -> bool:
    # Gradio's timer complains while a test has the page offline.
    return message.type == "error" and "ERR_INTERNET_DISCONNECTED" not in message.text


def show(page) -> None:
    page.get_by_role("tab", name="Figures").click()
    page.wait_for_selector("#live .scatterlayer .trace")


def title(page) -> str:
    return page.locator("#live figcaption").inner_text()


def wait_for_updates(page, count: int) -> None:
    for _ in range(count):
        before = title(page)
        page.wait_for_function(
            "before => document.querySelector('#live figcaption').innerText !== before", arg=before
        )


def plot(page, expression: str):
    return page.evaluate(f"document.querySelector('#live .lab-plot').{expression}")


def plotly_requests(page) -> list[str]:
    return [url for url in page.asked if "plotly" in url.lower()]


def test_plotly_is_fetched_once_and_not_before_a_figure_is_seen(open_figures) -> None:
    page = open_figures()
    page.wait_for_timeout(800)  # two updates long
    assert not plotly_requests(page)
    show(page)
    page.wait_for_selector("#empty .annotation-text")
    assert len(plotly_requests(page)) == 1


def test_a_zoom_survives_updates_and_tab_switches_and_the_theme(open_figures) -> None:
    page = open_figures()
    show(page)
    page.evaluate(
        "window.Plotly.relayout(document.querySelector('#live .lab-plot'),"
        " {'xaxis.range': [2, 5], 'yaxis.range': [40, 60]})"
    )
    points = plot(page, "data[0].x.length")
    wait_for_updates(page, 2)
    assert plot(page, "data[0].x.length") >= points + 2
    page.get_by_role("tab", name="Words").click()
    page.get_by_role("tab", name="Figures").click()
    page.evaluate("document.body.classList.add('dark')")
    wait_for_updates(page, 1)
    assert plot(page, "layout.xaxis.range") == [2, 5]
    assert plot(page, "_fullLayout.yaxis.range") == [40, 60]


def test_a_zoom_made_with_the_mouse_survives_and_a_double_click_ends_it(shown) -> None:
    page = shown
    box = page.locator("#live .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 120, steps=5)
    page.mouse.up()
    page.wait_for_function(
        "() => document.querySelector('#live .lab-plot')._fullLayout.xaxis.autorange === false"
    )
    zoomed = plot(page, "_fullLayout.xaxis.range")
    wait_for_updates(page, 2)
    assert plot(page, "_fullLayout.xaxis.range") == zoomed
    page.mouse.dblclick(box["x"] + 100, box["y"] + 60)
    page.wait_for_function(
        "() => document.querySelector('#live .lab-plot')._fullLayout.xaxis.autorange === true"
    )


def test_dark_mode_changes_ink_and_lines_at_once(shown) -> None:
    page = shown

    def colours() -> list[str]:
        ink, line = "#live .xtick text", "#live .scatterlayer .trace:nth-child(2) path.js-line"
        return [
            page.evaluate(f"getComputedStyle(document.querySelector('{at}')).{what}")
            for at, what in ((ink, "fill"), (line, "stroke"))
        ]

    light = colours()
    page.evaluate("document.body.classList.add('dark')")
    page.wait_for_timeout(300)
    dark = colours()
    assert all(a != b for a, b in zip(light, dark, strict=True))
    page.evaluate("document.body.classList.remove('dark')")
    page.wait_for_timeout(300)
    assert colours() == light


def test_figures_fit_a_phone_follow_its_width_and_let_a_finger_scroll(open_figures) -> None:
    page = open_figures(width=390, has_touch=True)
    show(page)
    assert plot(page, "_fullLayout.dragmode") is False
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    plot_width = page.locator("#live .lab-plot").bounding_box()["width"]
    assert plot_width >= 300
    assert page.locator("#live .main-svg").first.bounding_box()["width"] == pytest.approx(
        plot_width
    )
    # The lines' names stand below: at their ends they would take a third of the width.
    assert plot(page, "_fullLayout.showlegend") is True
    assert plot(page, "_fullLayout._size.w") > 0.7 * plot_width
    page.set_viewport_size({"width": 760, "height": 900})
    page.wait_for_function(
        "() => { const plot = document.querySelector('#live .lab-plot');"
        " return Math.abs(plot._fullLayout.width - plot.clientWidth) < 1; }"
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 760
    assert plot(page, "_fullLayout.showlegend") is False
    assert plot(page, "_fullLayout.annotations.length") == 2


def test_nothing_below_moves_when_figures_arrive_or_go(open_figures) -> None:
    page = open_figures()
    page.get_by_role("tab", name="Figures").click()
    place = page.locator("#below").bounding_box()
    page.wait_for_selector("#live .scatterlayer .trace")
    wait_for_updates(page, 1)
    assert page.locator("#below").bounding_box() == place
    page.locator("#clear").click()
    page.wait_for_function("() => !document.querySelector('#empty figcaption').innerText")
    assert page.locator("#empty svg").count() == 0
    assert page.locator("#below").bounding_box() == place


def test_title_is_plain_text_and_the_picture_has_a_name(shown) -> None:
    page = shown
    assert "of two <lines>" in title(page)
    picture = page.locator("#live svg[role=img]")
    assert picture.count() == 1 and "updates of two" in picture.get_attribute("aria-label")


def test_a_click_on_a_point_tells_its_customdata(shown) -> None:
    page = shown
    wait_for_updates(page, 1)
    page.evaluate(
        "document.querySelector('#live .lab-plot').emit('plotly_click', {points: ["
        "{customdata: ['first', 3], x: 3, y: 47, data: {name: 'first'}}]})"
    )
    page.wait_for_function(
        "() => document.querySelector('#clicked textarea, #clicked input').value"
    )
    told = page.locator("#clicked textarea, #clicked input").input_value()
    assert told == "['first', 3]"


def test_a_page_that_opens_dark_is_dark_and_saves_a_png_on_white_offline(
    open_figures, tmp_path: Path
) -> None:
    page = open_figures(theme="dark")
    show(page)
    assert plot(page, "_fullLayout.font.color") == TEMPLATES["dark"]["layout"]["font"]["color"]
    page.context.set_offline(True)
    with page.expect_download() as download:
        page.locator("#live .modebar-btn").first.click()
    page.context.set_offline(False)
    page.wait_for_timeout(OFFLINE_COMPLAINT_MS)
    # The app's timer ticked on: what it found was no network, as it should.
    page.said[:] = [said for said in page.said if not any(word in said for word in NO_NETWORK)]
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.suffix == ".png" and path.name.startswith("error-after")
    with Image.open(path) as image:
        assert image.size == (2000, 1120)
        assert image.convert("RGB").getpixel((5, 5)) == (255, 255, 255)
        assert len(image.convert("RGB").getcolors(1 << 20)) > 20  # there is something on it


def test_the_toolbar_is_small_named_and_reached_by_keyboard(shown) -> None:
    page = shown
    buttons = page.locator("#live .modebar-btn")
    assert [buttons.nth(at).get_attribute("aria-label") for at in range(buttons.count())] == [
        "Save as PNG", "Zoom", "Reset axes",
    ]  # fmt: skip
    buttons.first.focus()
    assert page.evaluate("document.activeElement.className").startswith("modebar-btn")
    assert page.locator("#empty .modebar-btn").count() == 0


def test_values_are_sent_without_template() -> None:
    figure = LiveFigure()
    text = figure.postprocess(empty_figure("Error"))
    assert text and '"template"' not in text and len(text) < 1000
    assert figure.postprocess(text) == text and figure.postprocess(None) is None


def test_importing_the_component_imports_no_plotly() -> None:
    program = "import sys, ui.figure; ui.figure.LiveFigure(); sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0
