"""How events travel: what Gradio can only do through its queue is never sent past it."""

from __future__ import annotations

import inspect

import pytest

from ui.layout import build_app


@pytest.fixture(scope="module")
def at_once() -> list:
    """The functions of all events that are answered in the request itself."""
    return [event.fn for event in build_app().fns.values() if event.fn and not event.queue]


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
