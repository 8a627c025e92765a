from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import torch

from resnet_core.data.augment import crop_and_flip, shift_and_flip
from resnet_core.data.cifar10 import CLASS_NAMES, LOCK_NAME
from resnet_core.data.dataset import (
    Dataset,
    Split,
    channel_statistics,
    count_held_out,
    hold_out,
    load_dataset,
    pixel_mean,
    split_validation,
)
from resnet_core.data.shapes import draw_shapes
from resnet_core.errors import ConfigError, DataError
from resnet_core.files import replace_file


def tiny_cifar(path: Path, **changes: np.ndarray) -> None:
    arrays = {
        "x_train": np.zeros((50_000, 1, 1, 3), np.uint8),
        "y_train": np.zeros(50_000, np.uint8),
        "x_test": np.zeros((10_000, 1, 1, 3), np.uint8),
        "y_test": np.zeros(10_000, np.uint8),
        "class_names": np.array(CLASS_NAMES),
    }
    np.savez_compressed(path, **(arrays | changes))


def test_cifar10_is_what_the_world_knows(cifar10) -> None:
    assert (len(cifar10.train), len(cifar10.test)) == (50_000, 10_000)
    assert cifar10.class_names == CLASS_NAMES
    assert torch.bincount(cifar10.train.labels).tolist() == [5000] * 10
    mean, std = channel_statistics(cifar10.train)
    np.testing.assert_allclose(mean / 255, [0.4914, 0.4822, 0.4465], atol=1e-4)
    np.testing.assert_allclose(std / 255, [0.2470, 0.2435, 0.2616], atol=1e-4)


def test_a_good_file_loads_and_bad_ones_are_named(tmp_path: Path) -> None:
    file = tmp_path / "cifar10.npz"
    tiny_cifar(file)
    assert len(load_dataset("cifar10", tmp_path).test) == 10_000
    for change, reason in (
        ({"y_test": np.full(10_000, 10, np.uint8)}, "label 10"),
        ({"x_train": np.zeros((50_000, 1, 1, 3), np.float32)}, "float32"),
        ({"x_test": np.zeros((9, 1, 1, 3), np.uint8), "y_test": np.zeros(9, np.uint8)}, "9"),
        ({"x_test": np.array([{}], dtype=object)}, "can't be read"),
    ):
        tiny_cifar(file, **change)
        with pytest.raises(DataError, match=reason):
            load_dataset("cifar10", tmp_path)
    file.write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(DataError, match="delete it to download it again"):
        load_dataset("cifar10", tmp_path)


def test_an_absent_file_is_fetched_once_and_kept(tmp_path: Path, monkeypatch) -> None:
    import torchvision.datasets

    asked = []

    class FakeCIFAR10:
        def __init__(self, folder: str, train: bool, download: bool):
            asked.append(download)
            n = 50_000 if train else 10_000
            self.data = np.full((n, 1, 1, 3), 7, np.uint8)
            self.targets = [3] * n

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", FakeCIFAR10)
    for _ in range(2):
        dataset = load_dataset("cifar10", tmp_path / "new")
    assert asked == [True, True]  # training and test, once; the second load read the file
    assert dataset.class_names == CLASS_NAMES and dataset.test.labels[0] == 3
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"cifar10.npz", LOCK_NAME}


def test_a_failed_download_says_what_to_do(tmp_path: Path, monkeypatch) -> None:
    import torchvision.datasets

    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", fail)
    with pytest.raises(DataError, match="--data shapes"):
        load_dataset("cifar10", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_NAME]


def test_a_kill_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("old")
    program = (
        "import sys, time; from pathlib import Path; from resnet_core.files import replace_file\n"
        "def slow(path):\n"
        "    path.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
        "replace_file(Path(sys.argv[1]), slow)"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(file)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert writer.stdout is not None and writer.stdout.readline() == b"writing\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert file.read_text() == "old"


def test_a_full_disk_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("old")

    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        replace_file(file, fail)
    assert [p.name for p in tmp_path.iterdir()] == ["precious"] and file.read_text() == "old"


def test_an_unknown_data_set_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="cifar10, shapes"):
        load_dataset("mnist", Path())


def test_shapes_are_the_same_from_the_same_seed_and_balanced() -> None:
    first, labels = draw_shapes(200, np.random.default_rng(5))
    again, _ = draw_shapes(200, np.random.default_rng(5))
    other, _ = draw_shapes(200, np.random.default_rng(6))
    assert first.dtype == np.uint8 and first.shape == (200, 32, 32, 3)
    assert (first == again).all() and (first != other).any()
    assert np.bincount(labels).tolist() == [20] * 10


def test_shapes_can_not_be_told_by_colour_alone(shapes) -> None:
    """A linear reading of mean colours and spreads is near a guess: the outline is what counts."""

    def features(split: Split) -> np.ndarray:
        x = split.images.double().numpy() / 255
        flat = np.concatenate([x.mean((1, 2)), x.std((1, 2)), np.ones((len(x), 1))], axis=1)
        return flat

    targets = np.eye(10)[shapes.train.labels.numpy()]
    weights = np.linalg.lstsq(features(shapes.train), targets, rcond=None)[0]
    guess = (features(shapes.test) @ weights).argmax(1)
    assert (guess != shapes.test.labels.numpy()).mean() > 0.75


def test_the_split_is_a_partition_by_seed() -> None:
    images = torch.arange(100, dtype=torch.uint8)[:, None, None, None].expand(100, 1, 1, 3)
    split = Split(images, torch.arange(100))
    train, validation = split_validation(split, 10, seed=3)
    assert sorted([*train.labels.tolist(), *validation.labels.tolist()]) == list(range(100))
    assert len(validation) == 10
    assert split_validation(split, 10, seed=3)[1].labels.tolist() == validation.labels.tolist()
    assert split_validation(split, 10, seed=4)[1].labels.tolist() != validation.labels.tolist()
    assert len(split_validation(split, 0, seed=0)[1]) == 0
    with pytest.raises(ConfigError, match="0 to 99"):
        split_validation(split, 100, seed=0)


def test_copies_of_an_own_picture_are_never_on_both_sides(rng) -> None:
    """Every third picture is there twice, and one thirty times."""
    pictures = rng.integers(0, 256, (120, 4, 4, 3), dtype=np.uint8)
    images = np.concatenate([pictures, pictures[::3], np.repeat(pictures[:1], 28, axis=0)])
    split = Split(torch.from_numpy(images), torch.arange(len(images)))
    own = Dataset("own/drawn", split, split.take(torch.arange(2)), ("a", "b"))
    for seed in range(5):
        train, validation = hold_out(own, 5000, seed)
        trained, held_out = ({x.numpy().tobytes() for x in s.images} for s in (train, validation))
        assert not trained & held_out
        assert len(validation) == count_held_out(own, 5000, seed) == len(images) // 10
        assert sorted([*train.labels.tolist(), *validation.labels.tolist()]) == list(range(188))
    assert hold_out(own, 9, 1)[1].labels.tolist() == hold_out(own, 9, 1)[1].labels.tolist()
    assert hold_out(own, 9, 1)[1].labels.tolist() != hold_out(own, 9, 2)[1].labels.tolist()


def test_where_all_are_copies_none_is_held_out() -> None:
    split = Split(torch.zeros(40, 1, 1, 3, dtype=torch.uint8), torch.arange(40))
    train, validation = hold_out(Dataset("own/one", split, split, ("a",)), 5000, 0)
    assert (len(train), len(validation)) == (40, 0)


@pytest.mark.parametrize("name", ["shapes", "own/drawn"])
def test_without_copies_the_draw_is_what_it_always_was(name: str, shapes: Dataset) -> None:
    """Stored studies and finished runs were drawn by image."""
    train = shapes.train.take(torch.arange(600))
    assert len({image.numpy().tobytes() for image in train.images}) == 600
    kept, held_out = hold_out(Dataset(name, train, shapes.test, shapes.class_names), 5000, 7)
    order = torch.randperm(600, generator=torch.Generator().manual_seed(7))
    assert torch.equal(held_out.images, train.images[order[:60].sort().values])
    assert torch.equal(kept.labels, train.labels[order[60:].sort().values])


def test_built_in_sets_are_drawn_by_image_though_they_hold_copies() -> None:
    images = (
        torch.arange(50, dtype=torch.uint8)[:, None, None, None]
        .expand(50, 1, 1, 3)
        .repeat(2, 1, 1, 1)
    )
    split = Split(images, torch.arange(100))
    found = hold_out(Dataset("cifar10", split, split, ("a",)), 5000, 3)
    wanted = split_validation(split, 10, seed=3)
    for a, b in zip(found, wanted, strict=True):
        assert torch.equal(a.labels, b.labels)


def test_statistics_are_numpys(rng) -> None:
    images = rng.integers(0, 256, (50, 4, 4, 3), dtype=np.uint8)
    split = Split(torch.from_numpy(images), torch.zeros(50, dtype=torch.int64))
    mean, std = channel_statistics(split)
    np.testing.assert_allclose(mean, images.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(std, images.std((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(pixel_mean(split)[0], images.mean(0), rtol=1e-6)


def drawn(n: int, side: int, padding: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same draws as `crop_and_flip` makes, in its order."""
    g = torch.Generator().manual_seed(9)
    top = torch.randint(2 * padding + 1, (n, 1), generator=g).numpy()[:, 0]
    left = torch.randint(2 * padding + 1, (n, 1), generator=g).numpy()[:, 0]
    flip = (torch.rand(n, 1, generator=g) < 0.5).numpy()[:, 0]
    return top, left, flip


def test_crop_and_flip_is_numpys_one_image_at_a_time(rng) -> None:
    images = rng.normal(size=(40, 3, 8, 8)).astype(np.float32)
    top, left, flip = drawn(40, 8, 2)
    out = crop_and_flip(torch.from_numpy(images), torch.Generator().manual_seed(9), padding=2)
    for i in range(40):
        padded = np.pad(images[i], ((0, 0), (2, 2), (2, 2)))
        crop = padded[:, top[i] : top[i] + 8, left[i] : left[i] + 8]
        np.testing.assert_array_equal(out[i].numpy(), crop[:, :, ::-1] if flip[i] else crop)
    assert 0 < flip.sum() < 40 and len(set(top)) == 5


def test_shift_and_flip_is_scipys_with_nearest_fill(rng) -> None:
    images = rng.normal(size=(20, 3, 10, 10)).astype(np.float32)
    g = torch.Generator().manual_seed(4)
    shift = (2 * torch.rand(20, 2, generator=g) - 1).numpy() * 0.1 * 10  # (x, y), in pixels
    flip = (torch.rand(20, 1, generator=g) < 0.5).numpy()[:, 0]
    out = shift_and_flip(torch.from_numpy(images), torch.Generator().manual_seed(4))
    for i in range(20):
        # scipy moves the content where we move the sampling points, hence the signs.
        by = (0, -shift[i, 1], -shift[i, 0])
        moved = scipy.ndimage.shift(images[i].astype(np.float64), by, order=1, mode="nearest")
        moved = moved[:, :, ::-1] if flip[i] else moved
        np.testing.assert_allclose(out[i].numpy(), moved, atol=1e-4)
    assert np.abs(shift).max() <= 1.0 and 0 < flip.sum() < 20


def test_augmentation_moves_no_pixel_between_images() -> None:
    images = torch.arange(1, 6).float()[:, None, None, None].expand(5, 3, 8, 8)
    out = shift_and_flip(images, torch.Generator().manual_seed(0))
    torch.testing.assert_close(out, images.contiguous())


def test_no_half_written_download_is_left_by_a_kill(tmp_path: Path) -> None:
    """Kill the real storing code while it writes; the next start sees no file at all."""
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from resnet_core.data import cifar10; from resnet_core.data.source import Arrays\n"
        "r = np.random.default_rng(0)\n"
        "x = r.integers(0, 256, (60000, 32, 32, 3), dtype=np.uint8)\n"
        "a = Arrays(x, np.zeros(60000, np.uint8), x[:9], np.zeros(9, np.uint8), cifar10.CLASS_NAMES)\n"
        "a.write(Path(sys.argv[1]) / 'cifar10.npz', np.savez_compressed)"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=Path(__file__).parents[2]
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(
        p.stat().st_size > 10**6 for p in tmp_path.iterdir()
    ):
        time.sleep(0.01)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert not (tmp_path / "cifar10.npz").exists()
    assert any(tmp_path.iterdir())  # it was killed in the middle of it
