"""Results of `benchmarks load` as a file: what it holds, and what a reader wants of it. No engines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.load.scenarios import SERVER
from resnet_core.errors import ConfigError
from resnet_core.files import read_json

FORMAT = "resnet-lab-load-1"
LABEL = "Not an MLPerf result"
SETUP = ("model", "engine", "precision", "threads")
Row = dict[str, Any]


def read_load(path: Path) -> dict[str, Any]:
    """The results in a file, finished or not.

    Raises:
        ConfigError: there is no such file, or it holds something else.
    """
    try:
        held = read_json(path)
    except OSError:
        raise ConfigError(f"There is no file {path}: check the path.") from None
    except ValueError:
        held = None
    if not isinstance(held, dict) or held.get("format") != FORMAT:
        raise ConfigError(
            f"{path} holds no results of `benchmarks load`: choose a file that it wrote."
        )
    return held


def setup_of(row: Row) -> tuple[str, ...]:
    """Model, engine, precision and threads."""
    return tuple(str(row[key]) for key in SETUP)


def by_load(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    """Of each setup the server's rows that have figures, lowest load first."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row["scenario"] == SERVER and row["achieved_images_per_second"] is not None:
            found.setdefault(setup_of(row), []).append(row)
    return {who: sorted(of, key=offered) for who, of in found.items()}


def highest_loads(rows: Sequence[Row]) -> list[Row]:
    """Of each setup the row with the highest load at which the server met its bound."""
    met = ([row for row in of if row["valid"]] for of in by_load(rows).values())
    return [of[-1] for of in met if of]


def offered(row: Row) -> float:
    """Queries a second."""
    return float(row["offered_queries_per_second"])
