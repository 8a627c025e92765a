"""Pictures to try: drawings for nets of small pictures, photos for nets for photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from export.catalogue import list_exported
from ui.events import AT_ONCE

DRAWINGS = sorted((Path(__file__).parent / "examples").glob("*.jpg"))
# They come with Gradio, and are shown where its version has them.
_MEDIA = Path(gr.__file__).parent / "media_assets" / "images"
PHOTOS = [path for name in ("lion.jpg", "cheetah1.jpg", "tower.jpg") if (path := _MEDIA / name).is_file()]  # fmt: skip


@dataclass(frozen=True)
class Examples:
    """Both rows of pictures; one is shown."""

    drawings: gr.Examples
    photos: gr.Examples | None

    def follow(self, model: gr.Dropdown) -> None:
        """Show those that the chosen model knows something of."""
        if self.photos is not None:
            shown = [self.drawings.dataset, self.photos.dataset]
            model.change(_choose, model, shown, **AT_ONCE)


def build_examples(picture: Any) -> Examples:
    """Lay both rows out under the drop zone; a click puts a picture into it."""
    drawings = gr.Examples(
        [[str(path)] for path in DRAWINGS], picture, label="Or try one of these drawings"
    )
    if not PHOTOS:
        return Examples(drawings, None)
    photos = gr.Examples(
        [[str(path)] for path in PHOTOS], picture, label="Or try one of these photos",
        visible=False, elem_id="photos", api_visibility="private",
    )  # fmt: skip
    return Examples(drawings, photos)


def _choose(model: str | None) -> list[Any]:
    is_photo = any(known.is_photo for known in list_exported() if known.name == model)
    return [gr.update(visible=not is_photo), gr.update(visible=is_photo)]
