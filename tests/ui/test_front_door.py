from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def start(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "app.py", *words], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_help_names_every_option() -> None:
    text = start("--help").stdout
    assert all(
        option in text
        for option in ("--host", "--port", "--data", "--runs", "--engine", "--no-browser")
    )


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = start("--no-browser", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert (
        done.stderr.startswith("Error: ")
        and "--port" in done.stderr
        and "Traceback" not in done.stderr
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "99999"], "--port should be 1 to 65535, not 99999."),
        (["--host", "192.0.2.1"], "'192.0.2.1' is no address of this machine"),
        (["--runs", "README.md"], "choose another folder with --runs."),
        (["--data", "README.md"], "README.md is a file: choose a folder with --data."),
    ],
)
@pytest.mark.parametrize("uploads", [None, "elsewhere"])
def test_a_wrong_place_is_one_clear_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
    uploads: str | None,
) -> None:
    """Also where uploads are kept elsewhere, so that the folder of runs is not needed for them."""
    if uploads:
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / uploads))
    else:
        monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    done = start("--no-browser", *words)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ") and said in line
