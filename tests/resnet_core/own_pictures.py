"""Twenty small pictures of three classes, as a folder, a zip and arrays."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from resnet_core.data.own_store import load_own_arrays

ROOT = Path(__file__).resolve().parents[2]
SIDE = 16
CLASSES = (
    "<img src=x onerror=alert('cats')> & dogs",
    "Vögel",
    "鳥 🐦",
)  # in the order of their code points
Pictures = dict[str, np.ndarray]


def draw_pictures() -> Pictures:
    """Path in the set to pixels: three classes of 10, 5 and 5 pictures that are all different."""
    rng = np.random.default_rng(1)
    return {
        f"{name}/{i:02}.png": rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        for name, count in zip(CLASSES, (10, 5, 5), strict=True)
        for i in range(count)
    }


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_folder(folder: Path, pictures: Pictures) -> Path:
    for name, pixels in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(pixels))
    return folder


def write_zip(path: Path, pictures: Pictures, top: str = "", **others: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in others.items():
            archive.writestr(name, data)
        for name, pixels in pictures.items():
            archive.writestr(top + name, png(pixels))
    return path


def write_npz(path: Path, pictures: Pictures, **changes: object) -> Path:
    arrays = {
        "x_train": np.stack(list(pictures.values())),
        "y_train": np.array([[CLASSES.index(name.rsplit("/", 1)[0])] for name in pictures]),
        "class_names": np.array(CLASSES),
    }
    np.savez(path, **{k: v for k, v in (arrays | changes).items() if v is not None})  # type: ignore[arg-type]
    return path


def contents(name: str, data_folder: Path) -> tuple:
    arrays = load_own_arrays(name, data_folder)
    parts = (arrays.x_train, arrays.y_train, arrays.x_test, arrays.y_test)
    return *(part.tobytes() for part in parts), arrays.class_names
