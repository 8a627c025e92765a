"""A Ray cluster of two nodes with one core each, on this machine, as a person would start it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

# The machine's loopback network has room for two addresses that are nobody else's.
HEAD, SECOND = "127.0.0.2", "127.0.0.3"
START_LIMIT_SECONDS = 120


@dataclass(frozen=True)
class Node:
    """A node and all that it started, workers included: one process group."""

    process: subprocess.Popen

    def kill(self) -> None:
        """As if its machine lost power."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        self.kill()


@dataclass(frozen=True)
class RayCluster:
    address: str
    nodes: dict[str, Node]


@contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """Two nodes that answer to whoever knows the token, which this process does."""
    nodes: dict[str, Node] = {}
    # Not below pytest's folder: a socket's path has at most 107 characters.
    place = Path(tempfile.mkdtemp(prefix="ray-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        try:
            port, client_port = _free_ports()
            address = f"{HEAD}:{port}"
            nodes[HEAD] = _start(
                HEAD, place, "--head", f"--port={port}", "--include-dashboard=false",
                f"--ray-client-server-port={client_port}",
            )  # fmt: skip
            nodes[SECOND] = _start(SECOND, place, f"--address={address}")
            yield RayCluster(address, nodes)
        finally:
            for node in reversed(nodes.values()):
                node.end()
            shutil.rmtree(place, ignore_errors=True)


def _start(ip: str, place: Path, *words: str) -> Node:
    log = place / f"{ip}.log"
    program = [sys.executable, "-m", "ray.scripts.scripts", "start", *words]
    options = [
        f"--node-ip-address={ip}", "--num-cpus=1", "--num-gpus=0", "--include-log-monitor=false",
        "--object-store-memory=80000000", f"--temp-dir={place / ip}", "--block",
    ]  # fmt: skip
    with open(log, "wb") as output:
        process = subprocess.Popen(
            program + options, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    node, deadline = Node(process), time.monotonic() + START_LIMIT_SECONDS
    while "Ray runtime started" not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            node.end()
            pytest.fail(f"Ray did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.1)
    return node


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind((HEAD, 0))
        other.bind((HEAD, 0))
        return one.getsockname()[1], other.getsockname()[1]
