"""The table of a folder: what is in it, how it goes on after a kill, and what it leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest

from export.folder.files import find_files
from export.folder.order import Order
from export.folder.run import Advanced, Ended, Opened, classify_folder
from export.folder.show import describe, show_folder
from export.folder.table import Form, open_table
from resnet_core.errors import ConfigError, LabError, PictureError
from tests.conftest import ROOT
from tests.export.folder_helpers import CLASSES, model, rows, write_grey

GREYS = {"b/two.png": 250, "a.png": 3, "b/one.png": 127, "c.png": 60, "B.png": 195}
IN_ORDER = ["B.png", "a.png", "bad.jpg", "c.png", "b/one.png", "b/two.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name, grey in GREYS.items():
        write_grey(folder / name, grey)
    (folder / "bad.jpg").write_bytes(b"no picture")
    (folder / ".hidden.png").write_bytes(b"no picture")
    (folder / "Thumbs.db").write_bytes(b"no picture")
    return folder


@pytest.fixture(autouse=True)
def by_eye(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, the engine is one whose answers can be said by looking."""
    monkeypatch.setattr(
        "export.folder.run.open_engine", lambda name, engine, beside_decoders: model()
    )


def classify(folder: Path, table: Path, **options: object) -> list:
    return list(classify_folder(Order((folder,), table, "resnet20_v1", **options)))


def test_a_table_says_what_is_in_every_file(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "answers.csv"
    opened, *advanced, ended = classify(folder, table, batch_size=4, top_k=2)
    assert isinstance(opened, Opened) and (opened.files, opened.done) == (6, 0)
    assert [(each.done, each.unreadable) for each in advanced] == [(4, 1), (6, 1)]
    assert isinstance(ended, Ended) and (ended.files, ended.unreadable) == (6, 1)
    found = rows(table)
    assert list(found[0]) == [
        "file", "class", "probability", "doubt", "class_2", "probability_2", "problem", "model",
        "engine",
    ]  # fmt: skip
    assert [row["file"] for row in found] == [str(folder / name) for name in IN_ORDER]
    assert [row["class"] for row in found] == ["bright", "dark", "", "dark", "middle", "bright"]
    assert "not a picture" in found[2]["problem"] and found[2]["probability"] == ""
    for row in found[:2]:
        first, second = float(row["probability"]), float(row["probability_2"])
        assert float(row["doubt"]) == pytest.approx(1 - first + second, abs=2e-6)
        assert (row["model"], row["engine"], row["problem"]) == ("resnet20_v1", "by eye", "")
    assert float(found[3]["doubt"]) > 0.8 > 0.1 > float(found[1]["doubt"])


def test_whatever_a_kill_tore_off_is_written_again(folder: Path, tmp_path: Path) -> None:
    write_grey(folder / 'a "name",\nin two lines.png', 100)
    table = tmp_path / "answers.csv"
    classify(folder, table)
    whole = table.read_bytes()
    for cut in range(0, len(whole), 5):
        table.write_bytes(whole[:cut])
        opened, *_ = classify(folder, table)
        assert table.read_bytes() == whole, cut
        assert opened.done <= whole[:cut].count(b"resnet20_v1")


def test_what_is_in_the_table_is_not_classified_again(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "answers.csv"
    classify(folder, table)
    kept = table.read_bytes()
    write_grey(folder / "0 new.png", 9)
    opened, _, ended = classify(folder, table)
    assert (opened.files, opened.done) == (7, 6)
    assert (ended.classified_now, ended.unreadable) == (1, 1)
    assert table.read_bytes().startswith(kept)
    assert rows(table)[-1]["file"] == str(folder / "0 new.png")
    *_, ended = classify(folder, table)
    assert ended.classified_now == 0 and len(rows(table)) == 7
    *_, ended = classify(folder, table, again=True)
    assert ended.classified_now == 7 and rows(table)[0]["file"] == str(folder / "0 new.png")


def test_a_table_among_the_pictures_is_not_one_of_them(folder: Path) -> None:
    *_, ended = classify(folder, folder / "answers.csv")
    assert ended.files == 6
    opened, *_ = classify(folder, folder / "answers.csv")
    assert (opened.files, opened.done) == (6, 6)


@pytest.mark.parametrize("again", [False, True])
def test_somebody_elses_file_is_left_as_it_is(folder: Path, tmp_path: Path, again: bool) -> None:
    for content in (b"name;salary\r\n", b"\x89PNG", b"fi1e"):
        (tmp_path / "mine.csv").write_bytes(content)
        with pytest.raises(LabError, match="is no table of answers and is left as it is"):
            classify(folder, tmp_path / "mine.csv", again=again)
        assert (tmp_path / "mine.csv").read_bytes() == content


def test_tables_of_another_kind_are_not_gone_on_with(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "answers.csv"
    classify(folder, table, top_k=2)
    kept = table.read_bytes()
    with pytest.raises(LabError, match="another --top-k"):
        classify(folder, table, top_k=3)
    with pytest.raises(LabError, match="holds answers of resnet20_v1, not of plain20"):
        list(classify_folder(Order((folder,), table, "plain20", top_k=2)))
    table.write_bytes(kept + b"one,two\r\n")
    with pytest.raises(LabError, match="changed by hand"):
        classify(folder, table, top_k=2)


def test_two_writers_at_once_are_kept_apart(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "answers.csv"
    with (
        open_table(table, Form("a model", "an engine", CLASSES, 2)),
        pytest.raises(LabError, match="another process"),
    ):
        classify(folder, table)


def test_what_can_not_be_asked_is_said_together(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        classify(folder, tmp_path / "a.csv", top_k=0, batch_size=0)
    assert len(caught.value.problems) == 2
    with pytest.raises(LabError, match=r"can't be written \(Is a directory\)"):
        classify(folder, folder)
    with pytest.raises(PictureError, match="nothing at"):
        classify(folder / "absent", tmp_path / "a.csv")
    (folder / "empty").mkdir()
    with pytest.raises(PictureError, match="no file in"):
        classify(folder / "empty", tmp_path / "a.csv")
    assert not (tmp_path / "a.csv").exists()


def test_names_are_paths_and_never_formulas(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    odd = [Path("=cmd.png"), Path(os.fsdecode(b"-\xff.png")), Path("@ü,\n.png")]
    for path in odd:
        write_grey(path, 200)
    table = Path("answers.csv")
    classify(Path(), table)
    names = [row["file"] for row in rows(table)]
    assert sorted(Path(name) for name in names) == sorted(odd)
    assert all(name.startswith("./") for name in names)
    opened, *_ = classify(Path(), table)
    assert opened.done == 3


def test_files_are_found_once_and_folders_are_not_followed_in_circles(folder: Path) -> None:
    (folder / "b" / "circle").symlink_to(folder)
    (folder / "gone.png").symlink_to(folder / "nowhere")
    found = find_files([folder, folder / "a.png"], folder / "answers.csv")
    assert [str(path.relative_to(folder)) for path in found] == [
        *IN_ORDER[:4], "gone.png", *IN_ORDER[4:]
    ]  # fmt: skip


def test_progress_is_told_in_plain_words() -> None:
    assert describe(Opened("a.csv", "net", "an engine", 1200, 0)) == "1,200 files; net on an engine"
    assert "1,000 of them are in a.csv already" in describe(Opened("a.csv", "n", "e", 1200, 1000))
    assert (
        describe(Advanced(64, 1200, 2, 120.4, 75.0))
        == "64 of 1,200 files, 2 can't be read, 120 files/s, 1:15 left"
    )
    assert describe(Ended("a.csv", 9, 0, 4, 61.2)) == "a.csv: 9 files; 4 now, in 1:01"


def test_a_pipe_gets_few_lines_a_terminal_a_bar_and_a_program_objects(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, ended = Opened("a.csv", "net", "engine", 1000, 0), Ended("a.csv", 1000, 0, 1000, 9.0)
    events = [opened, *(Advanced(n, 1000, 0, 99.0, 9.0) for n in range(1, 1001)), ended]
    assert show_folder(events) == ended
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == describe(opened) and lines[-1] == describe(ended)
    assert [line.split()[0] for line in lines[1:-1]] == [f"{n:,}" for n in range(50, 1001, 50)]
    show_folder(events, as_json=True)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["event"] for each in told] == ["opened", *["advanced"] * 1000, "ended"]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert show_folder(events) == ended
    drawn = capsys.readouterr().out
    assert "100.0 %" in drawn and "\x1b[" in drawn and describe(ended) in drawn


def test_a_folder_is_classified_without_torch(folder: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from export.__main__ import main; main(sys.argv[1:]); "
        "sys.exit('torch' in sys.modules)"
    )
    words = [
        "classify",
        str(folder),
        "--csv",
        str(tmp_path / "a.csv"),
        "--engine",
        "onnxruntime-cpu",
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and len(rows(tmp_path / "a.csv")) == 6, done.stderr


STUCK = """
import sys, threading, export.folder.stream as stream
from resnet_core.pictures import read_input
def read(path, size):
    if path.name == "0200.png":
        threading.Event().wait()
    return read_input(path, size)
stream.classify_many.__defaults__ = (*stream.classify_many.__defaults__[:-1], read)
from export.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_run_goes_on_and_ends_as_one_that_was_left_alone(
    tmp_path: Path, run_module
) -> None:
    """The real command, stuck at one picture for good and killed there with SIGKILL."""
    for number in range(300):
        write_grey(tmp_path / "many" / f"{number:04}.png", number % 256)
    (tmp_path / "many" / "0100.png").write_bytes(b"")
    words = [
        "classify",
        str(tmp_path / "many"),
        "--batch-size",
        "16",
        "--engine",
        "onnxruntime-cpu",
    ]
    killed, alone = tmp_path / "killed.csv", tmp_path / "alone.csv"
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK, *words, "--csv", str(killed)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    while not killed.exists() or len(killed.read_bytes().splitlines()) < 1 + 192:
        assert process.poll() is None
        sleep(0.02)
    process.kill()
    process.communicate()
    with open(killed, "r+b") as file:  # a kill in the middle of a write
        file.truncate(killed.stat().st_size - 7)
    done = run_module("export", *words, "--csv", killed)
    assert done.returncode == 0, done.stderr
    assert "300 files, 191 of them are in" in done.stdout
    assert "300 files, 1 can't be read; 109 now" in done.stdout
    assert run_module("export", *words, "--csv", alone).returncode == 0
    for found, expected in zip(rows(killed), rows(alone), strict=True):
        # Its batches were cut elsewhere: the same arithmetic in another order.
        for column in ("probability", "doubt"):
            near = pytest.approx(float(expected.pop(column) or 0), abs=1e-5)
            assert float(found.pop(column) or 0) == near
        assert [found[c] for c in ("file", "class", "problem")] == [
            expected[c] for c in ("file", "class", "problem")
        ]
    assert "empty" in rows(killed)[100]["problem"]


def test_the_command_exits_by_what_could_be_read(folder: Path, tmp_path: Path, run_module) -> None:
    words = ("--csv", tmp_path / "a.csv", "--engine", "onnxruntime-cpu", "--top-k", 1)
    done = run_module("export", "classify", folder, *words)
    assert done.returncode == 0 and "6 files, 1 can't be read" in done.stdout, done.stderr
    assert list(rows(tmp_path / "a.csv")[0])[3:5] == ["doubt", "problem"]
    bad = run_module(
        "export", "classify", folder / "bad.jpg", "--csv", tmp_path / "b.csv", "--json"
    )
    assert bad.returncode == 2 and '"event": "ended"' in bad.stdout.splitlines()[-1]
    alone = run_module("export", "classify", folder)
    assert alone.returncode == 2 and "give --csv FILE" in alone.stderr
