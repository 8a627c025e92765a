"""The gallery as HTML: its order, its pages, and how little it sends."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.folder.stream import Told
from ui.classify.gallery_view import (
    BY_CLASS,
    BY_DOUBT,
    PAGE,
    THUMBNAIL_PIXELS,
    Card,
    make_card,
    render_gallery,
    thumbnail,
)


def card(name: str, class_name: str, p: float, q: float) -> Card:
    told = Told(Path("/nowhere", name), np.array([p, q, 1 - p - q], np.float32))
    return make_card(told, (class_name, "second", "third"))


def files(html: str) -> list[str]:
    return re.findall(r'title="([^"]+)"', html)


CARDS = [
    card("torn.png", "ship", 0.45, 0.44),
    make_card(Told(Path("/nowhere/bad.png"), None, "This is <no> picture."), ("ship",)),
    card("sure.png", "truck", 0.99, 0.01),
    card("fair.png", "cat", 0.7, 0.2),
    card("calm.png", "ship", 0.9, 0.05),
]


def test_by_class_the_surest_of_each_comes_first_and_bad_files_last() -> None:
    html = render_gallery(CARDS, BY_CLASS)
    assert files(html) == ["fair.png", "calm.png", "torn.png", "sure.png", "bad.png"]
    headings = re.findall(r'lab-group">([^<]+) <small>(\d+)<', html)
    assert headings == [("cat", "1"), ("ship", "2"), ("truck", "1"), ("Can&#x27;t be read", "1")]


def test_by_doubt_the_most_doubtful_comes_first_and_bad_files_last() -> None:
    html = render_gallery(CARDS, BY_DOUBT)
    assert files(html) == ["torn.png", "fair.png", "calm.png", "sure.png", "bad.png"]
    assert "lab-group" not in html
    assert re.findall(r"doubt ([\d.]+)&nbsp;%", html) == ["99.0", "50.0", "15.0", "2.0"]


def test_it_says_what_there_is_and_shows_no_html_of_others() -> None:
    html = render_gallery([*CARDS, card("<b>.png", "<i>", 0.9, 0.1)], BY_CLASS)
    assert "<b>6 files:</b> 2 ship, 1 truck, 1 cat, 1 &lt;i&gt;, 1 can't be read." in html
    assert "This is &lt;no&gt; picture." in html and "<i>" not in html
    assert "&lt;b&gt;.png" in html
    many = render_gallery([card(f"{n}.png", f"class {n}", 0.9, 0.1) for n in range(9)], BY_CLASS)
    assert "4 of other classes." in many


@pytest.mark.parametrize("count", [1, PAGE, PAGE + 1, 3 * PAGE, 1000])
def test_every_file_is_on_one_page_and_no_page_holds_more_than_its_share(count: int) -> None:
    cards = [card(f"{n:04}.png", "ship", 0.9 - n / 10_000, 0.01) for n in range(count)]
    seen, page = [], 0
    while True:
        html = render_gallery(cards, BY_CLASS, page)
        assert len(files(html)) <= PAGE
        seen += files(html)
        after = re.search(r'data-row="(\d+)"[^>]*>Next', html)
        if not after:
            break
        assert int(after[1]) == page + 1
        page += 1
    assert seen == [f"{n:04}.png" for n in range(count)]
    assert ("Previous" in html) == (count > PAGE)
    assert files(render_gallery(cards, BY_CLASS, 10**6)) == files(html)


def test_thumbnails_are_small_upright_and_drawn_once(tmp_path: Path) -> None:
    wide = np.zeros((1500, 2000, 3), np.uint8)
    wide[:, :1000, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: what is left in the file is up
    Image.fromarray(wide).save(tmp_path / "photo.jpg", exif=exif)
    url = thumbnail(tmp_path / "photo.jpg")
    data = base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))
    image = Image.open(io.BytesIO(data))
    assert image.size == (THUMBNAIL_PIXELS * 3 // 4, THUMBNAIL_PIXELS) and len(data) < 10_000
    assert image.getpixel((60, 20))[0] > 200 and image.getpixel((60, 150))[0] < 50
    (tmp_path / "photo.jpg").unlink()
    assert thumbnail(tmp_path / "photo.jpg") == url
    assert thumbnail(tmp_path / "absent.jpg") == ""
