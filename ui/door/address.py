"""Where the app is to serve, looked at before anything starts."""

from __future__ import annotations

import socket

from resnet_core.errors import ConfigError

LAST_PORT = 65_535


def check_address(host: str, port: int | None) -> None:
    """Raises ConfigError where `host` is no address of this machine, or `port` none at all."""
    if port is not None and not 1 <= port <= LAST_PORT:
        raise ConfigError(f"--port should be 1 to {LAST_PORT}, not {port}.")
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host.strip("[]"), 0, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind) as probe:
            probe.bind(address)
    except (OSError, UnicodeError):
        raise ConfigError(
            f"'{host}' is no address of this machine: give --host 127.0.0.1 to serve it alone, or "
            "0.0.0.0 for all its addresses."
        ) from None
