"""`python -m resnet_core`: train, resume, evaluate, and the table of models."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from resnet_core.commands import add_commands
from resnet_core.console import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command("python -m resnet_core", __doc__, add_commands, arguments)


if __name__ == "__main__":
    sys.exit(main())
