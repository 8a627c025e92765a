"""`python -m resnet_core`: train, resume, evaluate, and the table of models."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from resnet_core.errors import LabError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error a person can mend is one line, and exit status 2."""
    # Imported here, so that `python -m resnet_core --help` in a broken install still says why.
    from resnet_core.commands import add_commands

    parser = argparse.ArgumentParser(prog="python -m resnet_core", description=__doc__)
    add_commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    options = parser.parse_args(arguments)
    try:
        return int(options.execute(options) or 0)
    except LabError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted: continue with `python -m resnet_core resume RUN`.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
