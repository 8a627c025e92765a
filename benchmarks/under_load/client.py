"""One client of the app, as any program in any language can be: plain HTTP, nothing of Gradio's."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from benchmarks.under_load.questions import Question

API = "/gradio_api"
PATIENCE_SECONDS = 120.0
"""Without a byte for this long, an answer counts as lost."""
TOLERANCE = 1e-3
RIGHT, WRONG, BUSY, ERROR, LOST = "right", "wrong", "busy", "error", "lost"


@dataclass(frozen=True)
class Outcome:
    """How a question ended."""

    kind: str
    """`RIGHT`; `WRONG`: another picture's answer; `BUSY`: refused with a sentence; `ERROR`; `LOST`."""
    milliseconds: float
    """From the first byte sent to the last of the answer."""
    said: str = ""


class Client:
    """Asks one question after the other."""

    def __init__(self, url: str, model: str):
        self._address = urlsplit(url).netloc
        self._model = model

    def ask(self, question: Question) -> Outcome:
        """Upload, ask, wait for the answer, and hold it against what is right."""
        began = perf_counter()
        kind, said = self._told(question)
        return Outcome(kind, 1000 * (perf_counter() - began), said)

    def _told(self, question: Question) -> tuple[str, str]:
        try:
            status, told = self.upload(question)
            if status != 200:
                return _refused(status, told)
            status, told = self.put(json.loads(told)[0], len(question.probabilities))
            if status != 200:
                return _refused(status, told)
            return self.answer(json.loads(told)["event_id"], question)
        except (OSError, http.client.HTTPException) as error:
            return LOST, f"{type(error).__name__}: {error}"

    def upload(self, question: Question) -> tuple[int, str]:
        head = f'Content-Disposition: form-data; name="files"; filename="{question.name}"'
        body = b"--edge\r\n%s\r\n\r\n%s\r\n--edge--\r\n" % (head.encode(), question.content)
        return self._request("POST", "/upload", body, "multipart/form-data; boundary=edge")

    def put(self, path: str, classes: int) -> tuple[int, str]:
        """Put the question into the app's queue; its answer holds the `event_id`."""
        picture = {"path": path, "meta": {"_type": "gradio.FileData"}}
        body = json.dumps({"data": [picture, self._model, classes, ""]}).encode()
        return self._request("POST", "/call/classify", body, "application/json")

    def answer(self, event_id: str, question: Question) -> tuple[str, str]:
        """Wait for the answer to what was put, and judge it."""
        status, told = self._request("GET", f"/call/classify/{event_id}")
        if status != 200:
            return _refused(status, told)
        for event in reversed(told.strip().split("\n\n")):
            name, _, data = event.partition("\ndata: ")
            if name == "event: complete":
                return _judge(json.loads(data)[0], question)
            if name == "event: error":
                return ERROR, data
        return LOST, f"The stream ended without an answer: {told[-200:]}"

    def _request(
        self, method: str, path: str, body: bytes | None = None, kind: str = ""
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self._address, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, API + path, body, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def _refused(status: int, told: str) -> tuple[str, str]:
    return (BUSY if status in (429, 503) else ERROR), f"{status}: {told}"


def _judge(said: dict[str, Any], question: Question) -> tuple[str, str]:
    found = {each["label"]: each["confidence"] for each in said["confidences"]}
    right = question.probabilities
    is_right = found.keys() == right.keys() and all(
        abs(found[name] - right[name]) <= TOLERANCE for name in right
    )
    return (RIGHT, "") if is_right else (WRONG, f"{question.name}: {said['label']}")
