"""Run folders that are deleted or edited while a page shows them: the page says so and goes on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, Request, Route, expect

from benchmarks.app_speed import served
from tests.ui.live_app import App, choose, open_tab, unfold, words
from tests.written_runs import write_run

LOOKS_MS = 3000
"""Long enough for the page to look at least once, where nothing keeps it waiting."""
QUIET_MS = 200
ASKS = re.compile("/run/predict|/queue/join")
"""What is looked at again and again is asked for past the queue."""


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    with served(words(folder / "runs", folder / "data")) as url:
        yield App(url, folder / "runs")


@pytest.fixture
def page(browser, app: App) -> Iterator[Page]:
    shutil.rmtree(app.runs, ignore_errors=True)
    write_run(app.runs / "kept", depth=20)
    write_run(app.runs / "going", depth=56, steps=50)
    page = open_tab(browser, app.url, "Train")
    page.wait_for_selector("#run-header .lab-run-figures")
    choose(page, "#run", re.compile("seed 0.*interrupted"))
    expect(page.locator("#run-header")).to_contain_text("resnet56_v1")
    page.failed = []
    page.on("response", lambda r: r.status >= 500 and page.failed.append(r.url))
    page.on("pageerror", lambda error: page.failed.append(str(error)))
    yield page
    page.close()


def shows_the_other(page: Page) -> None:
    expect(page.locator("#run-header")).to_contain_text("resnet20_v1")
    expect(page.locator("#run-header .lab-state")).to_have_text("finished")
    assert not page.failed and page.locator(".toast-body").count() == 0


def test_a_deleted_run_gives_way_to_the_next_and_the_last_to_the_empty_page(
    page: Page, app: App
) -> None:
    shutil.rmtree(app.runs / "going")
    shows_the_other(page)
    shutil.rmtree(app.runs / "kept")
    expect(page.locator("#run-header")).to_contain_text("Your runs appear here.")
    for button in ("#stop", "#resume", "#use"):
        expect(page.locator(button)).to_be_disabled()
    assert not page.failed


@contextmanager
def without_looks(page: Page) -> Iterator[None]:
    """The page does not look at the runs by itself meanwhile: what it asks unprompted waits."""
    unprompted: set[object] = set()
    asked: list[Request] = []
    answered: list[Request] = []
    waiting: list[Route] = []

    def note(request: Request) -> None:
        if ASKS.search(request.url):
            asked.append(request)
            unprompted.add(asked_for(request))

    page.on("request", note)
    for ended in ("requestfinished", "requestfailed"):
        page.on(ended, lambda request: ASKS.search(request.url) and answered.append(request))
    until(page, lambda: unprompted)
    page.wait_for_timeout(LOOKS_MS)
    looks = frozenset(unprompted)
    page.route(
        ASKS,
        lambda route: (
            waiting.append(route) if asked_for(route.request) in looks else route.continue_()
        ),
    )
    until(page, lambda: len(asked) - len(answered) <= len(waiting) > 0)  # earlier looks are over
    yield
    page.unroute_all()  # what waits goes on


def asked_for(request: Request) -> object:
    return (request.post_data_json or {}).get("fn_index")


def until(page: Page, holds: Callable[[], object]) -> None:
    while not holds():  # the test's own timeout ends it
        page.wait_for_timeout(QUIET_MS)


@pytest.mark.parametrize("button", ["#resume", "#use", "#delete-sure"])
def test_a_button_pressed_just_after_is_answered_in_a_sentence(
    page: Page, app: App, button: str
) -> None:
    if button == "#delete-sure":
        unfold(page, "#run-more")
        page.click("#delete")
    with without_looks(page):
        shutil.rmtree(app.runs / "going")
        page.click(button)
        expect(page.locator("body")).to_contain_text("There is no run at")
    shows_the_other(page)


def test_a_run_that_is_garbled_is_called_damaged_and_comes_back_mended(
    page: Page, app: App
) -> None:
    config = app.runs / "going" / "config.json"
    good = config.read_bytes()
    config.write_bytes(b"[1, \xff")
    expect(page.locator("#run-header .lab-state")).to_have_text("damaged")
    expect(page.locator("#run-header")).to_contain_text("can't be read")
    expect(page.locator("#resume")).to_be_disabled()
    config.write_bytes(good)
    expect(page.locator("#run-header .lab-state")).to_have_text("interrupted")
    with open(app.runs / "going" / "events.jsonl", "ab") as file:
        file.write(b'{"event": "step", "step": "\xff\n[]\n3\n{"event": "epoch"}\n')
    choose(page, "#run", re.compile("finished"))
    shows_the_other(page)
    choose(page, "#run", re.compile("seed 0.*interrupted"))
    expect(page.locator("#run-header")).to_contain_text("resnet56_v1")
    assert not page.failed
