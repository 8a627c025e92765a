"""Models as rows and cards: those that ship, those imported, and those that runs made."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.figures.style import duration
from export.confidence import read_confidence
from resnet_core.errors import LabError, ModelError
from resnet_core.models.config import ModelConfig
from resnet_core.plural import counted
from resnet_core.runs.folder import RunFolder, list_runs
from resnet_core.runs.history import History, read_history, read_history_csv, step_images
from resnet_core.zoo import ZooEntry, imported_entries, zoo_entries
from ui import run_jobs
from ui.action_list import action_button
from ui.command_lines import DATA, command_line, folders_of


@dataclass(frozen=True)
class ModelEntry:
    """One model, wherever it comes from."""

    name: str
    title: str
    config: dict[str, Any]
    origin: str
    """Where it comes from, in words."""
    data: str
    training: str
    """On what and how it was trained, in words."""
    step_images: int | None
    """Images in a step of its training, over all devices; a run says that itself."""
    test_error_percent: float | None
    train_error_percent: float | None
    train_seconds: float | None
    params: int | None
    multiply_adds: int | None
    command: str
    weights_file: Path | None
    onnx_file: Path | None
    run: RunFolder | None
    history_file: Path | None
    can_be_deleted: bool

    def history(self) -> History:
        """Its training curves.

        Raises:
            LabError: there are none.
        """
        if self.run is not None:
            return read_history(self.run)
        if self.history_file is None or self.step_images is None:
            raise ModelError(f"How {self.name} was trained is not known.")
        return read_history_csv(self.history_file, self.step_images)


def list_models() -> list[ModelEntry]:
    """Shipped models, best first, imported ones, then what finished runs made, newest first."""
    runs = [run for run in list_runs(run_jobs.runs_folder()) if run.summary_file.is_file()]
    imported = map(_imported, imported_entries(run_jobs.runs_folder()))
    trained = (entry for run in runs if (entry := _trained(run)) is not None)
    return [*map(_shipped, zoo_entries()), *imported, *trained]


def _shipped(entry: ZooEntry) -> ModelEntry:
    card = entry.card
    return ModelEntry(
        name=entry.name, title=card["name"], config=card["config"],
        origin="ships with the app", data=card["data"],
        training=_training(card["data"], card["epochs"], card["recipe"]["name"], card["seed"]),
        step_images=step_images(card),
        test_error_percent=card["test_error_percent"],
        train_error_percent=card["train_error_percent"], train_seconds=card["train_seconds"],
        params=card["params"], multiply_adds=card["multiply_adds"], command=card["command"],
        weights_file=entry.weights_file, onnx_file=entry.onnx_file, run=None,
        history_file=entry.folder / "history.csv", can_be_deleted=False,
    )  # fmt: skip


def _imported(entry: ZooEntry) -> ModelEntry:
    card = entry.card
    file = f"{card['imported']['source']}, sha256 {card['imported']['sha256']}"
    published = card.get("published")
    training = "not known"
    if published:
        error = f"{published['top1_error_percent']:.2f} %"
        training = f"ImageNet; published error {error} ({published['source']}), not measured here"
    return ModelEntry(
        name=entry.name, title=card["name"], config=card["config"],
        origin=f"{entry.name}, {card['imported']['source']}", data=card["data"],
        training=f"{training}; {file}", step_images=None, test_error_percent=None,
        train_error_percent=None, train_seconds=None, params=card["params"],
        multiply_adds=card["multiply_adds"], command=card["command"],
        weights_file=entry.weights_file, onnx_file=entry.onnx_file, run=None, history_file=None,
        can_be_deleted=True,
    )  # fmt: skip


def _training(data: str, epochs: float, recipe: str, seed: int) -> str:
    return f"{data}, {counted(epochs, 'epoch')} of {recipe}, seed {seed}"


def _trained(run: RunFolder) -> ModelEntry | None:
    """A run's model; None where its folder was damaged by hand, which must not hide the others."""
    try:
        return _described(run)
    except (LabError, KeyError, TypeError, AttributeError):
        return None


def _described(run: RunFolder) -> ModelEntry:
    config, summary = run.config(), run.summary()
    net = ModelConfig.from_dict(config["model"])
    return ModelEntry(
        name=run.name, title=net.name, config=net.to_dict(),
        origin=f"your run {run.name}", data=config["data"],
        training=_training(config["data"], config["recipe"]["epochs"], config["recipe"]["name"], config["seed"])
        + (f", from {start['name']}" if (start := config.get("start")) else ""),
        step_images=None, test_error_percent=summary["test_error_percent"],
        train_error_percent=summary["train_error_percent"], train_seconds=summary["train_seconds"],
        params=summary["params"], multiply_adds=summary["multiply_adds"],
        command=config["command"], weights_file=run.result_model_file(), onnx_file=run.onnx_file,
        run=run, history_file=None, can_be_deleted=True,
    )  # fmt: skip


def render_models(models: list[ModelEntry], picked: str) -> str:
    """The table; the name of each row is the button that opens its card."""
    head = "".join(
        f"<th>{name}</th>" for name in ("Model", "Data", "Test error", "Parameters", "ONNX")
    )
    rows = "".join(_row(model, model.name == picked) for model in models)
    return f'<div class="lab-table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _row(model: ModelEntry, is_picked: bool) -> str:
    name = action_button(model.title, "show", model.name, f"{model.title}, {model.origin}")
    cells = (
        f'<span class="lab-dot"></span>{name}<br><small>{escape(model.origin)}</small>',
        escape(model.data),
        _error(model.test_error_percent),
        _millions(model.params),
        _megabytes(model.onnx_file),
    )
    marks = f'class="lab-{escape(model.config["family"])}"' + (
        ' aria-current="true"' if is_picked else ""
    )
    return f"<tr {marks}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def render_card(model: ModelEntry) -> str:
    """One model in full."""
    facts = (
        ("Layers", f"{model.config['depth']}, shortcut {model.config['shortcut']}"),
        ("Parameters", _millions(model.params)),
        ("Multiply-adds", _millions(model.multiply_adds)),
        ("Test error", _error(model.test_error_percent)),
        ("Training error", _error(model.train_error_percent)),
        ("Trained on", model.training),
        (
            "Training time",
            "not known" if model.train_seconds is None else duration(model.train_seconds),
        ),
        ("Tells strangers apart", _strangers(model)),
        ("Weights, ONNX", f"{_megabytes(model.weights_file)}, {_megabytes(model.onnx_file)}"),
    )
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return (
        f'<div class="lab-card lab-{escape(model.config["family"])}">'
        f'<p class="lab-model"><span class="lab-dot"></span>{escape(model.origin)}</p>'
        f'<h2 class="lab-verdict">{escape(model.title)}</h2><dl class="lab-facts">{rows}</dl>'
        f'<div class="lab-command"><span>The command that made it</span>'
        f"<code>{escape(model.command)}</code></div></div>"
    )


def _strangers(model: ModelEntry) -> str:
    """How often a test image looks more familiar to the net than a picture of another kind."""
    file = model.onnx_file
    known = read_confidence(file).familiarity if file is not None and file.is_file() else None
    if known is None:
        folders = (*folders_of(model.name), DATA)
        return f"not measured: {command_line('export', 'unlike', model.name, folders=folders)}"
    said = ", ".join(f"{each.name} in {each.auroc_percent:.1f}\u00a0%" for each in known.strangers)
    return f"a test image looks more familiar than {said} of cases (AUROC; a guess: 50\u00a0%)"


def _error(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f} %"


def _millions(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e6:,.2f} M"


def _megabytes(file: Path | None) -> str:
    try:
        return f"{file.stat().st_size / 1e6:.2f} MB" if file is not None else "not yet"
    except OSError:
        return "not yet"
