"""The password of an app that other machines reach: where it comes from, and how often it is tried."""

from __future__ import annotations

import getpass
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from resnet_core.errors import ConfigError
from ui.door.rules import Refusal, is_loopback

USER = "lab"
VARIABLE = "RESNET_LAB_PASSWORD"
LEAST_CHARACTERS = 12
FREE_TRIES = 5
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 300.0
MOST_ADDRESSES = 4096
EXPOSED = (
    "Other machines can reach this app on {host}. Whoever reaches it and has the password "
    "(programs: as user {user}) can classify, see the runs and take models along, start trainings and "
    "measurements, delete runs, and fill the disk. Nothing on the way is encrypted: in a network "
    "you don't trust, keep to 127.0.0.1 and use `ssh -L`."
)


def require_password(host: str, file: Path | None) -> str | None:
    """The password for serving on `host`; None for this machine alone, which needs none.

    It comes from the file, from $RESNET_LAB_PASSWORD, or is asked for: never from the command
    line, which every process of the machine can read.

    Raises:
        ConfigError: there is none, or it is too short to keep anyone out.
    """
    variable = os.environ.pop(VARIABLE, "")  # trainings that the app starts need not know it
    if is_loopback(host):
        return None
    password = _read(file) if file is not None else variable
    if not password and sys.stdin.isatty():
        password = getpass.getpass(
            f"Password for {host} (at least {LEAST_CHARACTERS} characters): "
        )
    if len(password) < LEAST_CHARACTERS:
        raise ConfigError(
            f"Other machines reach the app on {host}, so it needs a password of at least "
            f"{LEAST_CHARACTERS} characters: give it in ${VARIABLE} or with --password-file FILE, "
            "or leave --host away to serve this machine alone."
        )
    return password


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The password file {file} can't be read ({error}): check its path and permissions."
        ) from None


def checking(password: str) -> Callable[[str, str], bool]:
    """What Gradio asks at a login; takes as long for a wrong password as for the right one."""

    def is_right(user: str, said: str) -> bool:
        right_user = secrets.compare_digest(user.encode(), USER.encode())
        return secrets.compare_digest(said.encode(), password.encode()) and right_user

    return is_right


class Tries:
    """How often each address tried to log in: after a few tries it waits, each time twice as long."""

    def __init__(self, now: Callable[[], float] = monotonic):
        self._now = now
        self._tries: dict[str, tuple[int, float]] = {}

    def begin(self, address: str) -> Refusal | None:
        """Count a try before it is judged, so that many at once gain nothing."""
        count, next_at = self._tries.pop(address, (0, 0.0))
        now = self._now()
        if now < next_at:
            self._tries[address] = (count, next_at)
            wait = f"{next_at - now:.0f}" if next_at - now >= 1 else "1"
            return Refusal(
                429,
                f"Too many passwords were tried from here: wait {wait} seconds, then try again.",
            )
        doubled = FIRST_WAIT_SECONDS * 2.0 ** min(count + 1 - FREE_TRIES, 30)
        wait_seconds = 0.0 if count + 1 < FREE_TRIES else min(doubled, LONGEST_WAIT_SECONDS)
        self._tries[address] = (count + 1, now + wait_seconds)
        while len(self._tries) > MOST_ADDRESSES:  # the oldest are forgotten
            del self._tries[next(iter(self._tries))]
        return None

    def succeed(self, address: str) -> None:
        self._tries.pop(address, None)
