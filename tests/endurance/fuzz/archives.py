"""Own pictures in zips and folders, arrays in npz: damaged bytes, and sound archives of odd parts.

A mutated zip nearly always fails its checksums. So half of the inputs are the parts of an
archive, which is then packed properly around them.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np

from tests.endurance.fuzz.pictures import picture_seeds
from tests.endurance.fuzz.target import Prepared, Target

PART, NAME_END = b"\x00|\xff", b"\n"
RAW, PACKED = b"\x00", b"\x01"


def packed_seed(parts: dict[str, bytes]) -> bytes:
    joined = PART.join(name.encode() + NAME_END + content for name, content in parts.items())
    return PACKED + joined


def raw_seed(parts: dict[str, bytes]) -> bytes:
    return RAW + _pack([(name.encode(), content) for name, content in parts.items()])


def unpack_parts(data: bytes) -> list[tuple[bytes, bytes]]:
    """The (name, content) pairs that a mutated seed still describes."""
    pairs = (part.partition(NAME_END) for part in data.split(PART)[:20])
    return [(name[:200], content) for name, _, content in pairs]


def as_zip(data: bytes) -> bytes:
    """The archive that an input stands for: itself, or one packed of its parts."""
    return data[1:] if data[:1] == RAW else _pack(unpack_parts(data[1:]))


def _pack(parts: list[tuple[bytes, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts:
            info = zipfile.ZipInfo("x")
            info.filename = name.decode("utf-8", "replace")
            archive.writestr(info, content)
    return buffer.getvalue()


def _pictures() -> dict[str, bytes]:
    seeds = picture_seeds()
    names = [f"{kind}/{number}.png" for kind in ("cat", "dog") for number in range(3)]
    return dict(zip(names, [seeds[i] for i in (0, 4, 6, 10, 12, 14)], strict=True))


def _prepare_zip(folder: Path) -> Prepared:
    from resnet_core.data.own_images import prepare_images

    file, data_folder = folder / "pets.zip", folder / "data"

    def read(data: bytes) -> None:
        file.write_bytes(as_zip(data))
        shutil.rmtree(data_folder, ignore_errors=True)
        prepared = prepare_images(file, data_folder, image_size=8)
        assert prepared.report.train_images > 0

    split = {f"{part}/{name}": c for part in ("train", "val") for name, c in _pictures().items()}
    return Prepared([raw_seed(_pictures()), packed_seed(_pictures()), packed_seed(split)], read)


def _prepare_folder(folder: Path) -> Prepared:
    from resnet_core.data.own_images import prepare_images

    source, data_folder = folder / "pets", folder / "data"

    def read(data: bytes) -> None:
        for old in (source, data_folder):
            shutil.rmtree(old, ignore_errors=True)
        source.mkdir()
        for name, content in unpack_parts(data):
            _write(source, name, content)
        prepare_images(source, data_folder, image_size=8)

    return Prepared([packed_seed(_pictures())[1:]], read)


def _write(source: Path, name: bytes, content: bytes) -> None:
    """A file of any name that the system takes, inside the folder."""
    parts = [os.fsdecode(part[:80]) for part in name.replace(b"\0", b"_").split(b"/")]
    path = source.joinpath(*[part for part in parts if part not in ("", ".", "..")] or ["file"])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError:  # a folder of that name, or a file where a folder should be
        pass


def array(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _arrays(classes: list[str] | None, **others: bytes) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    parts = {}
    for split, count in (("train", 12), ("test", 4)):
        parts[f"x_{split}.npy"] = array(rng.integers(0, 256, (count, 8, 8, 3), np.uint8))
        parts[f"y_{split}.npy"] = array(np.arange(count, dtype=np.uint8) % 2)
    if classes:
        parts["class_names.npy"] = array(np.array(classes))
    return parts | others


def _prepare_npz(folder: Path) -> Prepared:
    from resnet_core.data.own_npz import read_npz

    file = folder / "pets.npz"

    def read(data: bytes) -> None:
        file.write_bytes(as_zip(data))
        gathered = read_npz(file)
        assert len(gathered.images) == len(gathered.labels)

    grey = _arrays(None) | {"x_train.npy": array(np.zeros((12, 8, 8), np.uint8))}
    parts = [_arrays(["cat", "dog"]), _arrays(None), grey]
    return Prepared([seed(each) for each in parts for seed in (raw_seed, packed_seed)], read)


def _prepare_cifar10(folder: Path) -> Prepared:
    from resnet_core.data.cifar10 import FILE_NAME, load_cifar10_arrays

    def read(data: bytes) -> None:
        (folder / FILE_NAME).write_bytes(as_zip(data))
        load_cifar10_arrays(folder)

    parts = _arrays(["cat", "dog"])
    return Prepared([raw_seed(parts), packed_seed(parts)], read)


def _prepare_own_set(folder: Path) -> Prepared:
    from resnet_core.data.own_store import load_own_arrays, own_file

    file = own_file("own/pets", folder)
    file.parent.mkdir()
    classes = [{"name": name, "train": 6, "test": 2} for name in ("cat", "dog")]
    report = {
        "source": "pets.zip", "image_size": 8, "seed": 0, "test_share": 0.2, "classes": classes,
        "left_out": [], "left_out_total": 0, "duplicates": 0, "notes": [],
    }  # fmt: skip

    def read(data: bytes) -> None:
        file.write_bytes(as_zip(data))
        load_own_arrays("own/pets", folder)

    parts = _arrays(["cat", "dog"], **{"report.npy": array(np.array(json.dumps(report)))})
    return Prepared([raw_seed(parts), packed_seed(parts)], read)


TARGETS = (
    Target("zips", "zips of own pictures", _prepare_zip, 1, 16_384),
    Target("folders", "folders of own pictures", _prepare_folder, 1, 16_384),
    Target("npz", "arrays in Keras's layout", _prepare_npz, 8, 16_384),
    Target("cifar10", "cifar10.npz", _prepare_cifar10, 8, 16_384),
    Target("own_sets", "prepared sets of own images", _prepare_own_set, 8, 16_384),
)
