"""Fine-tuning as ordinary runs: killed, resumed without their start, extended, exported, refused."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

from export.make import make_onnx
from export.session import OnnxSession
from resnet_core.__main__ import main
from resnet_core.commands import add_commands
from resnet_core.config_options import config_of
from resnet_core.files import sha256_of
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.training.find import find_model
from resnet_core.training.new_run import create_run, extend
from tests.resnet_core.few_pictures import CLASSES, draw_few, save_start
from tests.resnet_core.live_runs import assert_same_weights, epochs_of, run, start, wait_for
from tests.resnet_core.own_pictures import draw_pictures, write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Holds few pictures as `data`, and a start."""
    folder = tmp_path_factory.mktemp("finetune")
    draw_few(folder / "data")
    save_start(folder / "start.safetensors")
    return folder


def words(folder: Path, beginning: Path, *others: object) -> list[object]:
    (data,) = (folder / "data" / "own").glob("few-*.npz")
    return [
        "train", "--from", beginning, "--data", f"own/{data.stem}", "--data-folder", folder / "data",
        "--device", "cpu", "--threads", 1, *others,
    ]  # fmt: skip


def step_of_checkpoint(run: RunFolder) -> int:
    if not run.state_file.exists():
        return -1
    with safe_open(run.state_file, framework="numpy") as file:
        return json.loads(file.metadata()["progress"])["step"]


def test_killed_and_resumed_without_its_start_is_bit_identical(
    tmp_path: Path, folder: Path
) -> None:
    beginning = save_start(tmp_path / "start.safetensors")
    options = ["--train-part", "last_stage", "--epochs", 100, "--checkpoint-seconds", 0.2]
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    process = start(*words(folder, beginning, *options, "--run", broken.path))
    wait_for(lambda: step_of_checkpoint(broken) > 0, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert broken.state() is RunState.INTERRUPTED
    done = run(*words(folder, beginning, *options, "--run", whole.path))
    assert done.returncode == 0, done.stderr
    beginning.unlink()
    resumed = run("resume", broken.path)
    assert resumed.returncode == 0, resumed.stderr
    assert "Resuming at step" in resumed.stdout and "last stage alone" in resumed.stdout
    assert_same_weights(whole, broken)
    assert epochs_of(whole) == epochs_of(broken) and len(epochs_of(whole)) == 100
    assert whole.summary()["test_error_percent"] == broken.summary()["test_error_percent"]


def test_a_start_that_is_gone_or_changed_is_said_in_one_sentence(
    tmp_path: Path, folder: Path, capsys
) -> None:
    beginning = save_start(tmp_path / "start.safetensors")
    told = sha256_of(beginning)
    queued = RunFolder(tmp_path / "queued")
    line = [str(w) for w in words(folder, beginning, "--run", queued.path, "--epochs", 1)]
    options = _parse(line)
    create_run(config_of(options), tmp_path, queued.path)
    assert queued.config()["start"]["sha256"] == told
    save_start(beginning, classes=7)
    assert main(["resume", str(queued.path)]) == 2
    said = capsys.readouterr().err
    assert "is no longer what this run was to start from" in said and said.count("\n") == 1
    beginning.unlink()
    assert main(["resume", str(queued.path)]) == 2
    said = capsys.readouterr().err
    assert "are gone" in said and "start a new run" in said and said.count("\n") == 1


def _parse(line: list[str]):
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    return parser.parse_args(line)


def test_a_run_tells_its_start_and_is_extended_exported_and_started_from(
    tmp_path: Path, folder: Path, capsys
) -> None:
    beginning = folder / "start.safetensors"
    runs = tmp_path / "runs"
    tuned = RunFolder(runs / "tuned")
    line = words(folder, beginning, "--train-part", "head", "--epochs", 2, "--run", tuned.path)
    assert main([str(word) for word in line]) == 0
    printed = capsys.readouterr().out
    assert "head alone, on features computed once" in printed
    assert "always guessing the commonest class: 7" in printed  # of four classes in equal shares
    assert tuned.config()["start"]["sha256"] == sha256_of(beginning)
    said = shlex.split(tuned.config()["command"])
    assert said[3:6] == ["train", "--from", str(beginning)] and "--model" not in said
    assert said[said.index("--batch-size") + 1] == "8"
    summary = tuned.summary()
    assert summary["start"] == str(beginning) and summary["train_part"] == "head"
    made = make_onnx(find_model("tuned", runs), "fp32", None, folder)
    assert made.file == tuned.onnx_file
    assert tuple(OnnxSession(made.file, "cpu").facts.class_names) == CLASSES
    # A fine-tuned net is a start as any other, by the name of its run.
    again = words(folder, Path("tuned"), "--epochs", 1, "--runs", runs, "--run", runs / "again")
    assert main([str(word) for word in again]) == 0
    assert "--from tuned" in RunFolder(runs / "again").config()["command"]


def test_extending_goes_on_without_the_start(tmp_path: Path, folder: Path) -> None:
    beginning = save_start(tmp_path / "start.safetensors")
    tuned = RunFolder(tmp_path / "tuned")
    line = words(folder, beginning, "--train-part", "head", "--epochs", 2, "--run", tuned.path)
    assert main([str(word) for word in line]) == 0
    beginning.unlink()
    extend(tuned, 1)
    assert main(["resume", str(tuned.path)]) == 0
    assert len(epochs_of(tuned)) == 3 and tuned.summary()["test_readings"] == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--model", "resnet20_v1"], "The net is that of --from"),
        (["--shortcut", "B"], "Leave --model and --shortcut out"),
        (["--train-part", "stem"], "choose one of all, last_stage, head"),
        (["--stage-lr-factor", "2"], "at most 1"),
    ],
)
def test_what_can_not_be_is_refused(folder: Path, capsys, options, sentence: str) -> None:
    line = words(folder, folder / "start.safetensors", *options, "--run", folder / "never")
    assert main([str(word) for word in line]) == 2
    assert sentence in capsys.readouterr().err and not (folder / "never").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--model", "resnet8_v1", "--train-part", "head"], "choose a model to start from (--from)"),
        ([], "Name a net with --model, or trained weights with --from"),
        (["--from", "nothing"], "neither a shipped model"),
    ],
)  # fmt: skip
def test_parts_need_a_start_and_a_start_must_be_there(capsys, options, sentence: str) -> None:
    assert main(["train", "--data", "shapes", *options]) == 2
    assert sentence in capsys.readouterr().err


def test_estimate_knows_fine_tuning(folder: Path, capsys) -> None:
    _, *line = words(folder, folder / "start.safetensors", "--train-part", "head", "--json")
    assert main(["estimate", *(str(word) for word in line)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["epochs"] == 20 and found["images_per_second"] > 0 and not found["compiled"]


def test_pictures_given_as_they_are_get_the_size_of_the_start(tmp_path: Path, capsys) -> None:
    beginning = save_start(tmp_path / "start.safetensors", "resnet18", input_size=48)
    pictures = write_folder(tmp_path / "pictures", draw_pictures())
    common = ["train", "--from", str(beginning), "--data", str(pictures), "--data-folder", str(tmp_path)]  # fmt: skip
    net = config_of(_parse(common)).model
    assert (net.name, net.input_size, net.classes) == ("resnet18", 48, 3)
    assert config_of(_parse([*common, "--image-size", "64"])).model.input_size == 64


def test_the_command_lists_starts_without_torch() -> None:
    program = (
        "import sys; from pathlib import Path; from ui.train.start_form import offer_starts, chosen_start;"
        "names = [name for _, name in offer_starts()]; assert 'resnet20_v1' in names;"
        "assert chosen_start('resnet20_v1').header.config.depth == 20;"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
