"""Results of an analysis as lines of JSON: one that says what was asked, one a row, one at the end.

Written while the analysis works; read while it does. A torn last line is what a kill leaves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet_core.errors import ConfigError
from resnet_core.files import write_text

DIGITS = 6  # as precise as anything here is measured; the files ship


@dataclass(frozen=True)
class Stored:
    """What a file of results holds so far."""

    header: dict[str, Any]
    rows: tuple[dict[str, Any], ...]
    is_finished: bool

    @property
    def models(self) -> list[dict[str, Any]]:
        """Name, family, depth and source of each net, in the order asked."""
        return list(self.header["models"])


def read_stored(path: Path) -> Stored | None:
    """The results in a file; None where there is none, or nothing whole in it yet.

    Raises:
        ConfigError: the file holds something else.
    """
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return None
    events = [event for line in text.split("\n")[:-1] if (event := _parsed(line))]
    if not events:
        return None
    if events[0].get("event") != "started" or "analysis" not in events[0]:
        raise ConfigError(
            f"{path} holds no results of `benchmarks why`: choose another --out file."
        )
    ends = [event for event in events if event.get("event") == "finished"]
    rows = tuple(e for e in events[1:] if e.get("event") not in ("started", "finished", None))
    return Stored(events[0], rows, bool(ends))


def resume_or_begin(path: Path, header: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Ready the file for more rows and give those it holds that answer the very same question.

    Same settings, same weights, same images: else the file begins anew.

    Raises:
        ConfigError: the file holds something else.
    """
    stored = read_stored(path)
    rows = stored.rows if stored and _asks(stored.header) == _asks(header) else ()
    if stored and rows:
        header = stored.header
    # Written as a whole, which also drops a torn line and an old end.
    write_text(path, "".join(as_line(event) for event in (header, *rows)))
    return rows


def append(path: Path, event: dict[str, Any]) -> None:
    with open(path, "a", encoding="utf-8", newline="\n") as file:
        file.write(as_line(event))


def as_line(event: dict[str, Any]) -> str:
    """One line of JSON, numbers rounded to what was measured."""
    return json.dumps(_rounded(event), ensure_ascii=False, allow_nan=False) + "\n"


def recorded(path: Path | None, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Pass rows on, each written down before."""
    for row in rows:
        if path is not None:
            append(path, row)
        yield row
    end = {"event": "finished"}
    if path is not None:
        append(path, end)
    yield end


def _asks(header: dict[str, Any]) -> Any:
    models = [(model["name"], model.get("weights")) for model in header["models"]]
    # Through JSON, as the stored one went: tuples are lists there.
    facts = [header["settings"], models, header["images"], header["split"]]
    return json.loads(json.dumps(facts))


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.{DIGITS}g}")
        case dict():
            return {key: _rounded(part) for key, part in value.items()}
        case list() | tuple():
            return [_rounded(part) for part in value]
    return value
