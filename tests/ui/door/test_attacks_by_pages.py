"""Other web pages in the same browser, and names that point here: nothing may get in."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.ui.door.attacks import Answer, ask, post, upload

GETS = (
    "/", "/config", "/theme.css", "/manifest.json", "/no/such", "/gradio_api/info",
    "/gradio_api/file=ui/classify/examples/ship.jpg", "/gradio_api/heartbeat/x", "/gradio_api/startup-events",
    "/gradio_api/queue/data?session_hash=x", "/gradio_api/queue/status", "/gradio_api/runs", "/logout",
)  # fmt: skip
POSTS = (
    "/login", "/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/run/predict", "/no/such",
    "/gradio_api/call/classify", "/gradio_api/cancel", "/gradio_api/reset",
    "/gradio_api/component_server",
)  # fmt: skip
ROUTES = [("GET", path) for path in GETS] + [("POST", path) for path in POSTS]


def assert_refused(answer: Answer, words: str) -> None:
    assert answer.status == 403 and words in answer.sentence
    assert answer.sentence.count(". ") == 0  # one sentence
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example",
                                  "192.168.0.7:{port}", "localhost.", "0.0.0.0", "", "[", "a@b:c"])  # fmt: skip
def test_a_foreign_name_is_refused_on_every_route(app_url: str, host: str) -> None:
    port = str(urlsplit(app_url).port)
    for method, path in [*ROUTES, ("OPTIONS", "/gradio_api/upload")]:
        answer = ask(app_url, path, method, Host=host.replace("{port}", port))
        assert_refused(answer, "answers only to localhost")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "file://",
                                    "http://127.0.0.1.evil.example", "http://127.0.0.1", "http://[", ""])  # fmt: skip
def test_another_page_is_refused_on_every_route(app_url: str, origin: str) -> None:
    for method, path in ROUTES:
        assert_refused(ask(app_url, path, method, Origin=origin), "another web page")


def test_a_preflight_from_elsewhere_is_refused(app_url: str) -> None:
    asked = {"Origin": "https://evil.example", "Access_Control_Request_Method": "POST"}
    assert_refused(ask(app_url, "/gradio_api/upload", "OPTIONS", **asked), "another web page")


def test_simple_requests_that_need_no_preflight_are_refused(app_url: str) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        said = {"Origin": "https://evil.example", "Content_Type": kind}
        answer = post(app_url, "/gradio_api/call/classify", {"data": [None]}, **said)
        assert_refused(answer, "another web page")
    assert_refused(upload(app_url, "a.png", b"x", Origin="null"), "another web page")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pictures_and_scripts_of_other_pages_get_nothing(app_url: str, site: str) -> None:
    # Neither has an Origin; another port of this machine is "the same site".
    for method, path in ROUTES:
        answer = ask(app_url, path, method, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors")
        assert_refused(answer, "another web page")


def test_a_link_leads_to_the_page_and_to_nothing_else(app_url: str) -> None:
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert ask(app_url, "/", **link, Sec_Fetch_Dest="document").status == 200
    assert_refused(ask(app_url, "/", **link, Sec_Fetch_Dest="iframe"), "another web page")
    for path in GETS[1:]:
        answer = ask(app_url, path, **link, Sec_Fetch_Dest="document")
        assert_refused(answer, "another web page")


def test_websockets_are_refused(app_url: str) -> None:
    answer = ask(
        app_url, "/gradio_api/queue/join", Connection="Upgrade", Upgrade="websocket",
        Sec_WebSocket_Version="13", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
    )  # fmt: skip
    assert answer.status in (403, 404, 405)


def test_the_own_page_and_programs_come_in(app_url: str) -> None:
    port = urlsplit(app_url).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        own = {"Host": host, "Origin": f"http://{host}", "Sec_Fetch_Site": "same-origin"}
        assert ask(app_url, "/config", **own).status == 200
    assert ask(app_url, "/config").status == 200


def test_nothing_changes_by_get(app_url: str) -> None:
    for path in POSTS:
        assert ask(app_url, path).status in (404, 405)


def test_every_answer_carries_the_headers_that_cost_nothing(app_url: str) -> None:
    for answer in (ask(app_url, "/"), ask(app_url, "/no/such"), ask(app_url, "/", Host="evil")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy and "script-src-attr 'none'" in policy
