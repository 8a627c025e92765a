"""`python -m export inside`: which places of a picture speak for a class, and what each stage makes.

And the options of `classify` that ask about several views or several nets.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.views import ONE, VIEWS
from resnet_core.console import Commands
from resnet_core.errors import ConfigError

if TYPE_CHECKING:
    from PIL import Image

    from export.inside import Inside

CHANNELS = 6
"""Feature maps that are shown of each stage."""
STRIP_PIXELS = 64


def add_inside(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "which places of a picture speak for a class (class activation map), and what each stage makes of it"
    inside = commands.add_parser("inside", help=text, description=text)
    inside.add_argument("picture", type=Path, metavar="PICTURE")
    inside.add_argument("--model", default="resnet20_v1", help="(default: resnet20_v1)")
    inside.add_argument("--class", dest="wanted", default="", help="(default: the net's answer)")
    inside.add_argument("--out", type=Path, help="folder for the pictures: heat.png, stage-1.png …")
    inside.add_argument("--json", action="store_true", help="print one JSON object")
    inside.set_defaults(execute=_inside)


def add_averaging(classify: argparse.ArgumentParser) -> None:
    classify.add_argument(
        "--views", choices=VIEWS, default=ONE,
        help="ask about the picture as it is, also mirrored, or ten crops; averaged (default: one)",
    )  # fmt: skip
    classify.add_argument(
        "--with", dest="others", nargs="+", default=[], metavar="MODEL",
        help="average with these models' probabilities",
    )  # fmt: skip


def _inside(options: argparse.Namespace) -> int:
    from export.catalogue import find_exported
    from export.inside import open_inside
    from resnet_core.pictures import centre_square, read_picture, to_input

    model = open_inside(find_exported(options.model).file)
    picture = read_picture(options.picture)
    share = model.facts.crop_share
    inside = model.look(to_input(picture.image, model.facts.input_size, share))
    at = find_class(inside, options.wanted)
    if options.out:
        _write_pictures(inside, at, centre_square(picture.image, share), options.out)
    told = _facts(inside, at)
    print(json.dumps(told, indent=2) if options.json else _as_text(options.picture, told))
    return 0


def find_class(inside: Inside, wanted: str) -> int:
    """The place of a class in the net's list; of its answer where none is asked for.

    Raises:
        ConfigError: the net has no such class.
    """
    name = wanted or inside.ranked()[0]
    if name not in inside.class_names:
        raise ConfigError(
            f"This net has no class '{name}': choose one of {', '.join(inside.class_names[:20])}."
        )
    return inside.class_names.index(name)


def _facts(inside: Inside, at: int) -> dict[str, Any]:
    places = inside.maps[at]
    row, column = divmod(int(places.argmax()), places.shape[1])
    return {
        "class": inside.class_names[at],
        "logit": float(inside.logits[at]),
        "bias": float(inside.bias[at]),
        "sum_over_places": float(places.sum()),
        "strongest_place": {"row": row + 1, "column": column + 1, "adds": float(places.max())},
        "map": places.tolist(),
        "stages": [
            {"name": s.title, "shape": list(s.maps.shape), "liveliest": s.liveliest(CHANNELS)}
            for s in inside.stages
        ],
    }


def _as_text(picture: Path, told: dict[str, Any]) -> str:
    height, width = len(told["map"]), len(told["map"][0])
    place = told["strongest_place"]
    lines = [
        f"{picture}: {told['class']}, logit {told['logit']:.3f}",
        f"  {told['sum_over_places']:.3f} over {height} × {width} places, bias {told['bias']:+.3f}",
        f"  most from row {place['row']}, column {place['column']}: {place['adds']:+.3f}",
    ]
    for stage in told["stages"]:
        channels, rows, columns = stage["shape"]
        lines.append(f"  {stage['name']:8} {channels} channels of {rows} × {columns}")
    return "\n".join(lines)


def _write_pictures(inside: Inside, at: int, square: Image.Image, folder: Path) -> None:
    from export.heat import draw_strip, lay_over

    folder.mkdir(parents=True, exist_ok=True)
    lay_over(inside.maps[at], square).save(folder / "heat.png")
    for stage in inside.stages:
        strip = draw_strip(stage.maps[stage.liveliest(CHANNELS)], STRIP_PIXELS)
        strip.save(folder / f"{stage.title.lower().replace(' ', '-')}.png")
