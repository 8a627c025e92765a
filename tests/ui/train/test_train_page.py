"""The Train tab in a real browser, over real training processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.app_speed import served
from resnet_core.runs.folder import RunFolder, RunState, list_runs
from tests.resnet_core.live_runs import (
    SMALL_DATA,
    assert_same_weights,
    frozen,
    has_epochs,
    is_in,
    run,
    wait_until,
)
from tests.small_data import NAME
from tests.ui.classify.test_classify_page import EXAMPLES, contrast
from tests.ui.live_app import App, choose, end_runs, fill, open_tab, unfold, words

EPOCHS = 6  # of a second each: long enough to be met on the way
WORDS = [
    "train", "--model", "resnet8_v1", "--data", NAME, "--data-folder", SMALL_DATA,
    "--recipe", "taste", "--epochs", EPOCHS,
]  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    with served(words(folder / "runs", SMALL_DATA)) as url:
        yield App(url, folder / "runs")
    end_runs(folder / "runs")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> RunFolder:
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "unbroken")
    done = run(*WORDS, "--run", folder.path)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def page(browser, app: App) -> Iterator[Page]:
    page = open_train(browser, app.url)
    yield page
    page.close()


def open_train(browser, url: str, **options: object) -> Page:
    page = open_tab(browser, url, "Train", **options)
    page.wait_for_selector("#start")
    return page


def start_small_run(page: Page, app: App, epochs: object = EPOCHS) -> RunFolder:
    before = len(list_runs(app.runs))
    choose(page, "#data", NAME)
    choose(page, "#depth", "8")
    fill(page, "#amount", epochs)
    expect(page.locator("#train-command code")).to_contain_text(f"--epochs {epochs}")
    expect(page.locator("#train-command code")).to_contain_text(f"--model resnet8_v1 --data {NAME}")
    page.click("#start")
    wait_until(lambda: len(list_runs(app.runs)) == before + 1)
    return app.newest


def points(page: Page) -> int:
    """How many points the drawn training curve has."""
    return page.evaluate(
        "(document.querySelector('#figure-error .lab-plot')?.data ?? [])[0]?.x?.length ?? 0"
    )


def wait_for_state(page: Page, state: str) -> None:
    expect(page.locator("#run-header .lab-state")).to_have_text(re.compile(f"^{state}"))


def test_a_run_from_start_over_reload_stop_and_resume_into_classify(
    page: Page, app: App, unbroken: RunFolder
) -> None:
    folder = start_small_run(page, app)
    wait_for_state(page, "running")
    wait_until(lambda: points(page) >= 1)
    seen = points(page)
    wait_until(lambda: points(page) > seen)

    with frozen(folder.process_id()):
        page.reload()
        page.get_by_role("tab", name="Train").click()
        wait_for_state(page, "running")  # attached again, without being told to
        expect(page.locator("#run input")).to_have_value(re.compile(f"resnet8_v1 · {NAME}"))
        command = page.locator("#train-command code")
        expect(command).to_contain_text(f"--model resnet8_v1 --data {NAME}")
        page.click("#stop")
    wait_for_state(page, "stopped")
    assert folder.state() is RunState.STOPPED and folder.process_id() is None
    page.click("#resume")
    wait_for_state(page, "finished")
    assert_same_weights(folder, unbroken)
    expect(page.locator("#run-header")).to_contain_text("test error")

    page.click("#use")
    expect(page.locator("#model input")).to_have_value(re.compile("your run"))
    assert folder.onnx_file.is_file()
    page.set_input_files("#picture input[type=file]", EXAMPLES / "ship.jpg")
    page.wait_for_selector(".lab-verdict")
    expect(page.locator(".lab-scope")).to_contain_text("crescent")

    page.get_by_role("tab", name="Models").click()
    expect(page.locator("#models")).to_contain_text(f"your run {folder.name}")
    page.click(f"#models button[data-row='{folder.name}']")
    expect(page.locator("#model-card")).to_contain_text(f"{EPOCHS} epochs of taste, seed 0")


def test_a_killed_app_loses_nothing(browser, tmp_path: Path, unbroken: RunFolder) -> None:
    """The app dies by SIGKILL; its run goes on; a second app, and two browsers, find it."""
    runs = tmp_path / "runs"
    first = subprocess.Popen(
        [*words(runs, SMALL_DATA), "7987"], cwd=Path(__file__).parents[3], stdout=subprocess.PIPE
    )
    assert first.stdout is not None and b"Running" in first.stdout.readline()
    page = open_train(browser, "http://127.0.0.1:7987/")
    folder = start_small_run(page, App("", runs))
    wait_until(lambda: has_epochs(folder))
    training = folder.process_id()
    assert training is not None
    os.kill(training, signal.SIGSTOP)  # it goes on, but not before the second app has found it
    first.send_signal(signal.SIGKILL)
    first.wait()
    page.close()
    assert folder.state() is RunState.RUNNING
    with served(words(runs, SMALL_DATA)) as url:
        pages = [open_train(browser, url), open_train(browser, url)]
        for page in pages:
            wait_until(lambda page=page: points(page) > 0)
            wait_for_state(page, "running")
        os.kill(training, signal.SIGKILL)  # the training dies too, by a signal it can not catch
        for page in pages:
            wait_for_state(page, "interrupted")
        pages[0].click("#resume")
        pages[1].close()
        wait_for_state(pages[0], "finished")
        pages[0].close()
    assert_same_weights(folder, unbroken)
    end_runs(runs)


def test_runs_queue_and_can_be_reordered_withdrawn_and_deleted(page: Page, app: App) -> None:
    running = start_small_run(page, app, 400)
    wait_until(is_in(running, RunState.RUNNING))
    second = start_small_run(page, app, 1)
    third = start_small_run(page, app, 2)
    items = page.locator("#queue li")
    expect(items).to_have_count(2)
    page.click(f"#queue button[data-action=up][data-row='{third.name}']")
    expect(page.locator("#queue li >> nth=0 >> button[data-action=withdraw]")).to_have_attribute(
        "data-row", third.name
    )
    for left, folder in ((1, third), (0, second)):
        page.click(f"#queue button[data-action=withdraw][data-row='{folder.name}']")
        wait_until(is_in(folder, RunState.STOPPED))
        expect(items).to_have_count(left)  # the page as a person would see it before the next click

    expect(page.locator("#status")).to_contain_text("Training")
    page.click("#status button[data-action=stop]")
    wait_until(is_in(running, RunState.STOPPED))

    shown = page.locator("#run input").input_value()
    assert "stopped" in shown
    unfold(page, "#run-more")
    page.click("#delete")
    expect(page.locator("#delete-question")).to_contain_text("for good?")
    page.click("#delete-keep")
    count = len(list_runs(app.runs))
    page.click("#delete")
    page.click("#delete-sure")
    wait_until(lambda: len(list_runs(app.runs)) == count - 1)


def test_settings_are_checked_and_kept(page: Page) -> None:
    choose(page, "#recipe", "paper")
    expect(page.locator("#train-command code")).to_contain_text("--recipe paper")
    unfold(page, "#recipe-fields")
    fill(page, "#recipe-batch_size", 0)
    expect(page.locator("#train-command .lab-problem")).to_contain_text("at least 1 image")
    fill(page, "#recipe-batch_size", 64)
    expect(page.locator("#train-command code")).to_contain_text("--batch-size 64")
    page.click("#family label:has-text('ResNet v2')")
    expect(page.locator("#train-command code")).to_contain_text("--model resnet20_v2")
    page.reload()
    page.get_by_role("tab", name="Train").click()
    expect(page.locator("#train-command code")).to_contain_text("--batch-size 64")
    expect(page.locator("#train-command code")).to_contain_text("--model resnet20_v2")


def test_own_images_are_shown_before_training(page: Page, tmp_path: Path, shapes) -> None:
    from PIL import Image

    archive = tmp_path / "drawn.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for number in range(24):
            label = "<b>stars" if number % 2 else "rings"
            picture = tmp_path / "p.png"
            Image.fromarray(shapes.train.images[number].numpy()).save(picture)
            file.write(picture, f"{label}/{number}.png")
        file.writestr("rings/broken.jpg", b"not a picture")
    unfold(page, "#own-images")
    page.set_input_files("#own-file input[type=file]", archive)
    page.wait_for_selector(".lab-own")
    text = page.inner_text("#own-answer")
    assert "2 classes" in text and "<b>stars" in text and "broken.jpg" in text
    assert page.locator(".lab-strip").count() == 2
    expect(page.locator("#data input")).to_have_value(re.compile("own/drawn-"))
    expect(page.locator("#train-command code")).to_contain_text("--data own/drawn-")
    expect(page.locator("#train-command code")).to_contain_text("--batch-size 8")
    page.fill("#own-path textarea, #own-path input", "/no/such/folder")
    page.click("#own-file button[aria-label*='Clear'], #own-file button[aria-label*='Remove']")
    page.click("#own-prepare")
    page.wait_for_selector("#own-answer .lab-problem")


def test_an_estimate_comes_before_the_run(page: Page) -> None:
    choose(page, "#data", "shapes")
    choose(page, "#depth", "8")
    page.click("#estimate")
    expect(page.locator("#estimate-answer")).to_contain_text("images/s")
    assert "MB of memory" in page.inner_text("#estimate-answer")


def test_runs_are_compared_and_taken_along(page: Page, app: App, tmp_path: Path) -> None:
    finished = [run.name for run in list_runs(app.runs) if run.summary_file.exists()]
    assert finished, "the first test of this file leaves a finished run"
    unfold(page, "#compare-runs")
    page.wait_for_selector("#compare-table td")
    assert finished[0] in page.inner_text("#compare-table")
    page.wait_for_function("document.querySelector('#compare-figure .lab-plot').data?.length > 0")
    page.click("#compare-group label:has-text('mean over seeds')")
    with page.expect_download() as csv:
        page.click("#compare-csv")
    assert finished[0] in Path(csv.value.path()).read_text()
    with page.expect_download() as html:
        page.click("#compare-html")
    assert "plotly" in Path(html.value.path()).read_text()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1440])
def test_train_and_models_fit_and_can_be_read(browser, app: App, width: int, dark: bool) -> None:
    page = open_train(
        browser, app.url, viewport={"width": width, "height": 844},
        color_scheme="dark" if dark else "light",
    )  # fmt: skip
    page.wait_for_selector("#run-header .lab-run-figures")
    for accordion in ("#recipe-fields", "#more-settings", "#own-images", "#run-more", "#run-log"):
        unfold(page, accordion)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in (".lab-run-about", ".lab-run-figures", ".lab-command code", ".lab-state"):
        assert contrast(page, selector) >= 4.5, selector
    page.get_by_role("tab", name="Models").click()
    page.wait_for_selector("#models td")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
