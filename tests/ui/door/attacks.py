"""How an attacker asks: any headers, any body, no browser that would forbid it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

WAIT_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def sentence(self) -> str:
        """What a refusal says."""
        said = json.loads(self.body)["detail"]
        assert isinstance(said, str) and "Traceback" not in said
        return said


def ask(
    url: str, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> Answer:
    """One request; `Sec_Fetch_Site="none"` sends that header."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=WAIT_SECONDS)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        return _answer(connection)
    finally:
        connection.close()


def pour(url: str, path: str, pieces: Iterable[bytes], **headers: str) -> tuple[Answer, int]:
    """Send a body of unsaid length until the server has had enough; its answer, and the bytes sent."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=WAIT_SECONDS)
    connection.putrequest("POST", path)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    sent = 0
    try:
        for piece in pieces:
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            sent += len(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass
    try:
        return _answer(connection), sent
    finally:
        connection.close()


def call(url: str, data: list[Any], api_name: str = "classify") -> tuple[str, Any]:
    """A call of the API by hand: how it ended, `complete` or `error`, and with what."""
    asked = post(url, f"/gradio_api/call/{api_name}", {"data": data})
    assert asked.status == 200, asked.body
    event_id = json.loads(asked.body)["event_id"]
    told = ask(url, f"/gradio_api/call/{api_name}/{event_id}").body.decode()
    event, said = told.strip().rsplit("event: ", 1)[1].split("\ndata: ", 1)
    return event, json.loads(said)


def post(url: str, path: str, value: Any, **headers: str) -> Answer:
    said = {"Content_Type": "application/json"} | headers
    return ask(url, path, "POST", json.dumps(value).encode(), **said)


def upload(url: str, name: str, content: bytes, **headers: str) -> Answer:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n%s\r\n--x--\r\n" % (name.encode(), content)
    )
    said = {"Content_Type": "multipart/form-data; boundary=x"} | headers
    return ask(url, "/gradio_api/upload", "POST", body, **said)


def _answer(connection: http.client.HTTPConnection) -> Answer:
    with connection.getresponse() as answer:
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
