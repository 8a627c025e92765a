"""What all of the kit's command lines share: how an error a person can mend ends a command."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable, Sequence

from resnet_core.errors import LabError, printable

MENDED = {
    errno.EEXIST: "something else lies there, choose another place",
    errno.EACCES: "check its permissions, or choose another folder",
    errno.EPERM: "check its permissions, or choose another folder",
    errno.EROFS: "choose a folder that can be written",
    errno.ENOSPC: "make room on its disk, then give the same command again",
    errno.EDQUOT: "make room on its disk, then give the same command again",
    errno.EFBIG: "make room on its disk, then give the same command again",
    errno.ENOTDIR: "a part of its path is a file, check it",
    errno.EISDIR: "it is a folder, name a file",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "check its disk",
}
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
    except OSError as error:
        if (said := _of_the_system(error)) is None:
            raise
        print(f"Error: {said}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _of_the_system(error: OSError) -> str | None:
    """What a person can mend outside of this program, as a sentence; None where it is a bug."""
    todo = MENDED.get(error.errno or 0)
    if todo is None:
        return None
    named = error.filename2 or error.filename  # of a move, the place that was asked for
    where = printable(str(named)) if named else "A file"
    return f"{where} can't be read or written ({error.strerror}): {todo}."
