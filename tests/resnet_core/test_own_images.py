"""Own images: whatever a person brings is read right, listed as left out, or refused."""

from __future__ import annotations

import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnet_core.data import own_images
from resnet_core.data.catalogue import describe_dataset, list_datasets
from resnet_core.data.dataset import load_dataset
from resnet_core.data.own_images import prepare_images, sample_thumbnails
from resnet_core.data.own_store import find_prepared, load_own_arrays
from resnet_core.errors import ConfigError, DataError
from tests.resnet_core.own_pictures import (
    CLASSES,
    ROOT,
    SIDE,
    Pictures,
    contents,
    png,
    write_folder,
    write_npz,
    write_zip,
)


def test_folder_zip_and_arrays_give_the_same_set(tmp_path: Path, pictures: Pictures) -> None:
    sources = [
        write_folder(tmp_path / "pets", pictures),
        write_zip(tmp_path / "pets.zip", pictures),
        write_zip(
            tmp_path / "wrapped.zip",
            dict(reversed(pictures.items())),
            "My pets/",
            **{"__MACOSX/My pets/._00.png": b"x", "My pets/.DS_Store": b"x"},
        ),
        write_npz(tmp_path / "pets.npz", pictures),
    ]
    prepared = [prepare_images(source, tmp_path, SIDE) for source in sources]
    first, *others = (contents(p.name, tmp_path) for p in prepared)
    assert all(other == first for other in others)
    assert first[-1] == CLASSES
    for p in prepared:
        assert [(c.train, c.test) for c in p.report.classes] == [(8, 2), (4, 1), (4, 1)]
        assert p.report.left_out_total == 0 and str(tmp_path) not in p.file.read_bytes().decode(
            "latin1"
        )
    # Every picture is on one side, with its own label, and nothing else is there.
    arrays = load_own_arrays(prepared[0].name, tmp_path)
    found = [*zip(arrays.x_train, arrays.y_train, strict=True)]
    found += [*zip(arrays.x_test, arrays.y_test, strict=True)]
    assert sorted((x.tobytes(), CLASSES[y]) for x, y in found) == sorted(
        (x.tobytes(), name.rsplit("/", 1)[0]) for name, x in pictures.items()
    )


def test_the_seed_and_the_pixels_alone_choose_the_test_images(
    tmp_path: Path, pictures: Pictures
) -> None:
    def test_images(given: Pictures, seed: int) -> set[bytes]:
        source = write_npz(tmp_path / "a.npz", given)
        arrays = load_own_arrays(prepare_images(source, tmp_path, seed=seed).name, tmp_path)
        return {x.tobytes() for x in arrays.x_test}

    chosen = test_images(pictures, 0)
    assert test_images(dict(reversed(pictures.items())), 0) == chosen
    assert test_images(pictures, 1) != chosen


def test_pictures_go_through_the_door_that_classifying_uses(tmp_path: Path) -> None:
    from resnet_core.pictures import read_picture, to_input

    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    expected = set()
    for name in ("a", "b"):
        (tmp_path / "set" / name / "deep").mkdir(parents=True)
        for i in range(2):
            path = tmp_path / "set" / name / "deep" / f"{i}.jpg"
            image = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
            image.save(path, exif=exif)
            expected.add(to_input(read_picture(path).image, 24).tobytes())
    arrays = load_own_arrays(prepare_images(tmp_path / "set", tmp_path, 24).name, tmp_path)
    assert {x.tobytes() for x in (*arrays.x_train, *arrays.x_test)} == expected


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_what_can_not_be_read_is_listed_and_left_out(
    tmp_path: Path, pictures: Pictures, kind: str
) -> None:
    good = png(next(iter(pictures.values())))
    bad = {
        "Vögel/cut.png": (good[: len(good) // 2], "damaged or incomplete"),
        "Vögel/empty.jpg": (b"", "empty"),
        "Vögel/notes.txt": (b"not a picture", "not a picture"),
        "Vögel/more.zip": (b"PK\x03\x04", "archive within"),
        "README.md": (b"# Birds", "outside the folders"),
    }
    source = write_folder(tmp_path / "birds", pictures)
    for name, (data, _) in bad.items():
        (source / name).write_bytes(data)
    if kind == "zip":
        source = write_zip(tmp_path / "birds.zip", pictures, **{k: v for k, (v, _) in bad.items()})
    report = prepare_images(source, tmp_path, SIDE).report
    reasons = {item.name: item.reason for item in report.left_out}
    assert reasons.keys() == bad.keys() and report.left_out_total == 5
    for name, (_, reason) in bad.items():
        assert reason in reasons[name] and reasons[name].endswith(".")
    assert report.train_images + report.test_images == 20


def test_a_member_damaged_in_the_archive_is_listed(tmp_path: Path, pictures: Pictures) -> None:
    path = write_zip(tmp_path / "a.zip", pictures)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        data[archive.infolist()[3].header_offset + 100] ^= 255
    path.write_bytes(data)
    report = prepare_images(path, tmp_path, SIDE).report
    assert report.left_out_total == 1 and "within the archive" in report.left_out[0].reason


@pytest.mark.parametrize("test_folder", ["test", "Validation"])
def test_a_given_split_is_kept(tmp_path: Path, pictures: Pictures, test_folder: str) -> None:
    names = list(pictures)
    for_test = {names[0], names[11], names[12], names[19]}
    placed = {
        f"{test_folder if name in for_test else 'train'}/{name}": x for name, x in pictures.items()
    }
    report = prepare_images(write_zip(tmp_path / "a.zip", placed, "top/"), tmp_path, SIDE).report
    assert [(c.name, c.train, c.test) for c in report.classes] == [
        (CLASSES[0], 9, 1), (CLASSES[1], 3, 2), (CLASSES[2], 4, 1),
    ]  # fmt: skip
    assert report.test_share is None
    assert len(report.notes) == (test_folder == "Validation")


def test_copies_do_not_straddle_the_split(tmp_path: Path, pictures: Pictures) -> None:
    copies = {name.replace(".png", " copy.png"): x for name, x in pictures.items() if "0" in name}
    copies = {name: x for name, x in copies.items() if name.startswith("Vögel")}
    for seed in range(5):
        prepared = prepare_images(
            write_zip(tmp_path / "a.zip", pictures | copies), tmp_path, SIDE, 0.4, seed
        )
        arrays = load_own_arrays(prepared.name, tmp_path)
        assert prepared.report.duplicates == 5
        assert not {x.tobytes() for x in arrays.x_train} & {x.tobytes() for x in arrays.x_test}
        assert prepared.report.classes[1].test == 0 and "No test images for Vögel" in str(
            prepared.report.notes
        )


def test_a_given_test_split_loses_its_copies(tmp_path: Path, pictures: Pictures) -> None:
    x = np.stack(list(pictures.values()))
    y = np.arange(20) % 2
    test = {"x_test": np.concatenate([x[:2], 255 - x[2:3]]), "y_test": y[:3]}
    source = write_npz(tmp_path / "a.npz", pictures, y_train=y, class_names=None, **test)
    report = prepare_images(source, tmp_path).report
    assert [c.name for c in report.classes] == ["0", "1"]
    assert (report.train_images, report.test_images, report.duplicates) == (20, 1, 2)
    assert [item.name for item in report.left_out] == ["x_test[0]", "x_test[1]"]


def test_classes_too_small_are_left_out_and_one_is_not_enough(
    tmp_path: Path, pictures: Pictures
) -> None:
    few = {name: x for name, x in pictures.items() if not name.startswith("鳥") or "00" in name}
    report = prepare_images(write_folder(tmp_path / "a", few), tmp_path, SIDE).report
    assert [c.name for c in report.classes] == list(CLASSES[:2])
    assert [item.name for item in report.left_out] == ["鳥 🐦/00.png"]
    one = {name: x for name, x in few.items() if not name.startswith("V")}
    with pytest.raises(DataError, match="at least 2 classes"):
        prepare_images(write_folder(tmp_path / "b", one), tmp_path, SIDE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="none"):
        prepare_images(tmp_path / "empty", tmp_path)


def test_grey_arrays_become_colour(tmp_path: Path, pictures: Pictures) -> None:
    grey = np.stack(list(pictures.values()))[..., 0]
    sets = [
        prepare_images(write_npz(tmp_path / "a.npz", pictures, x_train=x), tmp_path)
        for x in (grey, grey[..., None], grey[..., None].repeat(3, -1))
    ]
    first, *others = (contents(p.name, tmp_path) for p in sets)
    assert all(other == first for other in others)


def test_many_classes_have_wide_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (900, 8, 8, 3), dtype=np.uint8), np.arange(900) % 300
    source = tmp_path / "a.npz"
    np.savez(source, x_train=x, y_train=y)
    dataset = load_dataset(prepare_images(source, tmp_path).name, tmp_path)
    assert sorted(dataset.train.labels.tolist()) == sorted([*range(300)] * 2)
    assert sorted(dataset.test.labels.tolist()) == list(range(300))


def test_the_same_source_is_prepared_once(
    tmp_path: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_zip(tmp_path / "Ünsere Haustiere (2).zip", pictures)
    counted: list[tuple[int, int]] = []
    first = prepare_images(source, tmp_path, progress=lambda *count: counted.append(count))
    assert first.name.startswith("own/unsere-haustiere-2-") and counted[-1] == (20, 20)
    assert first.report.source == "Ünsere Haustiere (2).zip"
    with monkeypatch.context() as patch:
        patch.setattr(own_images, "read_picture", pytest.fail)
        assert prepare_images(source, tmp_path) == first
    assert prepare_images(source, tmp_path, seed=1).name != first.name
    assert prepare_images(source, tmp_path, 24).name != first.name
    first.file.write_bytes(b"half a file")
    assert prepare_images(source, tmp_path) == first  # made anew
    assert len(list_datasets(tmp_path)) == 2 + 3
    with pytest.raises(ConfigError, match=r"8 to 512.*0 and 1"):
        prepare_images(source, tmp_path, 5, 1.5)


def test_names_lead_to_sets_and_to_nothing_else(tmp_path: Path, pictures: Pictures) -> None:
    data = tmp_path / "data"
    prepared = prepare_images(write_npz(tmp_path / "a.npz", pictures), data)
    assert describe_dataset(prepared.name, data) == (CLASSES, SIDE)
    assert describe_dataset("cifar10", data)[0][0] == "airplane"
    assert list_datasets(data) == ["cifar10", "shapes", prepared.name]
    assert load_dataset(prepared.name, data).class_names == CLASSES
    for name in ("own/none", "own/../../a", "own/", "own/.x", f"{prepared.name}/"):
        with pytest.raises(ConfigError, match=prepared.name):
            load_dataset(name, data)
    with pytest.raises(ConfigError, match=prepared.name):
        describe_dataset("mnist", data)
    prepared.file.write_bytes(prepared.file.read_bytes()[:-100])
    with pytest.raises(DataError, match="prepare the images again"):
        find_prepared(prepared.name, data)


def test_thumbnails_are_training_images_of_their_class(tmp_path: Path, pictures: Pictures) -> None:
    prepared = prepare_images(write_npz(tmp_path / "a.npz", pictures), tmp_path)
    arrays = load_own_arrays(prepared.name, tmp_path)
    samples = sample_thumbnails(prepared, 6)
    assert list(samples) == list(CLASSES)
    assert [len(x) for x in samples.values()] == [6, 4, 4]
    for i, images in enumerate(samples.values()):
        of_class = [x.tobytes() for x in arrays.x_train[arrays.y_train == i]]
        places = [of_class.index(x.tobytes()) for x in images]
        assert places == sorted(set(places)) and {0, len(of_class) - 1} <= set(places)


def test_preparing_and_showing_import_no_torch(tmp_path: Path, pictures: Pictures) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from resnet_core.data import catalogue, own_images\n"
        "assert 'PIL' not in sys.modules\n"
        "p = own_images.prepare_images(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "own_images.sample_thumbnails(p); catalogue.describe_dataset(p.name, Path(sys.argv[2]))\n"
        "sys.exit('torch' in sys.modules)"
    )
    source = write_zip(tmp_path / "a.zip", pictures)
    done = subprocess.run([sys.executable, "-c", program, source, tmp_path], cwd=ROOT)
    assert done.returncode == 0


def test_a_kill_while_preparing_leaves_no_set(tmp_path: Path, pictures: Pictures) -> None:
    """Kill the real code with its file written and not yet in place; the next try works."""
    program = (
        "import os, sys, time; from pathlib import Path\n"
        "from resnet_core.data.own_images import prepare_images\n"
        "def slow(file):\n"
        "    print('written', flush=True); time.sleep(60)\n"
        "os.fsync = slow\n"
        "prepare_images(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    source, data = write_npz(tmp_path / "a.npz", pictures), tmp_path / "data"
    writer = subprocess.Popen(
        [sys.executable, "-c", program, source, data], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None and writer.stdout.readline() == b"written\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert list(data.glob("own/.*")) and list_datasets(data) == ["cifar10", "shapes"]
    assert prepare_images(source, data).report.train_images == 16
    assert len(list_datasets(data)) == 3
