"""How events travel: what Gradio can only do through its queue is never sent past it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator

import gradio as gr
import pytest
from playwright.sync_api import expect

from ui.events import AT_ONCE, settled
from ui.layout import build_app


@pytest.fixture(scope="module")
def events() -> Iterator[list]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "GRADIO_TEMP_DIR", ""
        )  # an app chooses one, which the next tests are not to get
        yield list(build_app().fns.values())


@pytest.fixture(scope="module")
def at_once(events) -> list:
    """The functions of all events that are answered in the request itself."""
    return [event.fn for event in events if event.fn and not event.queue]


def test_timers_are_started_and_stopped_by_the_page_alone(events) -> None:
    """An answer of the server to the tab before could arrive after that to the tab in sight."""
    turned = [event for event in events if any(isinstance(o, gr.Timer) for o in event.outputs)]
    assert len(turned) == 5 + 2, "one for each tab, and for the fold of what bounds the speed"
    assert not [event for event in turned if event.fn or not event.js]


def test_what_yields_goes_through_the_queue(at_once) -> None:
    """Past the queue only the first answer of a generator arrives, and the rest never runs."""
    assert at_once
    assert not [
        function.__qualname__ for function in at_once if inspect.isgeneratorfunction(function)
    ]


def test_what_warns_goes_through_the_queue(at_once) -> None:
    """A warning reaches the page through the queue's stream alone."""
    names = [
        (function.__qualname__, inspect.unwrap(function).__code__.co_names) for function in at_once
    ]
    assert not [name for name, used in names if "Warning" in used]


def test_a_burst_of_changes_arrives_once_and_as_it_ended(browser) -> None:
    """Twenty fields filled in at once, over and over: what is answered is the last, never an older one."""
    heard: list[tuple] = []

    def hear(*sent: object) -> str:
        heard.append(sent)
        time.sleep(0.05 * (len(heard) % 2))  # an older answer may well be the slower one
        return ",".join(str(value) for value in sent)

    with gr.Blocks() as demo:
        fields = [gr.Number(0, precision=0) for _ in range(20)]
        said = gr.HTML(elem_id="said")
        counter = gr.State(0)
        button = gr.Button("Fill in", elem_id="fill")
        button.click(lambda n: [n + 1] * 21, counter, [counter, *fields], **AT_ONCE)
        gr.on([field.change for field in fields], hear, fields, said, **settled("test"))
    _, url, _ = demo.launch(prevent_thread_lock=True, server_name="127.0.0.1", quiet=True)
    try:
        page = browser.new_page()
        page.goto(url)
        for turn in range(1, 4):
            page.click("#fill")
            expect(page.locator("#said")).to_contain_text(",".join([str(turn)] * 20))
            page.wait_for_timeout(500)
            assert set(page.inner_text("#said").split(",")) == {str(turn)}
        page.close()
    finally:
        demo.close()
    assert len(heard) <= 3 * 3  # sixty changes: a few that were on their way may still leave
