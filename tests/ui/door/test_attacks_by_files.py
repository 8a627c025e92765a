"""Files that an attacker names, and files that an attacker sends."""

from __future__ import annotations

import gzip
import http.server
import io
import json
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from benchmarks.app_speed import serving
from benchmarks.folder.memory import resident_mb
from tests.ui.door.attacks import Answer, ask, call, post, pour, upload
from tests.ui.live_app import words

ROOT = Path(__file__).resolve().parents[3]
SECRET = "the words of a file that nobody was given"
MB = 2**20
MOST_GROWTH_MB = 150


@pytest.fixture(scope="module")
def app(tmp_path_factory, data_folder: Path) -> Iterator[tuple[str, int]]:
    """Its address and its process."""
    runs = tmp_path_factory.mktemp("runs")
    with serving(words(runs, data_folder)) as (url, process):
        yield url.rstrip("/"), process.pid


@pytest.fixture(scope="module")
def url(app: tuple[str, int]) -> str:
    return app[0]


@pytest.fixture(scope="module")
def secret(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    path.write_text(SECRET)
    return path


def file_data(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


def png(width: int, height: int) -> bytes:
    """A black picture of a few kB, however many pixels it claims."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    row = zlib.compress(bytes(min(width * height, MB)))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b"")


def assert_lives(url: str) -> None:
    sent = upload(url, "ship.jpg", (ROOT / "ui/classify/examples/ship.jpg").read_bytes())
    event, said = call(url, [file_data(json.loads(sent.body)[0]), "resnet20_v1", 1, ""])
    assert event == "complete" and said[0]["label"] == "ship"


@pytest.mark.parametrize("path", ["{secret}", "{root}/README.md", "../../../../../../../..{secret}",
                                  "ui/classify/examples/../../../README.md", "ui/classify/examples/..%2f..%2f..%2fREADME.md", "{uploads}/../../elsewhere0/secret.txt",
                                  "//{secret}", "file://{secret}", "{root}/ui/classify/examples/../../layout.py", "/proc/self/environ", "C:\\Windows\\win.ini",
                                  "\\\\host\\share\\a.png", "%2e%2e/%2e%2e/README.md", "ui/layout.py%00.png"])  # fmt: skip
def test_no_path_leads_out_of_what_was_uploaded(url: str, secret: Path, path: str) -> None:
    uploads = json.loads(upload(url, "a.png", b"x").body)[0].rsplit("/", 2)[0]
    named = path.format(secret=secret, root=ROOT, uploads=uploads)
    for route in ("/gradio_api/file=", "/gradio_api/file/", "/static/", "/assets/", "/svelte/"):
        answer = ask(url, f"{route}{named}")
        assert answer.status in (400, 403, 404) and SECRET.encode() not in answer.body
    event, said = call(url, [file_data(named), "resnet20_v1", 1, ""])
    assert event == "error" and SECRET not in json.dumps(said)
    assert "Traceback" not in json.dumps(said)


@pytest.mark.parametrize("name", ["../../../../evil.png", "..\\..\\evil.png", "/etc/evil.png", "a/../../evil.png"])  # fmt: skip
def test_the_name_of_an_upload_is_no_path(url: str, name: str) -> None:
    first = json.loads(upload(url, "a.png", b"here").body)[0]
    kept = json.loads(upload(url, name, b"content").body)[0]
    assert Path(kept).resolve().parents[1] == Path(first).resolve().parents[1]
    assert not list(Path(first).parents[2].glob("evil*"))


@pytest.mark.parametrize("model", ["../../zoo/plain20", "/etc/passwd", "..", "", None, "zoo/plain20/model.onnx",
                                   "--json", ["plain20"], {"path": "/etc/passwd"}])  # fmt: skip
def test_a_model_is_a_name_and_nothing_else(url: str, model: Any) -> None:
    sent = json.loads(
        upload(url, "s.jpg", (ROOT / "ui/classify/examples/ship.jpg").read_bytes()).body
    )[0]
    event, said = call(url, [file_data(sent), model, 1, ""])
    assert event == "error" and "Traceback" not in json.dumps(said)


class Asked(http.server.BaseHTTPRequestHandler):
    """A server of this machine that the app must not be made to ask."""

    paths: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(302)
        self.send_header("Location", "http://127.0.0.1:1/private")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_the_app_asks_no_other_address(url: str, elsewhere: str) -> None:
    port = elsewhere.rsplit(":", 1)[1]
    addresses = [elsewhere, f"http://localhost:{port}", f"http://0.0.0.0:{port}", f"http://[::1]:{port}",
                 f"http://2130706433:{port}", f"http://127.1:{port}", f"HTTP://127.0.0.1:{port}",
                 "http://169.254.169.254", "https://example.com"]  # fmt: skip
    for address in addresses:
        picture = f"{address}/a.png"
        for data in (file_data(picture), file_data(picture, url=picture), {"path": None, "url": picture,
                     "meta": {"_type": "gradio.FileData"}}):  # fmt: skip
            event, said = call(url, [data, "resnet20_v1", 1, ""])
            assert event == "error" and "Traceback" not in json.dumps(said)
        for route in ("file=", "file/", "proxy="):
            assert ask(url, f"/gradio_api/{route}{picture}").status in (400, 403, 404)
    assert Asked.paths == []


def test_an_address_in_place_of_a_picture_is_one_sentence(url: str) -> None:
    event, said = call(url, [file_data("https://example.com/a.png"), "resnet20_v1", 1, ""])
    assert event == "error" and "fetches nothing" in said["error"]


def zeros() -> Iterator[bytes]:
    for _ in range(700):
        yield bytes(MB)


def test_a_length_beyond_the_limit_is_refused_before_the_body_is_sent(url: str) -> None:
    for path, most in (("/gradio_api/upload", "4,096 MB"), ("/gradio_api/queue/join", "32 MB"),
                       ("/login", "32 MB"), ("/no/such", "32 MB")):  # fmt: skip
        answer = ask(url, path, "POST", Content_Length=str(2**40))
        assert answer.status == 413 and most in answer.sentence


def test_an_endless_message_ends_at_the_limit_in_little_memory(app: tuple[str, int]) -> None:
    url, process = app
    assert_lives(url)
    before = resident_mb(process)
    for path in (
        "/gradio_api/queue/join",
        "/gradio_api/run/predict",
        "/gradio_api/component_server",
    ):
        answer, sent = pour(url, path, zeros(), Content_Type="application/json")
        assert answer.status == 413 and "32 MB" in answer.sentence
        assert sent < 64 * MB
    assert resident_mb(process) - before < MOST_GROWTH_MB
    assert_lives(url)


def test_an_endless_file_ends_at_the_limit_in_little_memory(app: tuple[str, int]) -> None:
    url, process = app
    before = resident_mb(process)

    def pieces() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        yield from zeros()

    said = {"Content_Type": "multipart/form-data; boundary=x"}
    answer, sent = pour(url, "/gradio_api/upload", pieces(), **said)
    assert answer.status == 413 and sent < 560 * MB
    assert resident_mb(process) - before < MOST_GROWTH_MB
    assert_lives(url)


def bombs() -> dict[str, bytes]:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/a.png", bytes(60 * MB))
    npz = io.BytesIO()
    np.savez_compressed(npz, x_train=np.zeros((1500, 200, 200), np.uint8))
    gif = io.BytesIO()
    Image.new("P", (1, 1)).save(gif, "GIF")
    wide = gif.getvalue()[:6] + struct.pack("<HH", 65535, 65535) + gif.getvalue()[10:]
    return {
        "pixels.png": png(60_000, 60_000), "line.png": png(2**31 - 1, 1), "wide.gif": wide,
        "bomb.gz": gzip.compress(bytes(60 * MB)), "bomb.zip": zipped.getvalue(), "bomb.npz": npz.getvalue(),
        "bomb.svgz": gzip.compress(b"<svg/>"), "object.npy": b"\x93NUMPY\x01\x00",
    }  # fmt: skip


def test_bombs_in_place_of_a_picture_are_a_sentence_in_little_memory(app: tuple[str, int]) -> None:
    url, process = app
    assert_lives(url)
    before = resident_mb(process)
    for name, content in bombs().items():
        kept = json.loads(upload(url, name, content).body)[0]
        event, said = call(url, [file_data(kept), "resnet20_v1", 1, ""])
        assert event == "error" and "Traceback" not in said["error"], name
    assert resident_mb(process) - before < MOST_GROWTH_MB
    assert_lives(url)


def test_a_body_that_was_packed_is_not_unpacked(app: tuple[str, int]) -> None:
    url, process = app
    before = resident_mb(process)
    packed = gzip.compress(bytes(200 * MB), 1)
    said = {"Content_Type": "application/json", "Content_Encoding": "gzip"}
    answer = ask(url, "/gradio_api/queue/join", "POST", packed, **said)
    assert 400 <= answer.status < 500
    assert resident_mb(process) - before < MOST_GROWTH_MB


def test_private_handlers_do_not_read_files_either(url: str, secret: Path) -> None:
    """Every handler of every page, called with a path that was never uploaded."""
    config = json.loads(ask(url, "/config").body)
    kinds = {part["id"]: part["type"] for part in config["components"]}
    tried = 0
    for handler in config["dependencies"]:
        if not any(kinds[part] in ("file", "image", "pictureinput") for part in handler["inputs"]):
            continue
        given = file_data(str(secret))
        data = [
            [given] if kinds[part] == "file" else given if "image" in kinds[part] or "picture" in kinds[part] else None
            for part in handler["inputs"]
        ]  # fmt: skip
        body = {"data": data, "fn_index": handler["id"], "session_hash": "attack"}
        answer = post(url, "/gradio_api/run/predict", body)
        assert SECRET.encode() not in answer.body and answer.status in (404, 500)
        tried += 1
    assert tried


def test_a_flood_is_told_that_the_app_is_busy_and_the_pages_stay(url: str) -> None:
    """Last here: nobody waits for the answers, and the app ends with them."""
    sent = upload(url, "ship.jpg", (ROOT / "ui/classify/examples/ship.jpg").read_bytes())
    data = [file_data(json.loads(sent.body)[0]), "resnet20_v1", 1, ""]

    def put(_: int) -> Answer:
        return post(url, "/gradio_api/call/classify", {"data": data})

    refused: list[Answer] = []
    with ThreadPoolExecutor(16) as pool:  # faster than it answers
        for _ in range(20):
            refused = [answer for answer in pool.map(put, range(250)) if answer.status != 200]
            if refused:
                break
    assert refused and {answer.status for answer in refused} == {503}
    assert all("Queue is full" in answer.sentence for answer in refused)
    assert ask(url, "/config").status == 200
