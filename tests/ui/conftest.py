from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.app_speed import app_words, served
from tests.ui.live_app import PATIENCE_MS, chromium


@pytest.fixture(scope="session")
def app_url() -> Iterator[str]:
    """The real app, served by the real command, answering by one engine: nothing is measured."""
    *command, port = app_words()
    with served([*command, "--engine", "onnxruntime-cpu", port]) as url:
        yield url


@pytest.fixture(scope="session")
def browser():
    """The system's Chromium; without one Playwright's own, so the tests never pass unrun."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser, app_url: str):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(app_url)
    page.wait_for_selector("#picture input[type=file]", state="attached")
    yield page
    page.close()
