"""The settings, the config they stand for, and the command line say the same."""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest

from resnet_core.commands import add_commands
from resnet_core.config_options import config_of as config_from_words
from resnet_core.errors import ConfigError, LabError, RunError
from resnet_core.files import write_json
from resnet_core.models.config import parse_model_name
from resnet_core.runs.folder import RunFolder
from resnet_core.runs.history import read_history_csv
from resnet_core.training.recipes import RECIPES
from resnet_core.zoo import zoo_entries
from tests.resnet_core.few_pictures import draw_few, save_start
from ui import run_jobs
from ui.depth.study_form import build_study_form
from ui.train.form import (
    NAMES,
    RECIPE_FIELDS,
    build_form,
    config_of,
    recipe_values,
    valid_depths,
    values_of,
)
from ui.train.start_form import FOLLOWING, fitted_recipe, offer_starts
from ui.train.tab import (
    _command_line,
    _copy_settings,
    _follow_start,
    _offer_datasets,
    _offer_starts,
    _shown,
)


def values(recipe: str = "paper", **changes: object) -> dict[str, object]:
    chosen = RECIPES[recipe]
    return {
        "start": "", "family": "resnet_v1", "depth": 20, "data": "shapes", "recipe": recipe,
        "amount": chosen.epochs, "unit": "epochs", **recipe_values(chosen), "seed": 3,
        "device": "cpu", "precision": "fp32", "compile": "off", "shortcut": "B", **changes,
    }  # fmt: skip


def test_a_number_below_zero_is_refused_in_our_words() -> None:
    """With a `minimum` Gradio refuses it itself, and the command shown stays that of before."""
    with gr.Blocks():
        budget, study = build_form()["amount"], build_study_form().inputs
    with pytest.raises(ConfigError, match="more than 0 epochs"):
        config_of(values(amount=budget.preprocess(-1)))
    asked = [part.value for part in study]
    for place in (2, 5):  # seeds and epochs
        wrong = [*asked[:place], study[place].preprocess(-1), *asked[place + 1 :]]
        with pytest.raises(ConfigError, match="more than 0 epochs"):
            run_jobs.study_words(*wrong)


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "finetune"])
def test_settings_config_and_command_line_say_the_same(recipe: str) -> None:
    changed = values(recipe, nesterov=recipe == "paper", drop_points="0.25, 0.5", drop_factors="1,0.5",
                     batch_size=64, amount=2.5)  # fmt: skip
    config, minutes = config_of(changed)
    assert minutes is None and set(changed) == set(NAMES)
    assert config.recipe.drop_points == (0.25, 0.5) and config.recipe.batch_size == 64
    assert values_of(config.to_dict()) == changed | {
        "drop_points": "0.25, 0.5", "drop_factors": "1, 0.5",
    }  # fmt: skip
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    words = shlex.split(run_jobs.train_command(config, None))[3:]
    read = config_from_words(parser.parse_args([*words, "--data-folder", config.data_folder]))
    assert read == config
    in_minutes = shlex.split(run_jobs.train_command(config, 7))
    assert in_minutes[in_minutes.index("--minutes") + 1] == "7" and "--epochs" not in in_minutes


@pytest.mark.parametrize("part", ["head", "last_stage", "all"])
def test_a_start_says_the_net_and_the_command_line_says_the_same(part: str) -> None:
    changed = values("finetune", start="resnet56_v1", train_part=part, batch_size=24,
                     family="resnet_v1", depth=56, shortcut="A")  # fmt: skip
    config, _ = config_of(changed)
    assert config.start is not None and config.start.name == "resnet56_v1"
    assert (config.model.name, config.model.classes) == ("resnet56_v1", 10)
    assert config_of(changed | {"family": "plain", "depth": 8})[0] == config
    assert values_of(config.to_dict()) == changed
    words = shlex.split(run_jobs.train_command(config, None))[3:]
    assert words[:3] == ["train", "--from", "resnet56_v1"]
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    assert (
        config_from_words(parser.parse_args([*words, "--data-folder", config.data_folder]))
        == config
    )


def test_choosing_a_start_fills_in_what_follows_from_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("RESNET_LAB_DATA", str(tmp_path))
    few = draw_few(tmp_path)
    names = [*FOLLOWING, "size", "recipe", "amount", "unit", *(f.name for f in RECIPE_FIELDS)]
    fields = dict(zip(names, _follow_start("resnet20_v1", few.name), strict=True))
    assert fields["train_part"] == gr.update(value="last_stage", visible=True)
    assert fields["family"]["visible"] == "hidden" and fields["size"] == 32
    assert fields["recipe"] == "finetune" and "20 layers" in fields["start"]["info"]
    assert fitted_recipe("finetune", "resnet20_v1", few.name).batch_size == 8
    back = dict(zip(names, _follow_start("", few.name), strict=True))
    assert back["family"]["visible"] is True and back["recipe"] == "taste"
    assert back["train_part"] == gr.update(value="all", visible="hidden")
    assert any(name == "resnet20_v1" for _, name in offer_starts())


def test_a_page_can_not_start_from_a_file(tmp_path: Path) -> None:
    path = str(save_start(tmp_path / "start.safetensors"))
    for name in (path, "../zoo/resnet20_v1", "nothing"):
        with pytest.raises(ConfigError, match="There is no model"):
            config_of(values("finetune", start=name))


def test_parts_without_a_start_are_explained_in_place() -> None:
    shown = _command_line(values("finetune", train_part="head"))
    assert "lab-problem" in shown and "choose a model to start from" in shown
    assert "lab-command" in _command_line(
        values("finetune", train_part="head", start="resnet20_v1")
    )


def test_wrong_settings_are_said() -> None:
    for changes, words in (
        ({"drop_points": "a, b"}, "should be numbers"), ({"batch_size": None}, "is empty"),
        ({"amount": 0}, "more than 0 epochs"), ({"lr": -1, "batch_size": 0}, "at least 1 image"),
        ({"data": "own/nothing"}, "own"),
    ):  # fmt: skip
        with pytest.raises(Exception, match=words) as caught:
            config_of(values(**changes))
        assert "Traceback" not in str(caught.value)


def test_only_valid_depths_are_offered() -> None:
    assert valid_depths("resnet_v2")[:3] == [11, 20, 29] and 1001 in valid_depths("resnet_v2")
    assert all((depth - 2) % 6 == 0 for depth in valid_depths("plain"))


def test_menus_hold_what_a_restored_or_copied_run_stands_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio refuses a value that its menu does not have: data come while the app runs."""
    monkeypatch.setenv("RESNET_LAB_DATA", str(tmp_path))
    name = draw_few(tmp_path).name
    shown = dict(zip(NAMES, _shown(values(data=name, depth=116)), strict=True))
    assert shown["data"]["value"] == name and name in shown["data"]["choices"]
    assert "cifar10" in shown["data"]["choices"]
    assert shown["depth"]["value"] == 116 and {20, 116} <= set(shown["depth"]["choices"])
    gone = dict(zip(NAMES, _shown(values(data="own/gone-1")), strict=True))
    assert "own/gone-1" in gone["data"]["choices"]
    assert name in _offer_datasets("shapes")["choices"]


def test_menus_hold_a_start_and_a_device_that_a_copied_run_had_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio would refuse every event of the form from then on."""
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    monkeypatch.setattr("ui.train.form.has_nvidia_gpu", lambda: False)
    copied = values(start="deleted-run", device="cuda")
    shown = dict(zip(NAMES, _shown(copied), strict=True))
    assert shown["device"]["choices"] == ["auto", "cpu", "cuda"]
    assert shown["device"]["value"] == "cuda" and shown["start"]["value"] == "deleted-run"
    for choices in (shown["start"]["choices"], _offer_starts("deleted-run")["choices"]):
        assert ("deleted-run · not here", "deleted-run") in choices
    assert "lab-problem" in _command_line(copied)


def test_a_copy_says_what_the_form_has_no_place_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    said: list[str] = []
    monkeypatch.setattr("ui.train.tab.gr.Warning", said.append)
    plain, _ = config_of(values())
    rare = replace(
        plain, model=replace(plain.model, family="highway", gate_bias=-2.0), split_seed=3, threads=2,
        checkpoint_seconds=5.0, tensorboard=True,
    )  # fmt: skip
    photo = replace(plain, model=parse_model_name("resnet18", classes=8, input_size=64))
    copied = {}
    for name, config in (("plain", plain), ("rare", rare), ("photo", photo)):
        folder = tmp_path / name
        folder.mkdir()
        write_json(folder / "config.json", config.to_dict() | {"command": name})
        copied[name] = _copy_settings(name)
        if name == "plain":
            assert not said
    for words in (
        "--split-seed 3", "--threads 2", "--checkpoint-seconds 5.0", "--tensorboard", "--gate-bias=-2.0",
    ):  # fmt: skip
        assert words in said[0]
    assert dict(zip(NAMES, copied["rare"], strict=True))["family"]["value"] == "highway"
    # Another net in its place would be worse than none.
    assert "resnet18 from random ones" in said[1] and copied["photo"] == [gr.skip()] * len(NAMES)
    assert len(said) == 2


def test_a_command_that_takes_too_long_is_ended_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_jobs, "COMMAND_LIMIT_SECONDS", 0.01)
    with pytest.raises(LabError, match="was ended: run `python -m resnet_core models`"):
        run_jobs.command("resnet_core", "models")


def test_an_empty_number_of_epochs_is_refused_in_a_sentence(
    unbroken: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(unbroken.path.parent))
    with pytest.raises(RunError, match="more than 0 epochs, not 0"):
        run_jobs.lengthen(unbroken.name, None)


def test_every_recipe_field_is_shown_and_explained() -> None:
    from resnet_core.options import field_docs
    from resnet_core.training.recipes import Recipe

    assert all(field_docs(Recipe)[field.name] for field in RECIPE_FIELDS)


def test_a_page_can_not_name_a_folder_outside_the_runs(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path / "runs"))
    (tmp_path / "secret").mkdir()
    write_json(tmp_path / "secret" / "config.json", {})
    for name in ("../secret", str(tmp_path / "secret"), "", ".."):
        with pytest.raises(RunError):
            run_jobs.run_named(name)


def test_a_shipped_history_has_the_cards_last_figures() -> None:
    for entry in zoo_entries():
        history = read_history_csv(entry.folder / "history.csv", entry.card["recipe"]["batch_size"])
        assert len(history.epochs) == entry.card["epochs"]
        assert history.epochs[-1].train_error_percent == entry.card["train_error_percent"]
        assert history.epochs[-1].step == pytest.approx(history.total_steps)
    with pytest.raises(RunError, match="can't be read"):
        read_history_csv(Path(__file__), 128)


def test_runs_commands_show_and_set(run_module, tmp_path: Path) -> None:
    from resnet_core.training.new_run import create_run

    config = replace(config_of(values())[0], data_folder="data")
    folder = create_run(config, tmp_path)
    shown = run_module("resnet_core", "runs", "show", folder.name, "--runs", tmp_path, "--json")
    row = json.loads(shown.stdout)
    assert row["model"] == "resnet20_v1" and row["config"]["seed"] == 3
    assert "2" in run_module("resnet_core", "runs", "limit", 2, "--runs", tmp_path).stdout
    exported = run_module("resnet_core", "runs", "export", folder.path)
    assert exported.returncode == 2 and "no weights yet" in exported.stderr
    missing = run_module("resnet_core", "runs", "stop", "nothing", "--runs", tmp_path)
    assert missing.returncode == 2 and "There is no run" in missing.stderr


def test_a_config_error_names_every_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(values(lr=-1, batch_size=0, weight_decay=-1))
    assert len(caught.value.problems) == 3
