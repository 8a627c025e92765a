"""The frame around the tabs: title, theme, status line, and how the app is served."""

from __future__ import annotations

from html import escape
from pathlib import Path

import gradio as gr

from export.catalogue import list_exported
from export.classifier import open_engine
from resnet_core.errors import LabError
from ui.classify import build_classify_tab

HERE = Path(__file__).parent
# Browsers can't show every format we read (HEIC, TIFF), nor damaged files: no broken-image mark.
HIDE_BROKEN_PREVIEWS = """<script>
document.addEventListener("error", event => {
  const image = event.target;
  if (image.tagName === "IMG" && image.closest("#picture")) image.style.visibility = "hidden";
}, true);
</script>"""
# System fonts: the app works with no network and asks no font server.
FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def build_app() -> gr.Blocks:
    """All pages, wired but not served."""
    with gr.Blocks(
        title="ResNet Lab", analytics_enabled=False, delete_cache=(3600, 86_400), fill_width=False
    ) as app:
        gr.HTML('<h1 class="lab-title">ResNet Lab</h1>', elem_id="title")
        with gr.Tabs(), gr.Tab("Classify", id="classify"):
            build_classify_tab()
        status = gr.HTML(_status("starting"), elem_id="status")
        app.load(_open_first_engine, None, status, show_progress="hidden", api_visibility="private")
    return app


def serve(app: gr.Blocks, host: str, port: int | None, open_browser: bool) -> None:
    """Serve until interrupted; prints the address."""
    app.launch(
        server_name=host,
        server_port=port,
        inbrowser=open_browser,
        share=False,
        pwa=True,
        show_error=True,
        max_file_size="50mb",
        allowed_paths=[str(HERE / "examples")],
        favicon_path=HERE / "icon.png",
        theme=make_theme(),
        css_paths=HERE / "style.css",
        head=HIDE_BROKEN_PREVIEWS,
        footer_links=["api"],
        ssr_mode=False,
    )


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
    )


def _open_first_engine() -> str:
    """Open the default model while the page is still being looked at, and say what runs it."""
    try:
        models = list_exported()
        return _status(open_engine(models[0].name).name if models else "no model yet")
    except LabError as error:
        return _status(str(error))


def _status(engine: str) -> str:
    return f'<p class="lab-status"><span>Engine</span> {escape(engine)}</p>'
