"""An app of a test's own, and the ways a person works its pages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from resnet_core.runs.folder import RunFolder, list_runs

PATIENCE_MS = 240_000
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
CHROMIUMS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
MOUNTING_MS = 300
"""What is typed into a field in the very moment in which Gradio mounts it is overwritten."""


@dataclass(frozen=True)
class App:
    """Its runs are nobody else's."""

    url: str
    runs: Path

    @property
    def newest(self) -> RunFolder:
        return list_runs(self.runs)[0]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's, or else Playwright's own."""
    path = next((path for path in CHROMIUMS if Path(path).exists()), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


def words(runs: Path, data: Path, engine: str = "onnxruntime-cpu") -> list[str]:
    """The app's command; with an engine named, it measures none in the background."""
    chosen = ["--engine", engine] if engine else []
    folders = ["--runs", str(runs), "--data", str(data)]
    return [sys.executable, "app.py", "--no-browser", *folders, *chosen, "--port"]


def end_runs(runs: Path) -> None:
    for folder in list_runs(runs):
        folder.queued_file.unlink(missing_ok=True)
    subprocess.run(["pkill", "-KILL", "-f", str(runs)], check=False)


def open_tab(browser, url: str, tab: str, **options: object) -> Page:
    page = browser.new_page(**{"viewport": {"width": 1440, "height": 900}, **options})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.get_by_role("tab", name=tab).click()
    return page


def unfold(page: Page, accordion: str) -> None:
    """Open what is folded, and let its fields come."""
    page.locator(f"{accordion} button").first.click()
    page.wait_for_timeout(MOUNTING_MS)


def choose(page: Page, box: str, option: str) -> None:
    page.click(f"{box} input")
    page.get_by_role("option", name=option, exact=True).click()


def fill(page: Page, box: str, value: object) -> None:
    page.fill(f"{box} input", str(value))
    page.keyboard.press("Tab")
