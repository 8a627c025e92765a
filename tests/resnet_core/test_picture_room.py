"""Pictures that are decoded at the same time share the memory there is for them."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest
from PIL import Image

from resnet_core import pictures
from resnet_core.errors import PictureError
from resnet_core.picture_room import PictureRoom
from resnet_core.pictures import read_picture

PATIENCE_SECONDS = 30
MOMENT_SECONDS = 0.2


def png(side: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side)).save(file, "PNG")
    return file.getvalue()


class Watch:
    """Decodes as told to, and knows how many pixels were being decoded at the most."""

    def __init__(self, decode: Callable[..., pictures.Picture]):
        self._decode, self._lock = decode, Lock()
        self.now = self.most = self.begun = 0
        self.may_end = Event()

    def __call__(self, image: Image.Image, enough_pixels: int) -> pictures.Picture:
        pixels = image.width * image.height
        with self._lock:
            self.now, self.begun = self.now + pixels, self.begun + 1
            self.most = max(self.most, self.now)
        assert self.may_end.wait(PATIENCE_SECONDS)
        with self._lock:
            self.now -= pixels
        return self._decode(image, enough_pixels)


@pytest.fixture
def watch(monkeypatch) -> Watch:
    watch = Watch(pictures._to_rgb)
    monkeypatch.setattr(pictures, "_to_rgb", watch)
    monkeypatch.setattr(pictures, "ROOM", PictureRoom(25_000))
    return watch


def test_as_many_are_decoded_at_once_as_there_is_room_for(watch: Watch) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(read_picture, png(100)) for _ in range(8)]
        Event().wait(MOMENT_SECONDS)
        assert watch.begun <= 2
        watch.may_end.set()
        assert [each.result(PATIENCE_SECONDS).size for each in asked] == [(100, 100)] * 8
    assert watch.most == 20_000 and watch.begun == 8


def test_one_larger_than_the_room_has_it_for_itself(watch: Watch) -> None:
    watch.may_end.set()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(read_picture, png(side)) for side in (200, 20, 200, 20)]
        assert [each.result(PATIENCE_SECONDS).size[0] for each in asked] == [200, 20, 200, 20]
    assert watch.most <= 40_000


def test_a_damaged_picture_gives_its_room_back(watch: Watch) -> None:
    watch.may_end.set()
    damaged = png(150)[:-40]
    for _ in range(3):
        with pytest.raises(PictureError):
            read_picture(damaged)
    assert read_picture(png(150)).size == (150, 150)
