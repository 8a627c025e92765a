"""Which requests are refused by what their headers and their path say, and in which sentence."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

HOST_WORDS = (
    "This app answers only to localhost, 127.0.0.1 and [::1], so that a web page elsewhere can't "
    "reach it under another name: open it by one of those, or start it with --host and a password."
)
ORIGIN_WORDS = (
    "This request comes from another web page, and only the app's own pages may ask: "
    "open the app itself, or call it from a program."
)
FETCH_WORDS = "This app fetches nothing from other addresses: send the file itself."
LOGIN_WORDS = "The password is asked for first: open the app's start page and log in."
SOCKET_WORDS = "This app opens no websockets."
# Gradio would get these from other servers on the caller's behalf.
FETCHING = ("file=http:", "file=https:", "file/http:", "file/https:", "proxy=")
# Gradio's own look at itself while it starts.
STARTING = "/gradio_api/startup-events"
OWN_FETCHES = ("same-origin", "none")


@dataclass(frozen=True)
class Refusal:
    """The status and the sentence of the answer."""

    status: int
    words: str


def is_loopback(host: str) -> bool:
    """Whether an address or name to serve on is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse(scope: Scope, is_exposed: bool) -> Refusal | None:
    """Why a request is not let in; None where it is, as far as its headers tell.

    Args:
        is_exposed: served to other machines. Then the password keeps strangers out, and the names
            by which the machine is reached are not known: any Host is taken.
    """
    if scope["type"] == "websocket":
        return Refusal(403, SOCKET_WORDS)
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not (is_exposed or is_loopback(_name(hosts[0]))):
        return Refusal(403, HOST_WORDS)
    if not _is_own(headers, hosts[0], scope):
        return Refusal(403, ORIGIN_WORDS)
    path = unquote(scope["path"]).lower().removeprefix("/gradio_api")
    if path.lstrip("/").startswith(FETCHING):
        return Refusal(403, FETCH_WORDS)
    return None


def may_come_before_login(scope: Scope) -> bool:
    """Whether a request belongs to logging in; the start page is another one until then."""
    return (scope["method"], scope["path"]) in (("POST", "/login"), ("GET", STARTING))


def _name(host: str) -> str:
    """The host of `host:port`; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_own(headers: Headers, host: str, scope: Scope) -> bool:
    """Whether the app's own page asks, or a program, or a person who follows a link to the page.

    Browsers name the asking page in Origin, and its relation in Sec-Fetch-Site; programs send
    neither. An image or a script on another page has no Origin: only the second tells.
    """
    origins = headers.getlist("origin")
    if origins:
        return origins in ([f"http://{host}"], [f"https://{host}"])
    site = headers.get("sec-fetch-site", "none")
    is_link = (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
        and scope["method"] in ("GET", "HEAD")
        and scope["path"] == "/"
    )
    return site in OWN_FETCHES or is_link
