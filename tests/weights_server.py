"""A server of files on this machine that answers well, or badly in a way a test chooses."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WeightsServer(ThreadingHTTPServer):
    """`how` is good, no ranges, cut, wrong, missing, hanging, nameless (no length), or
    stalling (after a third)."""

    daemon_threads = True

    def __init__(self, content: bytes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.how = content, "good"
        self.asked: list[str | None] = []
        """The ranges that were asked for, one a request."""
        self.let_go = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: WeightsServer

    def do_GET(self) -> None:
        how, content = self.server.how, self.server.content
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if how == "hanging":
            self.server.let_go.wait(60)
            return
        if how == "missing":
            self.send_error(404)
            return
        first = int(asked.split("=")[1].rstrip("-")) if asked and how != "no ranges" else 0
        if first >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if how != "nameless":
            self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        body = content[first:]
        if how == "wrong":
            body = bytes([body[0] ^ 1]) + body[1:]
        if how == "cut":
            body = body[: len(body) // 2]
        if how == "stalling":
            self.wfile.write(body[: len(body) // 3])
            self.server.let_go.wait(60)
            return
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(content: bytes) -> Iterator[WeightsServer]:
    server = WeightsServer(content)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.let_go.set()
        server.shutdown()
        server.server_close()


def sha256_start(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]
