"""The door itself: an ASGI layer around all of Gradio's routes, its static files and its uploads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.door.bodies import Watched, refuse_length
from ui.door.logins import Tries
from ui.door.rules import LOGIN_WORDS, Refusal, may_come_before_login, refuse

LOGIN_PAGE = Path(__file__).with_name("login.html")  # Gradio's tells the names of models
MOST_AT_ONCE = 256
"""Requests that change or compute something and are not yet answered."""
BUSY_WORDS = (
    "The app is busy with as many requests as it takes at once: try again in a few seconds."
)
RETRY_SECONDS = 2
# Gradio needs inline scripts and `eval` (its HTML components). Handlers in attributes, which a name
# shown unescaped would need, run in no page of ours, and no page can send anything elsewhere by fetch, image or form.
POLICY = "; ".join(
    (
        "default-src 'self'", "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "script-src-attr 'none'", "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:", "media-src 'self' data: blob:", "font-src 'self' data:",
        "connect-src 'self' data: blob:", "worker-src 'self' blob:", "object-src 'none'",
        "base-uri 'self'", "form-action 'self'", "frame-ancestors 'none'",
    )
)  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Door:
    """Refuses what must not come in, in one sentence, before anything of it is read.

    Args:
        inside: Gradio, with its own layers.
        tokens: the sessions of those who have logged in; None where no password is asked for.
        cookies: the names of the cookies that may hold one.
    """

    def __init__(self, inside: ASGIApp, tokens: dict[str, str] | None, cookies: tuple[str, ...]):
        self._inside = inside
        self._tokens = tokens
        self._cookies = cookies
        self._tries = Tries()
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._inside(scope, receive, send)
            return
        refusal = self._refuse(scope)
        if refusal is not None and refusal.status == 401 and scope["path"] == "/":
            await HTMLResponse(LOGIN_PAGE.read_text("utf-8"), headers=HEADERS)(scope, receive, send)
        elif refusal is not None:
            await _answer(refusal, scope, receive, send)
        elif scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._pass(scope, receive, send)
        else:
            self._open += 1
            try:
                await self._pass(scope, receive, send)
            finally:
                self._open -= 1

    def _refuse(self, scope: Scope) -> Refusal | None:
        is_exposed = self._tokens is not None
        if refusal := refuse(scope, is_exposed):
            return refusal
        if is_exposed and not self._is_known(scope):
            if not may_come_before_login(scope):
                return Refusal(401, LOGIN_WORDS)
            if _is_login(scope) and (refusal := self._tries.begin(_address(scope))):
                return refusal
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and self._open >= MOST_AT_ONCE:
            return Refusal(503, BUSY_WORDS)
        return refuse_length(scope)

    def _is_known(self, scope: Scope) -> bool:
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(Headers(scope=scope).get("cookie", ""))
        except CookieError:
            return False
        tokens = self._tokens or {}
        return any(name in jar and jar[name].value in tokens for name in self._cookies)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = Watched(scope, receive)

        async def send_dressed(message: Message) -> None:
            if body.refusal is not None:
                return
            if message["type"] == "http.response.start":
                self._dress(scope, message)
                if not body.is_whole:  # it would be read to its end otherwise, and thrown away
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        try:
            await self._inside(scope, body.receive, send_dressed)
        except ClientDisconnect:  # what an upload that broke off becomes
            pass
        if body.refusal is not None:
            await _answer(body.refusal, scope, receive, send)

    def _dress(self, scope: Scope, message: Message) -> None:
        """Headers that cost nothing; a session's cookie goes to no other site."""
        headers = MutableHeaders(scope=message)
        headers.update(HEADERS)
        if _is_login(scope) and message["status"] == 200:
            self._tries.succeed(_address(scope))
        message["headers"] = [
            (name, _strict(value) if name == b"set-cookie" else value)
            for name, value in message["headers"]
        ]


def around(
    is_exposed: bool,
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A lifespan for Gradio's app that puts the door around all its layers before it serves.

    Layers added in the usual way would stand within Gradio's own, which answer some requests
    from other pages by themselves.
    """

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        cookies = tuple(f"access-token-{kind}{app.cookie_id}" for kind in ("", "unsecure-"))
        app.middleware_stack = Door(
            app.middleware_stack, app.tokens if is_exposed else None, cookies
        )
        yield

    return lifespan


def _is_login(scope: Scope) -> bool:
    return scope["method"] == "POST" and scope["path"] == "/login"


def _address(scope: Scope) -> str:
    return str(scope["client"][0]) if scope.get("client") else ""


def _strict(cookie: bytes) -> bytes:
    parts = [part.strip() for part in cookie.split(b";")]
    kept = [part for part in parts if not part.lower().startswith(b"samesite")]
    return b"; ".join([*kept, b"SameSite=Strict"])


async def _answer(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.words})
        return
    headers = dict(HEADERS) | {"Connection": "close"}
    if refusal.status in (429, 503):
        headers["Retry-After"] = str(RETRY_SECONDS)
    answer = JSONResponse({"detail": refusal.words}, refusal.status, headers)
    await answer(scope, receive, send)
