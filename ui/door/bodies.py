"""How much a request may bring, told before it is read and watched while it is."""

from __future__ import annotations

import shutil
from pathlib import Path

from gradio.utils import get_upload_folder
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from ui.door.rules import Refusal

MAX_FILE_MB = 500
"""One file; Gradio watches over it while it comes."""
MAX_UPLOAD_BYTES = 4 * 2**30
"""All files of one upload: a thousand photos."""
MAX_MESSAGE_BYTES = 32 * 2**20
"""Anything else, which is held in memory: a webcam's frame is the largest."""
KEPT_FREE_BYTES = 2**30
"""Uploads leave this much of the disk to running trainings."""
UPLOADS = ("/gradio_api/upload", "/gradio_api/upload/")


def limit_of(scope: Scope) -> int:
    """Bytes that the body of this request may have."""
    return MAX_UPLOAD_BYTES if scope["path"] in UPLOADS else MAX_MESSAGE_BYTES


def refuse_length(scope: Scope) -> Refusal | None:
    """Why a body of the length that is announced is not read; None where it is, or none is said."""
    said = Headers(scope=scope).get("content-length", "")
    length = int(said) if said.isdecimal() else 0
    if length > limit_of(scope):
        return _too_large(scope)
    is_upload = scope["path"] in UPLOADS and scope["method"] == "POST"
    return _refuse_for_disk(length) if is_upload else None


class Watched:
    """A request's body that ends as soon as more came than is allowed."""

    def __init__(self, scope: Scope, receive: Receive):
        self._scope = scope
        self._receive = receive
        self._come = 0
        headers = Headers(scope=scope)
        self.is_whole = "content-length" not in headers and "transfer-encoding" not in headers
        """Whether all of it has come."""
        self.refusal: Refusal | None = None
        """Why no more is read; None while all is well."""

    async def receive(self) -> Message:
        if self.refusal is None:
            message = await self._receive()
            self._come += len(message.get("body", b""))
            if self._come <= limit_of(self._scope):
                self.is_whole = not message.get("more_body", False)
                return message
            self.refusal = _too_large(self._scope)
        return {"type": "http.disconnect"}


def _too_large(scope: Scope) -> Refusal:
    most = limit_of(scope) // 2**20
    if scope["path"] in UPLOADS:
        return Refusal(413, f"At most {most:,} MB may be uploaded at once: send less at a time.")
    return Refusal(413, f"A request may have at most {most:,} MB: upload the file first.")


def _refuse_for_disk(length: int) -> Refusal | None:
    folder = Path(get_upload_folder())
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free - length < KEPT_FREE_BYTES:
        return Refusal(
            507,
            f"The disk has {free / 1e9:.1f} GB free, and uploads leave {KEPT_FREE_BYTES / 1e9:.1f} GB "
            "of it to trainings: make room, or send less.",
        )
    return None
