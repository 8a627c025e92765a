"""The Speed tab in a real browser: results written by hand, and one measured from the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.app_speed import served
from benchmarks.throughput.stored import read_speed
from tests.resnet_core.live_runs import wait_until
from tests.ui.classify.test_classify_page import contrast
from tests.ui.live_app import App, choose, end_runs, fill, open_tab, unfold, words
from tests.written_speed import ENVIRONMENT, failed_row, speed_row, write_speed

FAST = [4900.0, 5000.0, 5100.0, 5050.0]
ROWS = [
    *(speed_row(batch=batch, rates=[r * 0.3 for r in FAST]) for batch in (1, 8)),
    *(
        speed_row(model, "openvino-cpu", "bf16", batch, [r * batch**0.5 / cost for r in FAST])
        for batch in (1, 8) for model, cost in (("resnet20_v1", 1), ("resnet56_v1", 3))
    ),
    failed_row("onnxruntime-tensorrt", "fp16", "TensorRT is not installed", install="pip install tensorrt"),
    failed_row("openvino-cpu", "int8", "only 71.20 % of its answers are the reference's", agreement=71.2),
]  # fmt: skip
OLDER = [speed_row(batch=batch, rates=[r * 0.6 for r in FAST]) for batch in (1, 8)]
FIGURES = ("speed-batch", "speed-latency", "speed-front")


@pytest.fixture(scope="module")
def app(tmp_path_factory, data_folder: Path) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("speed") / "runs"
    # The newest for good: what a test measures is not what the next one sees first.
    write_speed(folder / "speed" / "new.json", ROWS, began_at="2099-01-02T12:00:00+00:00")
    write_speed(
        folder / "speed" / "old.json", OLDER, began_at="2025-01-02T12:00:00+00:00",
        environment=ENVIRONMENT | {"cpu": "Abacus 8000"},
    )  # fmt: skip
    (folder / "speed" / "load.json").write_text('{"format": "resnet-lab-load-1", "rows": []}')
    with served(words(folder, data_folder)) as url:
        yield App(url, folder)
    end_runs(folder)


@pytest.fixture
def page(browser, app: App) -> Iterator[Page]:
    page = open_tab(browser, app.url, "Speed")
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    for figure in FIGURES:
        page.wait_for_selector(f"#{figure} .scatterlayer .trace")
    yield page
    page.close()
    # A request that a reload cut off is nobody's fault.
    assert not [said for said in page.faults if "abort" not in said.lower()]


def caption(page: Page, figure: str):
    return page.locator(f"#{figure} figcaption")


def choose_result(page: Page, box: str, part: str) -> None:
    page.click(f"{box} input")
    page.get_by_role("option").filter(has_text=part).click()


def test_a_result_is_seen_with_its_machine_and_what_is_missing(page: Page) -> None:
    expect(caption(page, "speed-batch")).to_contain_text("OpenVINO bf16 is fastest: resnet20_v1")
    expect(caption(page, "speed-latency")).to_contain_text("answers one image in 0.198 ms")
    expect(caption(page, "speed-front")).to_contain_text("Fewest errors: resnet56_v1")
    machine = page.locator("#speed-machine")
    expect(machine).to_contain_text("Abacus 9000, 2 cores, 2.60 GHz")
    expect(machine).to_contain_text("pip install tensorrt")
    expect(machine).to_contain_text("only 71.20 % of its answers")
    page.click("#speed-model label:has-text('resnet56_v1')")
    expect(caption(page, "speed-batch")).to_contain_text("resnet56_v1 at 4,")
    page.click("#speed-at label:has-text('one at a time')")
    expect(caption(page, "speed-front")).to_contain_text(
        "resnet20_v1 on OpenVINO bf16, 8.39 % at 5,"
    )


def test_a_result_is_taken_along(page: Page) -> None:
    unfold(page, "#speed-table")
    expect(page.locator("#speed-table td", has_text="no figure: TensorRT")).to_be_visible()
    with page.expect_download() as csv:
        page.click("#speed-csv")
    assert "resnet20_v1,openvino-cpu,bf16,all,1,True" in Path(csv.value.path()).read_text()
    with page.expect_download() as html:
        page.click("#speed-html")
    assert "OpenVINO bf16 is fastest" in Path(html.value.path()).read_text()


def test_two_results_are_compared_in_words(page: Page) -> None:
    unfold(page, "#speed-compare")
    choose_result(page, "#speed-against", "Abacus 8000")
    said = page.locator("#speed-comparison")
    expect(said).to_contain_text("Of 2 cases in both: 2 slower.")
    expect(said.locator("td", has_text="0.50 times (").first).to_contain_text("slower")
    expect(said).to_contain_text("degrees of freedom")
    expect(said.locator("td", has_text="Abacus 8000")).to_be_visible()
    command = said.locator("code").inner_text().split()
    assert command[:4] == ["python", "-m", "benchmarks", "compare-speed"]
    assert [Path(word).name for word in command[4:]] == ["old.json", "new.json"]
    assert all(Path(word).is_file() for word in command[4:])


def test_the_roofline_is_that_of_the_machine_looked_at(page: Page) -> None:
    unfold(page, "#speed-bounds")
    told = page.locator("#speed-roofline")
    expect(told).to_contain_text("Measured on AMD EPYC")  # none of this one: the first that ships
    for machine in ("NVIDIA H200", "AMD EPYC, 2 cores, AVX512-BF16"):
        choose_result(page, "#speed", machine)
        expect(told).to_contain_text(f"Measured on {machine}.")
        page.wait_for_selector("#speed-roofline-figure .scatterlayer .trace")


def test_a_measurement_is_started_found_again_and_stopped(page: Page, app: App) -> None:
    unfold(page, "#speed-form")
    page.click("#speed-engines .token-remove")
    choose(page, "#speed-engines", "onnxruntime-cpu:fp32")
    page.keyboard.press("Tab")
    for size in ("8", "32", "128"):
        page.click(f"#speed-batches .token:has-text('{size}') .token-remove")
    fill(page, "#speed-seconds", 0.1)
    fill(page, "#speed-gate", 50)
    fill(page, "#speed-rounds", 5000)
    command = page.locator("#speed-command code")
    expect(command).to_contain_text(
        "python -m benchmarks throughput --models resnet20_v1 --engines onnxruntime-cpu:fp32 "
        "--batch-sizes 1 --threads all --rounds 5000 --processes 3 --seconds 0.1 --gate-images 50"
    )
    page.click("#speed-start")
    expect(page.locator("#speed-stop")).to_be_visible()
    page.click("#speed-start")
    expect(page.locator("#speed-answer")).to_contain_text("two would disturb each other")
    page.reload()
    page.get_by_role("tab", name="Speed").click()
    expect(page.locator("#speed input")).to_have_value(re.compile("measuring now"))
    progress = page.locator("#speed-progress")
    expect(progress).to_contain_text("of 15000 measurements · about")
    page.wait_for_selector("#speed-batch .scatterlayer .trace")
    expect(page.locator("#status")).to_contain_text("Measuring speed")
    page.click("#speed-stop")
    expect(page.locator("#speed-stop")).to_be_hidden()
    expect(progress).to_contain_text("Stopped after")
    (measured,) = (app.runs / "speed").glob("2*.json")
    wait_until(lambda: read_speed(measured).progress["now"] == "stopped")
    assert read_speed(measured).measured[0]["engine"] == "onnxruntime-cpu"


def test_what_makes_no_sense_is_said(page: Page) -> None:
    unfold(page, "#speed-form")
    fill(page, "#speed-seconds", 0)
    expect(page.locator("#speed-command")).to_contain_text("more than 0")
    page.click("#speed-start")
    expect(page.locator("#speed-answer")).to_contain_text("more than 0")


def test_an_app_without_results_says_what_to_do(browser, tmp_path: Path) -> None:
    with served(words(tmp_path / "runs", tmp_path / "data")) as url:
        page = open_tab(browser, url, "Speed")
        expect(page.locator("#speed-progress")).to_contain_text(
            "Measure this machine below"
            if not shipped() else "cases have a figure"
        )  # fmt: skip
        page.close()


def shipped() -> list[Path]:
    return sorted((Path(__file__).resolve().parents[3] / "studies" / "speed").glob("*.json"))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1440])
def test_speed_fits_and_can_be_read(browser, app: App, width: int, dark: bool) -> None:
    page = open_tab(
        browser, app.url, "Speed", viewport={"width": width, "height": 844},
        color_scheme="dark" if dark else "light",
    )  # fmt: skip
    page.wait_for_selector("#speed-front .scatterlayer .trace")
    for accordion in ("#speed-table", "#speed-compare", "#speed-form"):
        unfold(page, accordion)
    choose_result(page, "#speed-against", "Abacus 8000")
    page.wait_for_selector("#speed-comparison td")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in (
        "#speed-progress p",
        "#speed-machine small",
        "#speed-machine dt",
        "#speed-marks p",
    ):
        assert contrast(page, selector) >= 4.5, selector
    page.close()
