"""`python -m benchmarks why`: rows into files that go on where they stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.why.progress import expected_rows, shape_changing_blocks, share_done
from benchmarks.why.settings import (
    ANALYSES,
    SHIPPED_FOLDER,
    default_settings,
    parse_blocks,
    parse_pairs,
)
from benchmarks.why.stored import as_line, read_stored
from resnet_core.analysis.surgery import find_blocks
from resnet_core.errors import ConfigError
from resnet_core.models.config import FAMILIES, ModelConfig, parse_model_name
from resnet_core.models.network import Network, PixelModel
from resnet_core.models.saved import save_model
from resnet_core.runs.folder import RunFolder


def write_trained(path: Path, name: str, shapes, seed: int = 0) -> None:
    """A finished run of a tiny net, as far as an analysis looks at it."""
    size = shapes.train.images.shape[1]
    config = parse_model_name(name, classes=len(shapes.class_names), input_size=size)
    torch.manual_seed(seed)
    model = PixelModel(config, torch.full((3,), 127.0), torch.full((3,), 64.0))
    run = RunFolder(path)
    save_model(run.last_model_file, model, shapes.class_names)
    recipe = {
        "name": "taste", "epochs": 1.0, "batch_size": 128, "keep": "last", "validation_images": 60,
    }  # fmt: skip
    facts = {
        "model": config.to_dict(), "data": "shapes", "recipe": recipe, "seed": seed,
        "split_seed": 0, "command": "python -m resnet_core train",
    }  # fmt: skip
    run.config_file.write_text(json.dumps(facts))
    run.summary_file.write_text(json.dumps({"test_error_percent": 50.0}))


@pytest.fixture(scope="module")
def runs(tmp_path_factory, shapes) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    write_trained(folder / "plain", "plain14", shapes, 0)
    write_trained(folder / "resnet_v1", "resnet14_v1", shapes, 1)
    return folder


@pytest.fixture
def why(runs: Path, shapes, capsys, monkeypatch):
    """Ask by the command line; gives the status and what was printed."""
    # Drawn once for all: that is most of the time such a small question takes.
    monkeypatch.setattr("benchmarks.why.measure.load_dataset", lambda *_: shapes)

    def ask(*words: object) -> tuple[int, str, str]:
        status = main(["why", *map(str, words), "--runs", str(runs)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return ask


QUESTIONS = {
    "gradients": ["plain8", "resnet8_v1", "--images", 8, "--starts", 2, "--data", "shapes"],
    "surgery": ["plain", "resnet_v1", "--images", 20, "--swaps"],
    "landscape": ["plain", "resnet_v1", "--images", 20, "--points", 5],
    "responses": ["plain", "resnet_v1", "--images", 20],
    "ensemble": ["plain", "resnet_v1", "--images", 20],
}


@pytest.mark.parametrize("analysis", ANALYSES)
def test_a_torn_file_goes_on_and_ends_as_an_unbroken_one(
    why, tmp_path: Path, analysis: str
) -> None:
    unbroken, torn = tmp_path / "unbroken.jsonl", tmp_path / "torn.jsonl"
    status, printed, _ = why(analysis, *QUESTIONS[analysis], "--json", "--out", unbroken)
    assert status == 0
    stored = read_stored(unbroken)
    assert stored.is_finished and share_done(stored) == 1.0
    rows = [row for row in stored.rows if row["event"] != "pick"]
    assert len(rows) == expected_rows(stored.header)
    assert [json.loads(line) for line in printed.splitlines()] == [
        json.loads(line) for line in unbroken.read_text().splitlines()
    ]
    lines = unbroken.read_bytes().splitlines(keepends=True)
    kept = 1 + len(stored.rows) // 2
    torn.write_bytes(b"".join(lines[:kept]) + lines[kept][:9])
    assert not read_stored(torn).is_finished
    assert why(analysis, *QUESTIONS[analysis], "--out", torn)[0] == 0
    rows_of = [set(path.read_text().splitlines()[1:]) for path in (unbroken, torn)]
    assert rows_of[0] == rows_of[1] and read_stored(torn).is_finished


def test_a_file_says_by_which_command_and_environment_on_what(why, tmp_path: Path) -> None:
    out = tmp_path / "surgery.jsonl"
    why("surgery", *QUESTIONS["surgery"], "--out", out)
    header = read_stored(out).header
    assert header["command"] == (
        "python -m benchmarks why surgery plain resnet_v1 --images 20 --seed 0 --swaps"
    )
    assert (header["split"], header["images"], header["data"]) == ("validation", 20, "shapes")
    assert header["environment"]["torch"] == torch.__version__
    assert [len(model["weights"]) for model in header["models"]] == [16, 16]


def test_another_question_begins_anew(why, tmp_path: Path) -> None:
    out = tmp_path / "responses.jsonl"
    why("responses", "plain", "--images", 20, "--out", out)
    why("responses", "plain", "--images", 30, "--out", out)
    stored = read_stored(out)
    assert stored.header["images"] == 30 and len(stored.rows) == 1


def test_only_what_is_asked_is_operated(why) -> None:
    status, printed, _ = why("surgery", "resnet_v1", "--off", "1,2", "--swap", "4-4", "--json")
    assert status == 0
    rows = [json.loads(line) for line in printed.splitlines()][1:-1]
    assert [(row["off"], row["swapped"]) for row in rows] == [([], []), ([1, 2], [[4, 4]])]


def test_results_are_lines_a_person_reads(why) -> None:
    _, printed, _ = why("surgery", "resnet_v1", "--images", 20, "--off", "2")
    lines = printed.splitlines()
    assert lines[0].startswith("What does a trained net lose")
    assert "20 validation images of shapes" in lines[1]
    assert "as trained" in lines[2] and "block 2 off" in lines[3] and "%" in lines[3]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["surgery", "nonsense"], "'nonsense' is neither a shipped model"),
        (["surgery", "plain", "--off", "three"], "'three' names no blocks"),
        (["surgery", "plain", "--off", "99"], "There is no block 99"),
        (["surgery", "plain", "plain"], "A net is named twice"),
        (["landscape", "plain", "--points", 6], "choose 5, 9, 17, 33 or 65 points"),
        (["gradients", "plain21"], "There is no Plain net of depth 21"),
        (["gradients", "plain8", "--starts", 0], "choose 1 or more"),
        (["responses", "plain", "--images", -3], "choose 1 or more"),
    ],
)
def test_what_can_not_be_asked_is_said_in_one_line(why, words, says: str) -> None:
    status, _, error = why(*words)
    assert status == 2 and says in error and len(error.splitlines()) == 1


def test_a_file_of_something_else_is_left_alone(why, tmp_path: Path) -> None:
    precious = tmp_path / "notes.jsonl"
    precious.write_text('{"mine": 1}\n')
    status, _, error = why("responses", "plain", "--images", 20, "--out", precious)
    assert status == 2 and "choose another --out file" in error
    assert precious.read_text() == '{"mine": 1}\n'


def test_a_net_for_photos_shows_its_gradients_and_is_not_operated_on(
    why, runs: Path, shapes, tmp_path: Path
) -> None:
    status, printed, _ = why("gradients", "resnet18", "--images", 8, "--starts", 1, "--json")
    rows = [json.loads(line) for line in printed.splitlines()][1:-1]
    assert status == 0 and [len(row["norms"]) for row in rows] == [18, 18]
    write_trained(runs / "photo", "resnet18", shapes)
    status, _, error = why("surgery", "photo", "--images", 20, "--out", tmp_path / "rows.jsonl")
    assert status == 2 and "Only CIFAR nets can be operated on" in error
    assert not list(tmp_path.iterdir())


def test_blocks_and_pairs_as_they_are_typed() -> None:
    assert parse_blocks("3, 4") == (3, 4) and parse_blocks(None) == ()
    assert parse_pairs("2-5,7-8") == ((2, 5), (7, 8)) and parse_pairs("") == ()
    for text in ("2", "2-5-6", "a-b"):
        with pytest.raises(ConfigError, match="names no pairs"):
            parse_pairs(text)


@pytest.mark.parametrize("family", FAMILIES)
def test_blocks_known_without_torch_are_those_of_the_network(family: str) -> None:
    depth = 2 * FAMILIES[family].layers_per_n + 2
    blocks = find_blocks(Network(ModelConfig(family, depth)))
    count, changing = shape_changing_blocks(family, depth)
    assert count == len(blocks)
    assert changing == {block.number for block in blocks if block.changes_shape}


def test_numbers_are_stored_as_precise_as_they_are_and_never_nan() -> None:
    assert as_line({"a": [0.123456789, 1e-9], "b": None}) == '{"a": [0.123457, 1e-09], "b": null}\n'
    with pytest.raises(ValueError):
        as_line({"a": float("nan")})


@pytest.mark.parametrize("analysis", ANALYSES)
def test_what_ships_is_whole_and_answers_the_default_question(analysis: str) -> None:
    stored = read_stored(SHIPPED_FOLDER / f"{analysis}.jsonl")
    assert stored is not None and stored.is_finished
    assert stored.header["settings"] == default_settings(analysis).to_dict()
    assert stored.header["command"] == default_settings(analysis).command
    assert stored.header["environment"]["torch"]


def test_what_ships_is_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED_FOLDER.iterdir()) < 300_000
