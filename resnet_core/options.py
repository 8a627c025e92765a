"""Dataclasses as command-line options: a field's docstring is its help, its default the default.

One list of fields serves the command line, the app's labels and the stored config.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import textwrap
from collections.abc import Iterable
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, get_type_hints


@cache
def field_docs(cls: type) -> dict[str, str]:
    """The docstring under each attribute of a class, by attribute name."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            docs[statement.target.id] = " ".join(str(following.value.value).split())
    return docs


def add_options(
    parser: argparse.ArgumentParser,
    cls: type,
    only: Iterable[str] | None = None,
    unset: bool = False,
) -> None:
    """Add one `--option` for each field of the dataclass `cls` (or for those in `only`).

    Args:
        unset: leave options that are not given out of the namespace's meaning (None), so that
            a caller can tell "not said" from "said the default".
    """
    types = get_type_hints(cls)
    chosen = set(only) if only is not None else {field.name for field in fields(cls)}
    for field in fields(cls):
        if field.name not in chosen:
            continue
        default = None if unset or field.default is MISSING else field.default
        shown = "" if default is None else f" (default: {default})"
        kind: dict[str, Any] = {
            "type": _parser_of(types[field.name]),
            "metavar": field.name.upper(),
        }
        if types[field.name] is bool:  # --name and --no-name
            kind, shown = {"action": argparse.BooleanOptionalAction}, ""
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            dest=field.name,
            default=default,
            help=(field_docs(cls).get(field.name, "") + shown).replace("%", "%%"),
            **kind,
        )


def given(namespace: argparse.Namespace, cls: type) -> dict[str, Any]:
    """The fields of `cls` that were given on the command line."""
    values = vars(namespace)
    return {f.name: values[f.name] for f in fields(cls) if values.get(f.name) is not None}


def _parser_of(kind: Any) -> Any:
    if kind == tuple[float, ...]:
        return _parse_numbers
    # Optional[X] and X | None take what X takes.
    choices = [k for k in getattr(kind, "__args__", (kind,)) if k is not type(None)]
    return choices[0]


def _parse_numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected numbers with commas between, found '{text}'"
        ) from None


def as_words(name: str, value: Any) -> list[str]:
    """A field and its value as the command line takes them: `given`, the other way round."""
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    text = ",".join(map(as_word, value)) if isinstance(value, tuple) else str(value)
    # What begins with a dash and is no plain number, such as -1e-05, argparse takes for an option.
    return [f"--{option}={text}"] if text.startswith("-") else [f"--{option}", text]


def as_word(number: float) -> str:
    """A number as a word that is read back as the very same, and 30.0 as 30."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)
