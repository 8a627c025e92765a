"""What the door does when there is no more room: too many requests at once, a disk nearly full."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ui.door import bodies, guard

UPLOAD = bodies.UPLOADS[0]
ROOM = shutil.disk_usage("/")


def finish(work: Coroutine[Any, Any, None]) -> None:
    """In a thread of its own: in this one the browser's loop may run."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


class Caller:
    """Asks the door as a server would, and keeps what it answers."""

    def __init__(self, door: guard.Door):
        self._door = door

    async def ask(self, method: str, path: str, length: int = 2) -> tuple[int, dict[str, Any]]:
        scope = {
            "type": "http", "method": method, "path": path, "query_string": b"", "scheme": "http",
            "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 7860),
            "headers": [(b"host", b"127.0.0.1:7860"), (b"content-length", str(length).encode())],
        }  # fmt: skip
        said: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        await self._door(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in said[1:])
        return said[0]["status"], json.loads(body)


class Slow:
    """What stands behind the door: it answers a POST only when it is let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.came = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.came += 1
        if scope["method"] == "POST":
            await self.let_go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


def test_one_request_more_than_it_takes_is_told_so_and_pages_still_come() -> None:
    async def flood() -> None:
        inside = Slow()
        caller = Caller(guard.Door(inside, None, ()))
        asked = [
            asyncio.create_task(caller.ask("POST", "/gradio_api/call/classify"))
            for _ in range(guard.MOST_AT_ONCE)
        ]
        while inside.came < guard.MOST_AT_ONCE:
            await asyncio.sleep(0)
        status, said = await caller.ask("POST", "/gradio_api/call/classify")
        assert (status, said["detail"]) == (503, guard.BUSY_WORDS)
        assert (await caller.ask("GET", "/config"))[0] == 200
        inside.let_go.set()
        assert {status for status, _ in await asyncio.gather(*asked)} == {200}
        assert (await caller.ask("POST", "/gradio_api/call/classify"))[0] == 200

    finish(flood())


@pytest.mark.parametrize(
    ("free_bytes", "status"), [(bodies.KEPT_FREE_BYTES + 99, 507), (2**40, 200)]
)
def test_an_upload_leaves_room_for_trainings(
    free_bytes: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: ROOM._replace(free=free_bytes))

    async def send_one() -> None:
        inside = Slow()
        inside.let_go.set()
        caller = Caller(guard.Door(inside, None, ()))
        found, said = await caller.ask("POST", UPLOAD, length=100)
        assert found == status
        assert inside.came == (status == 200)
        if status == 507:
            assert "The disk has 1.1 GB free" in said["detail"] and "make room" in said["detail"]
        assert (await caller.ask("POST", "/gradio_api/call/classify", length=100))[0] == 200

    finish(send_one())
