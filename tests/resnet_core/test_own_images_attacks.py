"""Own images that mean harm, lie about themselves or are too large: refused, each with its reason."""

from __future__ import annotations

import io
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from resnet_core.data import own_archive, own_images
from resnet_core.data.catalogue import list_datasets
from resnet_core.data.own_images import prepare_images
from resnet_core.errors import DataError
from tests.resnet_core.own_pictures import (
    SIDE,
    Pictures,
    write_folder,
    write_npz,
    write_zip,
)


def member(name: str, kind: int = stat.S_IFREG) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o644) << 16
    return info


def add(info: zipfile.ZipInfo, data: bytes = b"x") -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(info, data, compress_type=zipfile.ZIP_DEFLATED)

    return write


def set_encrypted_flag(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)


def pack_otherwise(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("Vögel/z.png", b"x" * 100)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (add(member("../../evil.png")), "outside the archive"),
        (add(member("Vögel/..\\..\\evil.png")), "outside the archive"),
        (add(member("/etc/evil.png")), "outside the archive"),
        (add(member("C:\\evil.png")), "outside the archive"),
        (add(member("Vögel/link.png", stat.S_IFLNK), b"/etc/passwd"), "a link"),
        (add(member("Vögel/pipe.png", stat.S_IFIFO)), "a link or a device"),
        (set_encrypted_flag, "encrypted"),
        (pack_otherwise, "deflate"),
        (add(member("Vögel/bomb.png"), bytes(40 * 2**20)), "-fold"),
        (lambda path: path.write_bytes(path.read_bytes()[:-30]), "neither a folder"),
        (lambda path: path.write_bytes(b"no zip"), "neither a folder"),
    ],
    ids=["dots", "backslashes", "absolute", "drive", "link", "pipe", "encrypted", "lzma", "bomb", "cut", "text"],
)  # fmt: skip
def test_archives_that_could_do_harm_are_refused(
    tmp_path: Path, pictures: Pictures, change: Callable[[Path], None], reason: str
) -> None:
    path = write_zip(tmp_path / "a.zip", pictures)
    change(path)
    with pytest.raises(DataError, match=reason) as caught:
        prepare_images(path, tmp_path / "data", SIDE)
    assert "\n" not in str(caught.value) and str(caught.value).endswith((".", ")."))
    assert not (tmp_path / "data").exists() and not (tmp_path.parent / "evil.png").exists()


def test_no_damage_to_a_source_is_a_traceback(tmp_path: Path, pictures: Pictures) -> None:
    """Bytes changed at random, mostly where the directory is: refused, listed or read."""
    rng = np.random.default_rng(0)
    refused = 0
    for source in (
        write_zip(tmp_path / "a.zip", pictures),
        write_npz(tmp_path / "a.npz", pictures),
    ):
        data = source.read_bytes()
        for _ in range(100):
            changed = bytearray(data)
            for place in rng.integers(1, rng.choice([len(data), 800]), rng.integers(1, 5)):
                changed[-place] = rng.choice([0, 255, rng.integers(256)])
            source.write_bytes(changed)
            try:
                prepare_images(source, tmp_path, 8)
            except DataError as error:
                refused += 1
                assert "\n" not in str(error)
    assert refused > 30


def test_a_bomb_that_lies_about_its_size_is_read_no_further(
    tmp_path: Path, pictures: Pictures
) -> None:
    """200 MB of zeros that claim to be 100 bytes: looked at, listed, and never unpacked."""
    path = write_zip(tmp_path / "a.zip", pictures)
    size = 200 * 2**20
    add(member("Vögel/bomb.png"), bytes(size))(path)
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", 100)))
    tracemalloc.start()
    report = prepare_images(path, tmp_path, SIDE).report
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 8 * 2**20
    assert report.left_out_total == 1 and "within the archive" in report.left_out[0].reason


def test_numbers_and_sizes_are_limited(
    tmp_path: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, path = write_folder(tmp_path / "a", pictures), write_zip(tmp_path / "a.zip", pictures)
    with monkeypatch.context() as patch:
        patch.setattr(own_archive, "MAX_FILES", 19)
        patch.setattr(own_images, "MAX_FILES", 19)
        for source in (folder, path):
            with pytest.raises(DataError, match="more than 19 files"):
                prepare_images(source, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(own_archive, "MAX_READ_BYTES", 500)  # the directory is larger
        with pytest.raises(DataError, match=r"more than .* files"):
            prepare_images(path, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(own_archive, "MAX_UNPACKED_BYTES", 5000)
        with pytest.raises(DataError, match="unpacked"):
            prepare_images(path, tmp_path)
        # Declared sizes may lie: what is read is counted too.
        patch.setattr(own_archive.Archive, "check", lambda self: None)
        with pytest.raises(DataError, match="unpacked"):
            prepare_images(path, tmp_path)
    monkeypatch.setattr(own_images, "MAX_IMAGE_BYTES", 20 * 64 * 64 * 3 - 1)
    with pytest.raises(DataError, match="smaller image size"):
        prepare_images(path, tmp_path, 64)


def claimed(shape: tuple[int, ...], kind: str = "|u1") -> bytes:
    """An `.npy` whose header claims an array that is not there."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": kind, "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue() + bytes(100)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"x_train": np.array([{}] * 20, dtype=object)}, "pickled"),
        ({"class_names": np.array(["a", "b", {}], dtype=object)}, "pickled"),
        ({"x_train": claimed((10**9, 32, 32, 3))}, "claims 2,861.0 GB"),
        ({"x_train": claimed((2**62, 2**62, 32, 3))}, "claims"),
        ({"y_train": claimed((10**9,), "<i8")}, "claims"),
        ({"x_train": claimed((20, 16, 16, 3))}, "damaged"),
        ({"x_train": b"no array"}, "damaged"),
        ({"x_train": np.zeros((20, 16, 16, 3), np.float32)}, "float32"),
        ({"x_train": np.zeros((20, 16, 20, 3), np.uint8)}, "16 x 20"),
        ({"x_train": np.zeros((20, 4, 4, 3), np.uint8)}, "4 x 4"),
        ({"y_train": np.zeros(19, int)}, "one label for each"),
        ({"y_train": np.zeros(20)}, "whole numbers"),
        ({"y_train": np.full(20, -1)}, "from -1 to -1"),
        ({"y_train": np.full(20, 10**9)}, "numbered"),
        ({"y_train": None}, "one label for each"),
        ({"x_test": np.zeros((2, 16, 16, 3), np.uint8)}, "one label for each"),
        ({"x_test": np.zeros((1, 8, 8, 3), np.uint8), "y_test": np.zeros(1, int)}, "same size"),
        ({"class_names": np.array(["a", "b"])}, "one for each of 3"),
        ({"class_names": np.array(["a", "b", "a"])}, "twice"),
        ({"x_train": None, "y_train": None}, "lacks x_train"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, pictures: Pictures, changes: dict, reason: str
) -> None:
    raw = {key: value for key, value in changes.items() if isinstance(value, bytes)}
    source = write_npz(tmp_path / "a.npz", pictures, **(changes | dict.fromkeys(raw)))
    with zipfile.ZipFile(source, "a") as archive:
        for key, value in raw.items():
            archive.writestr(f"{key}.npy", value)
    with pytest.raises(DataError, match=reason):
        prepare_images(source, tmp_path)
    assert list_datasets(tmp_path) == ["cifar10", "shapes"]
