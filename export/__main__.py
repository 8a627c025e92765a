"""`python -m export`: write ONNX files, prove them, classify pictures with them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from export.commands import add_commands
from resnet_core.console import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command("python -m export", __doc__, add_commands, arguments)


if __name__ == "__main__":
    sys.exit(main())
