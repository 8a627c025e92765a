"""What all of the kit's command lines share: how an error a person can mend ends a command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from resnet_core.errors import LabError

Commands = argparse._SubParsersAction  # argparse has no public name for it


def run_command(
    program: str,
    description: str | None,
    add_commands: Callable[[Commands[argparse.ArgumentParser]], None],
    arguments: Sequence[str] | None,
) -> int:
    """Parse, run the chosen command's `execute`, and return the exit status.

    A `LabError` is one line on standard error and status 2; a traceback is for bugs.
    """
    parser = argparse.ArgumentParser(prog=program, description=description)
    add_commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    options = parser.parse_args(arguments)
    try:
        return int(options.execute(options) or 0)
    except LabError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our lines has had enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
