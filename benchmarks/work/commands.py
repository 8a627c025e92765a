"""`python -m benchmarks depth-against-work`: layers, parameters and multiply-adds of nets for photos."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from resnet_core.console import Commands
from resnet_core.files import write_text


def add_work(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "layers, parameters and multiply-adds of nets for photos, beside AlexNet and VGG"
    parser = commands.add_parser("depth-against-work", help=text, description=text)
    parser.add_argument("--html", type=Path, help="write figure and table to this one page")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=_work)


def _work(options: argparse.Namespace) -> None:
    from benchmarks.work.nets import INPUT_SIZE, count_nets
    from benchmarks.work.papers import SOURCE
    from benchmarks.work.report import HOW, as_page, as_table, finding

    nets = count_nets()
    if options.html:
        write_text(options.html, as_page(nets))
    if options.json:
        stored = {
            "finding": finding(nets),
            "input_size": INPUT_SIZE,
            "paper": SOURCE,
            "nets": [net.to_dict() for net in nets],
        }
        print(json.dumps(stored, indent=2))
        return
    print(f"{finding(nets)}.\n\n{as_table(nets)}\n\n{HOW}")
