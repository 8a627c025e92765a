"""An app that other machines reach: no way in without the password, and guessing takes long."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from benchmarks.app_speed import serving
from resnet_core.errors import ConfigError
from tests.ui.door.attacks import Answer, ask, post, upload
from tests.ui.door.test_attacks_by_pages import ROUTES
from tests.ui.live_app import PATIENCE_MS, words
from ui.door.logins import FREE_TRIES, LONGEST_WAIT_SECONDS, MOST_ADDRESSES, Tries, require_password
from ui.door.rules import is_loopback

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "correct horse battery"
OPEN = {"/", "/login", "/gradio_api/startup-events"}
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def url(tmp_path_factory, data_folder: Path) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("exposed")
    (folder / "password").write_text(PASSWORD + "\n")
    said = ["--host", "0.0.0.0", "--password-file", str(folder / "password")]
    command = words(folder / "runs", data_folder)
    with serving([*command[:-1], *said, "--port"]) as (url, _):
        yield url.rstrip("/")


def log_in(url: str, password: str, user: str = "lab") -> Answer:
    body = urlencode({"username": user, "password": password}).encode()
    return ask(url, "/login", "POST", body, **FORM)


def test_nothing_but_the_login_page_without_the_password(url: str) -> None:
    for method, path in ROUTES:
        if path not in OPEN:
            answer = ask(url, path, method, Cookie="access-token-x=y; access-token=z")
            assert answer.status == 401 and "password" in answer.sentence, path
    assert upload(url, "a.png", b"x").status == 401
    page = ask(url, "/").body.decode()
    assert "Password" in page and "gradio" not in page and "resnet20" not in page


def test_the_password_opens_and_its_cookie_goes_to_no_other_site(url: str) -> None:
    answer = log_in(url, PASSWORD)
    assert answer.status == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "none" not in cookie.lower()
    session = cookie.split(";")[0].replace("access-token-", "access-token-unsecure-")
    session = session.replace("unsecure-unsecure", "unsecure")
    assert ask(url, "/config", Cookie=session).status == 200
    assert "Classes to show" in ask(url, "/config", Cookie=session).body.decode()
    foreign = ask(url, "/config", Cookie=session, Origin="http://evil.example")
    assert foreign.status == 403
    kept = json.loads(upload(url, "a.png", b"x", Cookie=session).body)[0]
    assert ask(url, f"/gradio_api/file={kept}", Cookie=session).body == b"x"
    assert ask(url, f"/gradio_api/file={kept}").status == 401


def test_a_path_can_not_be_typed_where_others_reach_the_app(url: str) -> None:
    session = log_in(url, PASSWORD).headers["set-cookie"].split(";")[0]
    config = json.loads(ask(url, "/config", Cookie=session).body)
    path = next(
        part["id"] for part in config["components"] if part["props"].get("elem_id") == "own-path"
    )
    handler = next(each for each in config["dependencies"] if path in each["inputs"])
    data = [str(ROOT) if part == path else None for part in handler["inputs"]]
    body = {"data": data, "fn_index": handler["id"], "session_hash": "typed"}
    assert post(url, "/gradio_api/queue/join", body, Cookie=session).status == 200
    told = ask(url, "/gradio_api/queue/data?session_hash=typed", Cookie=session).body.decode()
    assert "reads no paths that are typed" in told


def test_a_person_logs_in(browser, url: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.get_by_label("Password").fill("not it, surely")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("That is not the password.").wait_for()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("tab", name="Train").wait_for()
    page.close()


def test_guessing_has_to_wait_and_the_sentence_says_how_long(url: str) -> None:
    log_in(url, PASSWORD)  # forgets the tries before
    statuses = [log_in(url, f"guess {number}").status for number in range(FREE_TRIES + 3)]
    assert statuses[:FREE_TRIES] == [400] * FREE_TRIES and set(statuses[FREE_TRIES:]) == {429}
    held = log_in(url, PASSWORD)
    assert held.status == 429 and "wait" in held.sentence


def test_waits_double_up_to_five_minutes_and_are_forgotten_after_success() -> None:
    time = [0.0]
    tries = Tries(lambda: time[0])
    assert all(tries.begin("a") is None for _ in range(FREE_TRIES))
    waits = []
    for _ in range(10):
        began = time[0]
        while tries.begin("a") is not None:
            time[0] += 1
        waits.append(time[0] - began)
    assert waits[:4] == [2, 4, 8, 16] and waits[-1] == LONGEST_WAIT_SECONDS
    assert tries.begin("b") is None  # others are not kept out
    tries.succeed("a")
    assert all(tries.begin("a") is None for _ in range(FREE_TRIES))
    for number in range(2 * MOST_ADDRESSES):
        tries.begin(f"10.0.{number}")
    assert len(tries._tries) <= MOST_ADDRESSES


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "", "myhost", "localhost.evil"])
def test_any_address_that_others_reach_demands_a_password(host: str, monkeypatch) -> None:
    monkeypatch.delenv("RESNET_LAB_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(ConfigError, match="needs a password"):
        require_password(host, None)
    monkeypatch.setenv("RESNET_LAB_PASSWORD", "short")
    with pytest.raises(ConfigError, match="at least 12"):
        require_password(host, None)
    monkeypatch.setenv("RESNET_LAB_PASSWORD", PASSWORD)
    assert require_password(host, None) == PASSWORD
    assert "RESNET_LAB_PASSWORD" not in os.environ  # trainings don't inherit it


def test_this_machine_alone_needs_none() -> None:
    assert all(
        is_loopback(host) for host in ("127.0.0.1", "127.0.0.2", "localhost", "::1", "[::1]")
    )
    assert require_password("127.0.0.1", None) is None


def test_the_command_says_so_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "app.py", "--no-browser", "--host", "0.0.0.0"], cwd=ROOT, text=True,
        capture_output=True, stdin=subprocess.DEVNULL, timeout=120,
        env={name: said for name, said in os.environ.items() if name != "RESNET_LAB_PASSWORD"},
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr.startswith("Error: Other machines reach the app")
    assert "Traceback" not in done.stderr
