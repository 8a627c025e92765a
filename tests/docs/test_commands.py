"""Every command that a page shows is one that the programs take."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

import benchmarks.commands
import export.commands
import resnet_core.commands
from tests.docs.test_links import PAGES

PROGRAMS = {
    "resnet_core": resnet_core.commands.add_commands,
    "export": export.commands.add_commands,
    "benchmarks": benchmarks.commands.add_commands,
}
SHOWN = re.compile(r"-m (resnet_core|export|benchmarks)(?: --)? ([a-z][^`#\n]*)")
NUMBERS = {"NUMBER": "60", "KIND": "mix"}  # what stands for a value that is not free text


def shown_commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for program, words in SHOWN.findall(page.read_text(encoding="utf-8")):
            yield program, words.strip()


@pytest.mark.parametrize(("program", "words"), sorted(set(shown_commands())))
def test_a_command_on_a_page_is_one_that_is_taken(program: str, words: str) -> None:
    parser = argparse.ArgumentParser()
    PROGRAMS[program](parser.add_subparsers(required=True))
    parser.parse_args([NUMBERS.get(word, word) for word in shlex.split(words)])


def test_a_command_that_is_not_taken_is_seen() -> None:
    with pytest.raises(SystemExit):
        test_a_command_on_a_page_is_one_that_is_taken("export", "onnx RUN --no-such-option")
