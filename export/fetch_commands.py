"""`python -m export fetch`: which trained nets for photos there are, and fetching one of them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from export.fetch import (
    TIMEOUT_SECONDS,
    Fetched,
    Places,
    Working,
    default_url,
    default_weights_folder,
    fetch_command,
    fetch_model,
    is_fetched,
)
from resnet_core.console import Commands
from resnet_core.display import clock
from resnet_core.errors import ConfigError
from resnet_core.events import Event
from resnet_core.pretrained.download import Fetching
from resnet_core.pretrained.table import ACCURACY_SOURCE, LICENCE, WEIGHTS, Weights, find_weights
from resnet_core.training.config import default_runs_folder

LINES = 10
"""In a pipe, over the whole file."""


def add_fetch(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "fetch a net for photos, trained on ImageNet, and make a model of it"
    fetch = commands.add_parser("fetch", help=text, description=text)
    fetch.add_argument("net", nargs="?", help="such as resnet50; without it, the nets there are")
    fetch.add_argument("--version", choices=("v1", "v2"), help="of the weights (default: newest)")
    fetch.add_argument("--yes", action="store_true", help="fetch without asking")
    fetch.add_argument(
        "--weights-folder", type=Path, default=default_weights_folder(),
        help="where files of weights are kept, or were placed by hand (default: weights in the "
        "data folder)",
    )  # fmt: skip
    fetch.add_argument(
        "--runs", type=Path, default=default_runs_folder(),
        help="the model goes into its folder 'imported' (default: $RESNET_LAB_RUNS or ./runs)",
    )  # fmt: skip
    fetch.add_argument(
        "--url", default=default_url(),
        help="another server of the same files; hashes are checked all the same (default: "
        "%(default)s)",
    )  # fmt: skip
    fetch.add_argument(
        "--timeout", type=float, default=TIMEOUT_SECONDS,
        help="seconds to wait for an answer of the server (default: %(default)g)",
    )  # fmt: skip
    fetch.add_argument("--json", action="store_true", help="print lines of JSON")
    fetch.set_defaults(execute=_fetch)


def _fetch(options: argparse.Namespace) -> None:
    places = Places(options.weights_folder, options.runs, options.url, options.timeout)
    if options.net is None:
        _list(places, options.json)
        return
    weights = find_weights(options.net, options.version)
    is_here = is_fetched(weights, places.runs) or places.file(weights).exists()
    if not is_here and not options.yes and not _agrees(weights, places):
        print("Nothing was fetched.")
        return
    show = _as_json if options.json else _in_terminal if sys.stdout.isatty() else _in_lines
    show(fetch_model(weights, places))


def _agrees(weights: Weights, places: Places) -> bool:
    """Say what would be fetched, and ask.

    Raises:
        ConfigError: nobody is there to be asked.
    """
    if not sys.stdin.isatty():
        raise ConfigError(
            f"{weights.net} would be fetched from {_host(places)}, {megabytes(weights)}: say --yes "
            "to fetch it without being asked."
        )
    print("\n".join(describe(weights, places)))
    return input("Fetch it? [y/N] ").strip().lower() in ("y", "yes")


def describe(weights: Weights, places: Places) -> list[str]:
    """Size, source, accuracy and licence, a line each."""
    return [
        f"{weights.net}, weights {weights.version}: {megabytes(weights)} from {_host(places)}",
        f"  published error {100 - weights.top1_percent:.2f} % ({ACCURACY_SOURCE})",
        f"  licence: {LICENCE}",
        f"  kept as {places.file(weights)}",
    ]


def megabytes(weights: Weights) -> str:
    return f"{weights.size_bytes / 1e6:,.0f} MB"


def _host(places: Places) -> str:
    return urlsplit(places.url).netloc or places.url


def _list(places: Places, as_json: bool) -> None:
    if as_json:
        rows = [
            {"net": w.net, "version": w.version, "megabytes": round(w.size_bytes / 1e6, 1),
             "params": w.params, "published_error_percent": round(100 - w.top1_percent, 3),
             "model": w.model_name, "is_fetched": is_fetched(w, places.runs)}
            for w in WEIGHTS
        ]  # fmt: skip
        print(json.dumps(rows, indent=2))
        return
    print(f"{'net':18}{'weights':>8}{'layers':>8}{'parameters':>12}{'file':>9}{'error':>10}")
    for w in WEIGHTS:
        mark = f"   here as {w.model_name}" if is_fetched(w, places.runs) else ""
        print(
            f"{w.net:18}{w.version:>8}{w.depth:>8}{w.params / 1e6:>10.1f} M{megabytes(w):>9}"
            f"{100 - w.top1_percent:>8.2f} %{mark}"
        )
    print(f"The error is published ({ACCURACY_SOURCE}). Fetch one: {fetch_command(WEIGHTS[0])}")


def tell(event: Event) -> str:
    """One plain line, with units."""
    match event:
        case Fetching():
            left = "" if event.eta_seconds is None else f", {clock(event.eta_seconds)} left"
            return (
                f"{event.done_bytes / 1e6:,.1f} of {event.total_bytes / 1e6:,.1f} MB, "
                f"{event.bytes_per_second / 1e6:,.1f} MB/s{left}"
            )
        case Working():
            return event.step[:1].upper() + event.step[1:]
        case Fetched():
            return (
                f"{event.model}: {event.folder}, {event.proof}\n"
                f"Next: python -m export classify PICTURE --model {event.model}"
            )
    return event.kind


def _as_json(events: Iterable[Event]) -> None:
    for event in events:
        print(json.dumps(event.to_dict()), flush=True)


def _in_lines(events: Iterable[Event]) -> None:
    told = 0
    for event in events:
        if isinstance(event, Fetching):
            part = LINES * event.done_bytes // event.total_bytes
            if part == told:
                continue
            told = part
        print(tell(event), flush=True)


def _in_terminal(events: Iterable[Event]) -> None:
    for event in events:
        if isinstance(event, Fetching):
            print(f"\r{tell(event):<70}", end="", flush=True)
        else:
            print(f"\r{tell(event):<70}", flush=True)
