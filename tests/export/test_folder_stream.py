"""The stream from files to answers: in order, bounded, and saying what the single picture's path says."""

from __future__ import annotations

import io
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.classifier import classify, open_engine
from export.folder.stream import BATCHES_AHEAD, Told, classify_many, decode_ahead
from resnet_core.errors import PictureError
from resnet_core.pictures import TIMES_INPUT, read_input, read_picture
from tests.export.folder_helpers import SIZE, Brightness, model, write_grey


def flat(stream) -> list[Told]:
    return [told for batch in stream for told in batch]


def test_answers_come_in_the_order_of_the_files_whichever_is_decoded_first() -> None:
    """Every second file is decoded only after its successor was."""
    paths = [Path(str(number)) for number in range(40)]
    decoded = {path: threading.Event() for path in paths}

    def read(path: Path, size: int) -> np.ndarray:
        number = int(path.name)
        if number % 2 == 0:
            assert decoded[paths[number + 1]].wait(60)
        decoded[path].set()
        return np.full((size, size, 3), 6 * number, np.uint8)

    told = flat(classify_many(paths, model(), batch_size=4, decoders=3, read=read))
    assert [each.path for each in told] == paths
    expected = Brightness().run(
        np.arange(0, 240, 6, dtype=np.uint8).repeat(SIZE * SIZE * 3).reshape(40, SIZE, SIZE, 3)
    )
    np.testing.assert_array_equal([each.probabilities for each in told], expected)


def test_never_more_pictures_are_held_than_said() -> None:
    """Decoders that need no time, before an engine that takes all it wants: the worst there is."""
    batch, lock, alive, most = 4, threading.Lock(), 0, 0
    full = threading.Event()

    def dropped() -> None:
        nonlocal alive
        with lock:
            alive -= 1

    def read(path: Path, size: int) -> np.ndarray:
        nonlocal alive, most
        pixels = np.zeros((size, size, 3), np.uint8)
        weakref.finalize(pixels, dropped)
        with lock:
            alive += 1
            most = max(most, alive)
            if alive >= BATCHES_AHEAD * batch - 1:
                full.set()
        return pixels

    class Slow(Brightness):
        def run(self, images: np.ndarray) -> np.ndarray:
            full.wait(1)  # as long as the decoders can work ahead, they may
            return super().run(images)

    paths = [Path(str(number)) for number in range(200)]
    told = flat(classify_many(paths, model(Slow()), batch, 3, read))
    assert len(told) == 200 and full.is_set()
    # One more is in the hands of whoever moves it into the batch, and one of each decoder may
    # have been taken before the decoder itself lets go.
    assert BATCHES_AHEAD * batch - 1 <= most <= BATCHES_AHEAD * batch + 1 + 3
    assert alive == 0


def test_a_reader_that_leaves_early_stops_the_decoders() -> None:
    asked: list[Path] = []

    def read(path: Path, size: int) -> np.ndarray:
        asked.append(path)
        return np.zeros((size, size, 3), np.uint8)

    stream = classify_many([Path(str(n)) for n in range(1000)], model(), 5, 2, read)
    next(stream)
    stream.close()
    seen = len(asked)
    assert seen <= 5 * (BATCHES_AHEAD + 1)
    assert not [t for t in threading.enumerate() if t.name.startswith("decode")]


def test_bad_files_stand_in_their_places_and_every_batch_has_one_size() -> None:
    runner = Brightness()

    def read(path: Path, size: int) -> np.ndarray:
        if int(path.name) % 3 == 0 or int(path.name) >= 12:
            raise PictureError(f"{path} is bad.")
        return np.full((size, size, 3), int(path.name), np.uint8)

    paths = [Path(str(number)) for number in range(17)]
    told = flat(classify_many(paths, model(runner), 4, 2, read))
    bad = [int(each.path.name) for each in told if each.probabilities is None]
    assert bad == [0, 3, 6, 9, 12, 13, 14, 15, 16]
    assert all(
        each.problem == f"{each.path} is bad." for each in told if each.probabilities is None
    )
    for each in told:
        if each.probabilities is not None:
            pixels = np.full((1, SIZE, SIZE, 3), int(each.path.name), np.uint8)
            np.testing.assert_allclose(each.probabilities, Brightness().run(pixels)[0], rtol=1e-6)
    assert runner.batches == [4, 4, 4], "a batch of bad files alone asks nothing of the engine"


@pytest.mark.parametrize(
    ("probabilities", "doubt"),
    [((0.7, 0.1, 0.2), 0.5), ((0.5, 0.5), 1.0), ((0.0, 1.0), 0.0), ((1.0,), 0.0)],
)
def test_doubt_is_one_less_the_lead_of_the_first(
    probabilities: tuple[float, ...], doubt: float
) -> None:
    told = Told(Path("a"), np.array(probabilities, np.float32))
    assert told.doubt == pytest.approx(doubt, abs=1e-6)
    assert Told(Path("a"), None, "bad").doubt == 1


def test_nothing_to_do_is_done_at_once() -> None:
    assert flat(classify_many([], model())) == []
    assert list(decode_ahead([], lambda path: (path, ""), 1, 4)) == []


def test_small_pictures_get_the_very_answers_of_the_single_path(tmp_path: Path, cifar10) -> None:
    images = cifar10.test.images[:24].numpy()
    paths = [tmp_path / f"{number:02}.png" for number in range(len(images))]
    for path, pixels in zip(paths, images, strict=True):
        Image.fromarray(pixels).save(path)
    opened = open_engine("resnet20_v1", "onnxruntime-cpu")
    told = flat(classify_many(paths, opened, batch_size=7))
    for each in told:
        alone = classify(each.path, "resnet20_v1", "onnxruntime-cpu").probabilities
        np.testing.assert_allclose(each.probabilities, alone, atol=1e-5)


SAME_CLASS_PERCENT, MEAN_DIFFERENCE = 98.0, 0.03
"""Of photos decoded at a fraction of their size: the same class, and how far probabilities move."""


@pytest.fixture(scope="module")
def photos(cifar10) -> list[bytes]:
    """CIFAR-10's test photos as a phone would store them: enlarged, with a sensor's grain, as JPEG."""
    rng = np.random.default_rng(3)
    sizes = [(1200, 900), (640, 640), (480, 640), (350, 260)]
    encoded = []
    for number, pixels in enumerate(cifar10.test.images[:160].numpy()):
        width, height = sizes[number % len(sizes)]
        large = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
        grain = rng.normal(0, 4, (height, width, 1)).astype(np.float32)
        noisy = np.clip(np.asarray(large, np.float32) + grain, 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noisy).save(buffer, "JPEG", quality=85)
        encoded.append(buffer.getvalue())
    return encoded


def test_photos_decoded_small_keep_their_answers(photos: list[bytes], tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:03}.jpg" for number in range(len(photos))]
    for path, data in zip(paths, photos, strict=True):
        path.write_bytes(data)
    opened = open_engine("resnet20_v1", "onnxruntime-cpu")
    small = np.stack([each.probabilities for each in flat(classify_many(paths, opened))])
    alone = np.stack(
        [classify(path, "resnet20_v1", "onnxruntime-cpu").probabilities for path in paths]
    )
    assert (small != alone).any(), "else nothing was decoded small and this test tests nothing"
    assert 100 * (small.argmax(1) == alone.argmax(1)).mean() >= SAME_CLASS_PERCENT
    assert np.abs(small - alone).max(1).mean() <= MEAN_DIFFERENCE


@pytest.mark.parametrize("side", [32, 64, 224])
@pytest.mark.parametrize("size", [(1200, 900), (95, 700), (449, 448), (2000, 260)])
def test_a_fraction_keeps_at_least_twice_what_the_net_sees(
    size: tuple[int, int], side: int
) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", size, (9, 99, 199)).save(buffer, "JPEG")
    read = read_picture(buffer.getvalue(), TIMES_INPUT * side)
    assert read.size == size, "the size that is told is the file's"
    shortest = min(read.image.size)
    assert shortest == min(size) or shortest >= 2 * side
    assert read_input(buffer.getvalue(), side).shape == (side, side, 3)


def test_a_file_that_the_system_refuses_is_a_bad_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_grey(tmp_path / "a.png", 9)

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    (told,) = flat(classify_many([path], model()))
    assert told.problem.startswith("This file can't be read (Permission denied)")
