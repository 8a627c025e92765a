"""The frame around the tabs: title, theme, status line, and how the app is served."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import gradio as gr

from export.catalogue import list_exported
from export.classifier import open_engine
from resnet_core.errors import ConfigError, LabError
from resnet_core.pictures import warn_of_old_pillow
from resnet_core.runs.worker import ensure_worker
from resnet_core.training.config import default_data_folder
from ui import run_jobs
from ui.action_list import ActionList
from ui.answered import forgetting, keep_no_statistics
from ui.classify.engines import check_forced_engine, offer_engines
from ui.classify.example_pictures import PHOTOS
from ui.classify.tab import build_classify_tab, offer_models
from ui.depth.tab import build_depth_tab
from ui.door.address import check_address
from ui.door.bodies import MAX_FILE_MB
from ui.door.guard import around
from ui.door.logins import EXPOSED, USER, checking, require_password
from ui.door.no_fetching import stop_fetching
from ui.events import AT_ONCE, IN_TURN, turning
from ui.html import render_busy, render_problem
from ui.kept_files import KEPT_SECONDS, keep_in
from ui.models import fetch_jobs
from ui.models.tab import build_models_tab
from ui.speed import jobs as speed_jobs
from ui.speed.tab import build_speed_tab
from ui.steady_memory import give_back_what_is_freed
from ui.train.run_view import render_status
from ui.train.tab import build_train_tab

HERE = Path(__file__).parent
# Browsers can't show every format we read (HEIC, TIFF), nor damaged files: no broken-image mark.
HIDE_BROKEN_PREVIEWS = """<script>
document.addEventListener("error", event => {
  const image = event.target;
  if (image.tagName === "IMG" && image.closest("#picture")) image.style.visibility = "hidden";
}, true);
</script>"""
# Gradio gives its example pictures no name that could be read out.
NAME_EXAMPLES = """<script>
document.addEventListener("load", event => {
  const button = event.target.closest?.(".gallery-item");
  if (!button) return;
  const file = event.target.src.split("/").pop();
  button.ariaLabel = `Example: ${file.replace(/\\d*\\.\\w+$/, "")}`;
}, true);
</script>"""
# System fonts: the app works with no network and asks no font server.
FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

DANGER, MORE_DANGER = "#b42318", "#912018"

STATUS_EVERY_SECONDS = 2.0
MOST_WAITING = 256
"""Questions that wait; one more is told that the app is busy."""
MOST_SESSIONS = 128
"""Pages and calls whose state is held, at 0.9 MB each; the ones unused for longest are forgotten.

A call of the API without a session makes one of its own. Pages in sight ask every few seconds,
so theirs are never among the oldest.
"""
MOST_THREADS = 40


def build_app() -> gr.Blocks:
    """All pages, wired but not served.

    Raises:
        LabError: the engine that was asked for can't be used here, or there can't be a folder of
            runs.
    """
    check_forced_engine()
    run_jobs.make_runs_folder()
    keep_in(run_jobs.runs_folder())
    with gr.Blocks(
        title="ResNet Lab",
        analytics_enabled=False,
        delete_cache=(3600, KEPT_SECONDS),
        fill_width=False,
    ) as app:
        gr.HTML('<h1 class="lab-title">ResNet Lab</h1>', elem_id="title")
        kept = gr.BrowserState(None, storage_key="resnet-lab-train", secret="resnet-lab")
        with gr.Tabs(selected="classify") as tabs:
            with gr.Tab("Classify", id="classify") as classify_tab:
                *menus, engine = build_classify_tab()
            with gr.Tab("Train", id="train") as train_tab:
                panel, timer = build_train_tab(kept)
            with gr.Tab("Depth", id="depth") as depth_tab:
                study_timer, why = build_depth_tab()
            with gr.Tab("Speed", id="speed") as speed_tab:
                speed = build_speed_tab()
            with gr.Tab("Models", id="models") as models_tab:
                models = build_models_tab()
        status = ActionList(render_status("starting", []), elem_id="status")
        _wire_status(app, status)
        timers = {
            train_tab: [timer], depth_tab: [study_timer, why.timer], speed_tab: [speed.timer],
            models_tab: [models.fetch.timer],
        }  # fmt: skip
        _wire_timers(timers, [classify_tab])
        speed_tab.select(**speed.opening())
        depth_tab.select(**why.opening())
        for opened in (classify_tab.select, app.load):
            opened(offer_models, None, menus, **AT_ONCE)
            opened(offer_engines, menus[0], engine, **AT_ONCE)
        models_tab.select(**models.opening())
        models_tab.select(**models.fetch.opening())
        fetched = models.fetch
        _wire_use(fetched.use, fetched.ready, fetched.message, menus, tabs)
        for part in (panel, models):
            _wire_use(part.use, part.picked, part.message, menus, tabs)
        speed.planner.use.click(
            _use_planned, speed.planner.found, [*menus, engine, tabs], **AT_ONCE
        )
    return app


def _wire_timers(timers: dict[gr.Tab, list[gr.Timer]], others: list[gr.Tab]) -> None:
    """Each timer ticks while its own tab is open."""
    owners = [(owner, timer) for owner, owned in timers.items() for timer in owned]
    for tab in (*timers, *others):
        active = [owner is tab for owner, _ in owners]
        tab.select(outputs=[timer for _, timer in owners], **turning(active))


def _wire_status(app: gr.Blocks, status: ActionList) -> None:
    app.load(_status, None, status, **AT_ONCE)
    gr.Timer(STATUS_EVERY_SECONDS).tick(_status, None, status, **AT_ONCE)
    status.click(_stop, None, None, **AT_ONCE).then(_status, None, status, **AT_ONCE)


def _stop(event: gr.EventData) -> None:
    if event.row == speed_jobs.STATUS_ROW:
        speed_jobs.stop()
    elif event.row == fetch_jobs.STATUS_ROW:
        fetch_jobs.stop()
    else:
        run_jobs.stop(event.row)


def _wire_use(
    button: gr.Button, picked: Any, message: gr.HTML, menus: list[Any], tabs: gr.Tabs
) -> None:
    """One click: export, verify, and there it is in Classify."""
    busy = render_busy("Exporting and comparing with PyTorch")
    button.click(lambda: busy, None, message, **AT_ONCE).then(
        _use, picked, [message, *menus, tabs], **IN_TURN
    )


def _use(name: str | None) -> list[Any]:
    try:
        if name not in {model.name for model in list_exported()}:
            run_jobs.export(name or "")
        return ["", *offer_models(name), gr.Tabs(selected="classify")]
    except LabError as error:
        return [render_problem(str(error)), gr.skip(), gr.skip(), gr.skip()]


def _use_planned(found: tuple[str, str]) -> list[Any]:
    """The model and the engine that were planned, chosen in Classify."""
    model, engine = found
    offered = {**offer_engines(model), "value": engine}
    return [*offer_models(model), offered, gr.Tabs(selected="classify")]


def serve(
    app: gr.Blocks,
    host: str,
    port: int | None,
    open_browser: bool,
    password_file: str | None = None,
) -> None:
    """Serve until interrupted; prints the address.

    Raises:
        ConfigError: there is no such address, or other machines reach it and there is no password;
            or the data folder is none.
    """
    check_address(host, port)
    if default_data_folder().is_file():
        raise ConfigError(f"{default_data_folder()} is a file: choose a folder with --data.")
    password = require_password(host, Path(password_file) if password_file else None)
    if password is not None:
        print(EXPOSED.format(host=host, user=USER), flush=True)
    warn_of_old_pillow()
    stop_fetching()
    give_back_what_is_freed()
    keep_no_statistics()
    app.queue(max_size=MOST_WAITING, api_open=False)
    app.launch(
        auth=None if password is None else checking(password),
        app_kwargs={"lifespan": while_serving(is_exposed=password is not None)},
        state_session_capacity=MOST_SESSIONS,
        run_history=False,
        max_threads=MOST_THREADS,
        server_name=host,
        server_port=port,
        inbrowser=open_browser,
        share=False,
        pwa=True,
        show_error=True,
        max_file_size=f"{MAX_FILE_MB}mb",
        allowed_paths=[str(HERE / "classify" / "examples"), *map(str, PHOTOS)],
        favicon_path=HERE / "icon.png",
        theme=make_theme(),
        css_paths=HERE / "style.css",
        head=HIDE_BROKEN_PREVIEWS + NAME_EXAMPLES,
        footer_links=["api"],
        ssr_mode=False,
        # With it, Gradio asks itself for the page at the end and gives up after 3 s, which a busy
        # machine may need. That the app answers it has seen just before, with all the time it took.
        _frontend=False,
    )


def while_serving(is_exposed: bool) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A lifespan for Gradio's app: behind the door, and no larger for what it has answered."""
    door = around(is_exposed)

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with door(app), forgetting(app):
            yield

    return lifespan


def make_theme() -> gr.themes.Base:
    return gr.themes.Base(
        primary_hue=gr.themes.colors.blue,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=FONT,
        font_mono=MONO,
    ).set(
        # Gradio's own grey has a contrast of 2.6 on white; AA asks for 4.5.
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_300",
        # What can't be undone looks like nothing else; Gradio's own is grey as any other button.
        button_cancel_background_fill=DANGER,
        button_cancel_background_fill_dark=DANGER,
        button_cancel_background_fill_hover=MORE_DANGER,
        button_cancel_background_fill_hover_dark=MORE_DANGER,
        button_cancel_text_color="white",
        button_cancel_text_color_hover="white",
    )


def _engine_name() -> str:
    """What runs the default model; kept open once it is."""
    try:
        models = list_exported()
        return open_engine(models[0].name).name if models else "no model yet"
    except LabError as error:
        return str(error)


def _status() -> str:
    ensure_worker(run_jobs.runs_folder())
    rows = [*speed_jobs.status_rows(), *fetch_jobs.status_rows(), *run_jobs.all_rows()]
    return render_status(_engine_name(), rows)
