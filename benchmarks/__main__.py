"""`python -m benchmarks`: experiments that compare nets, engines, machines, and the app itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.commands import add_commands
from resnet_core.console import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark."""
    return run_command("python -m benchmarks", __doc__, add_commands, arguments)


if __name__ == "__main__":
    sys.exit(main())
