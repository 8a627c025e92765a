"""The Train tab: choose, start, watch, stop, resume, and use what came out."""

from __future__ import annotations

from typing import Any

import gradio as gr

from benchmarks.figures.style import duration
from resnet_core.errors import ConfigError, LabError
from resnet_core.training.new_run import read_config
from ui import run_jobs
from ui.command_lines import DATA, RUNS, with_folders
from ui.events import AT_ONCE, IN_TURN, settled
from ui.html import render_busy, render_command, render_problem
from ui.train.compare import build_compare
from ui.train.form import (
    EPOCHS,
    NAMES,
    RECIPE_FIELDS,
    TrainForm,
    build_form,
    config_of,
    left_out,
    offer_datasets,
    offer_devices,
    recipe_values,
    valid_depths,
    values_of,
)
from ui.train.own_images import build_own_images
from ui.train.run_actions import build_run_actions
from ui.train.start_form import (
    FOLLOWING,
    NOTHING,
    RECIPE_WITH_START,
    USUAL_RECIPE,
    fitted_recipe,
    follow_start,
    offer_part,
    offer_starts,
    usual_size,
)
from ui.train.watch import WatchPanel, build_watch, look

LOOK_EVERY_SECONDS = 1.0


def build_train_tab(kept: gr.BrowserState) -> tuple[WatchPanel, gr.Timer]:
    """Lay the tab out, then wire it. The timer looks at the run while the tab is open.

    Args:
        kept: the settings in the browser's memory; made outside the tabs, which are mounted late.
    """
    gr.Markdown(
        "Train a net for a few minutes and watch its error fall; compare depths, families and recipes.",
        elem_classes="lab-lead",
    )
    with gr.Row(equal_height=False):
        # Shown once the browser's own settings are in it: restoring never overtakes a person.
        with gr.Column(scale=5, min_width=320, elem_id="settings", visible="hidden") as settings:
            form = build_form()
            size = build_own_images(form["data"], form["batch_size"])
            command = gr.HTML(elem_id="train-command")
            with gr.Row():
                measure = gr.Button("Estimate", elem_id="estimate", min_width=120)
                start = gr.Button("Start", variant="primary", elem_id="start", min_width=120)
            said = gr.HTML(elem_id="estimate-answer")
        with gr.Column(scale=7, min_width=320, elem_id="watch"):
            panel = build_watch()
            again = build_run_actions(panel)
    build_compare()
    timer = gr.Timer(LOOK_EVERY_SECONDS, active=False)
    timer.tick(look, [panel.picked, panel.seen], panel.outputs, **AT_ONCE)
    _wire_form(form, command, kept, settings)
    _wire_start(form, size)
    measure.click(_estimate, form.inputs, said, **IN_TURN)
    start.click(_start, form.inputs, [said, panel.picked], **IN_TURN).then(**panel.looking())
    again.click(_copy_settings, panel.picked, form.inputs, **IN_TURN)
    return panel, timer


def _wire_form(
    form: TrainForm, command: gr.HTML, kept: gr.BrowserState, settings: gr.Column
) -> None:
    """Fields follow what they depend on; the command line and the browser's memory follow all."""
    form["family"].input(_offer_depths, [form["family"], form["depth"]], form["depth"], **AT_ONCE)
    form["recipe"].input(
        _fill_in_recipe, [form["recipe"], form["start"], form["data"]], _recipe_parts(form), **AT_ONCE
    )  # fmt: skip
    gr.on(
        [part.change for part in form.inputs],
        _remember, form.inputs, [command, kept], **settled("train form"),
    )  # fmt: skip
    # Command line and settings arrive together: a second event could overtake the first.
    gr.context.Context.root_block.load(
        _restore, [kept, *form.inputs], [settings, command, *form.inputs], **AT_ONCE
    )


def _recipe_parts(form: TrainForm) -> list[Any]:
    return [form["amount"], form["unit"], *(form[field.name] for field in RECIPE_FIELDS)]


def _wire_start(form: TrainForm, size: gr.Number) -> None:
    """Choosing a start chooses the net, a recipe and the pictures' size; other data, the batch size."""
    shown = [form[name] for name in FOLLOWING]
    form["start"].input(
        _follow_start, [form["start"], form["data"]],
        [*shown, size, form["recipe"], *_recipe_parts(form)], **AT_ONCE,
    )  # fmt: skip
    form["data"].input(
        _fit_batch, [form["recipe"], form["start"], form["data"]], form["batch_size"], **AT_ONCE
    )
    # What was trained, imported, prepared or deleted since the menus were made.
    form["start"].focus(_offer_starts, form["start"], form["start"], **AT_ONCE)
    form["data"].focus(_offer_datasets, form["data"], form["data"], **AT_ONCE)


def _follow_start(start: str, data: str) -> list[Any]:
    recipe = USUAL_RECIPE if start == NOTHING else RECIPE_WITH_START
    fields = follow_start(start)
    filled = _fill_in_recipe(recipe, start, data)
    return [*(fields[name] for name in FOLLOWING), usual_size(start), recipe, *filled]


def _fit_batch(recipe: str, start: str, data: str) -> Any:
    """A start's recipe has smaller steps for fewer images; others stay as they were set."""
    return gr.skip() if start == NOTHING else fitted_recipe(recipe, start, data).batch_size


def _offer_starts(chosen: str) -> Any:
    return gr.update(choices=offer_starts(chosen))


def _offer_datasets(chosen: str) -> Any:
    return gr.update(choices=offer_datasets(chosen))


def _values(shown: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(NAMES, shown, strict=True))


def _offer_depths(family: str, depth: int) -> Any:
    depths = valid_depths(family)
    nearest = min(depths, key=lambda offered: abs(offered - int(depth or 20)))
    return gr.update(choices=depths, value=nearest)


def _fill_in_recipe(name: str, start: str, data: str) -> list[Any]:
    recipe = fitted_recipe(name, start, data)
    values = recipe_values(recipe) | {"train_part": offer_part(recipe.train_part, start)}
    return [round(recipe.epochs, 2), EPOCHS, *(values[field.name] for field in RECIPE_FIELDS)]


def _remember(*shown: Any) -> tuple[str, dict[str, Any]]:
    values = _values(shown)
    return _command_line(values), values


def _command_line(values: dict[str, Any]) -> str:
    """The command that the settings stand for, or what is wrong with them."""
    try:
        config, minutes = config_of(values)
    except LabError as error:
        return render_problem(str(error))
    return render_command(with_folders(run_jobs.train_command(config, minutes), RUNS, DATA))


def _restore(kept: dict[str, Any] | None, *shown: Any) -> list[Any]:
    """The settings this browser had when it was last here, if they still mean something."""
    try:
        if not kept or set(kept) != set(NAMES):
            raise ConfigError("Nothing was kept, or by a version with other settings.")
        config_of(kept)
    except (LabError, KeyError, ValueError, TypeError):
        return [gr.Column(visible=True), _command_line(_values(shown)), *[gr.skip()] * len(NAMES)]
    return [gr.Column(visible=True), _command_line(kept), *_shown(kept)]


def _copy_settings(name: str | None) -> list[Any]:
    """A run's settings in the form; what has no place there is said."""
    try:
        config = read_config(run_jobs.run_named(name or "")).to_dict()
        shown = _shown(values_of(config))
    except LabError as error:
        gr.Warning(str(error))
        return [gr.skip()] * len(NAMES)
    if left := left_out(config):
        gr.Warning(
            f"The form has no field for {', '.join(left)}: to train with it, use the run's command line."
        )
    return shown


def _shown(values: dict[str, Any]) -> list[Any]:
    updates: dict[str, Any] = dict(values)
    for name, followed in follow_start(values["start"]).items():
        updates[name] = {**followed, "value": values[name]}
    updates["train_part"] = offer_part(values["train_part"], values["start"])
    # A run may have a depth that the menu leaves out; data sets come while the app runs.
    updates["depth"]["choices"] = sorted({*valid_depths(values["family"]), values["depth"]})
    updates["device"] = gr.update(choices=offer_devices(values["device"]), value=values["device"])
    updates["data"] = gr.update(choices=offer_datasets(values["data"]), value=values["data"])
    return [updates[name] for name in NAMES]


def _estimate(*shown: Any) -> Any:
    """Measure, saying so meanwhile."""
    yield render_busy("Measuring for a few seconds")
    try:
        config, minutes = config_of(_values(shown))
        yield _render_estimate(run_jobs.estimate(config), minutes)
    except LabError as error:
        yield render_problem(str(error))


def _render_estimate(found: dict[str, Any], minutes: float | None) -> str:
    if minutes is None:
        epochs, time = found["epochs"], duration(found["total_seconds"])
        length = f"{epochs:g} epoch{'s take' if epochs != 1 else ' takes'} about <b>{time}</b>"
    else:
        some = f"{minutes:g} minute{'s are' if minutes != 1 else ' is'}"
        length = f"{some} about <b>{60 * minutes / found['epoch_seconds']:.1f} epochs</b>"
    compiled = "; compiling will make it faster" if found["compiled"] else ""
    return (
        f'<p class="lab-note" role="status">{length}: {found["images_per_second"]:,.0f} images/s, '
        f"{duration(found['epoch_seconds'])} an epoch, {found['memory_mb']:,.0f} MB of memory, "
        f"{found['device']} in {found['precision']}{compiled}.</p>"
    )


def _start(*shown: Any) -> Any:
    """Queue the run and look at it; what is wrong is said beneath the button."""
    yield render_busy("Starting"), gr.skip()
    try:
        config, minutes = config_of(_values(shown))
        yield "", run_jobs.start(config, minutes)
    except LabError as error:
        yield render_problem(str(error)), gr.skip()
