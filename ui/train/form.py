"""The Train tab's settings: components, and the config they stand for. Fields come from the dataclasses."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any, get_type_hints

import gradio as gr

from export.session import has_nvidia_gpu
from resnet_core.data.catalogue import describe_dataset, list_datasets
from resnet_core.errors import ConfigError
from resnet_core.models.config import FAMILIES, SHORTCUTS, ModelConfig
from resnet_core.options import as_words, field_docs
from resnet_core.training.config import (
    PRECISIONS,
    RUN_OPTIONS,
    SWITCHES,
    TrainConfig,
    default_data_folder,
)
from resnet_core.training.recipes import CHOICES, RECIPES, Recipe
from ui.train.start_form import NOTHING, PARTS, chosen_start, describe_start, offer_starts

DEEPEST_OFFERED = 110  # beyond it only the papers' own depths
NOT_IN_FORM = ("name", "source", "epochs")
RECIPE_FIELDS = [field for field in fields(Recipe) if field.name not in NOT_IN_FORM]
EPOCHS, MINUTES = "epochs", "minutes"
# The order in which handlers get the settings' values.
NAMES = (
    "start", "family", "depth", "data", "recipe", "amount", "unit",
    *(field.name for field in RECIPE_FIELDS),
    "seed", "device", "precision", "compile", "shortcut",
)  # fmt: skip


@dataclass(frozen=True)
class TrainForm:
    """The settings' components by name."""

    components: dict[str, gr.components.Component]

    @property
    def inputs(self) -> list[gr.components.Component]:
        """All of them, in the order of NAMES."""
        return [self.components[name] for name in NAMES]

    def __getitem__(self, name: str) -> Any:
        return self.components[name]


def valid_depths(family: str) -> list[int]:
    """The depths a person can choose: every valid one up to 110, then those of the papers."""
    kind = FAMILIES[family]
    small = range(kind.layers_per_n + 2, DEEPEST_OFFERED + 1, kind.layers_per_n)
    return sorted({*small, *kind.example_depths})


def offer_datasets(chosen: str) -> list[str]:
    """The data sets there are now, and the one that a form stands on, should it be gone."""
    return list(dict.fromkeys([*list_datasets(default_data_folder()), chosen]))


def offer_devices(chosen: str) -> list[str]:
    """The devices there are here, and the one that a form stands on, should it be missing."""
    here = ["auto", "cpu", *(["cuda"] if has_nvidia_gpu() else [])]
    return list(dict.fromkeys([*here, chosen]))


def build_form() -> TrainForm:
    """Lay the settings out: the few that matter first, the rest folded away but complete."""
    parts: dict[str, Any] = {}
    parts["start"] = gr.Dropdown(
        offer_starts(), value=NOTHING, label="Start from", info=describe_start(NOTHING), elem_id="start-from"
    )  # fmt: skip
    families = [(family.title, key) for key, family in FAMILIES.items()]
    parts["family"] = gr.Radio(families, value="resnet_v1", label="Family", elem_id="family")
    with gr.Row():
        parts["depth"] = gr.Dropdown(
            valid_depths("resnet_v1"), value=20, label="Depth, layers", elem_id="depth", min_width=120
        )  # fmt: skip
        parts["data"] = gr.Dropdown(
            list_datasets(default_data_folder()), value="cifar10", label="Data", elem_id="data",
            min_width=120,
        )  # fmt: skip
    with gr.Row():
        parts["recipe"] = gr.Dropdown(
            list(RECIPES), value="taste", label="Recipe", elem_id="recipe", min_width=120
        )
        # No `minimum` where what is too little is told in our words: Gradio tells it in its own, and
        # leaves the command as it was.
        parts["amount"] = gr.Number(
            1, label="Budget", elem_id="amount", min_width=90, precision=None
        )
        parts["unit"] = gr.Dropdown(
            [EPOCHS, MINUTES], value=EPOCHS, label="Unit", elem_id="unit", min_width=130
        )
    parts["train_part"] = gr.Radio(
        PARTS, value="all", label="Train", elem_id="recipe-train_part", visible="hidden"
    )
    with gr.Accordion("The recipe in full", open=False, elem_id="recipe-fields"):
        parts |= {f.name: _recipe_component(f) for f in RECIPE_FIELDS if f.name not in parts}
    with gr.Accordion("Seed, device, shortcut", open=False, elem_id="more-settings"):
        parts |= _machine_components()
    return TrainForm(parts)


def _recipe_component(field: Any) -> gr.components.Component:
    """One recipe field: its label is its name, its explanation the dataclass's docstring."""
    value = _shown(getattr(RECIPES["taste"], field.name))
    info = field_docs(Recipe)[field.name]
    label = field.name.replace("_", " ")
    elem_id = f"recipe-{field.name}"
    if field.name in CHOICES:
        return gr.Dropdown(
            list(CHOICES[field.name]), value=value, label=label, info=info, elem_id=elem_id
        )
    kind = get_type_hints(Recipe)[field.name]
    if kind is bool:
        return gr.Checkbox(value, label=label, info=info, elem_id=elem_id)
    if kind in (int, float):
        return gr.Number(value, label=label, info=info, elem_id=elem_id)
    return gr.Textbox(value, label=label, info=info, elem_id=elem_id)


def _machine_components() -> dict[str, gr.components.Component]:
    docs, model_docs = field_docs(TrainConfig), field_docs(ModelConfig)
    return {
        "seed": gr.Number(0, precision=0, minimum=0, label="seed", info=docs["seed"], elem_id="seed"),
        "device": gr.Dropdown(offer_devices("auto"), value="auto", label="device", info=docs["device"]),
        "precision": gr.Dropdown(
            list(PRECISIONS), value="auto", label="precision", info=docs["precision"]
        ),
        "compile": gr.Dropdown(list(SWITCHES), value="auto", label="compile", info=docs["compile"]),
        "shortcut": gr.Dropdown(
            list(SHORTCUTS), value="A", label="shortcut", info=model_docs["shortcut"]
        ),
    }  # fmt: skip


def config_of(values: dict[str, Any]) -> tuple[TrainConfig, float | None]:
    """The config that the settings stand for, and the minutes where the budget is in minutes.

    Raises:
        ConfigError: every problem of the recipe, or of the rest, at once.
    """
    recipe = RECIPES[values["recipe"]]
    changes = {field.name: _read(field.name, values[field.name]) for field in RECIPE_FIELDS}
    amount = values["amount"]
    if amount is None or not 0 < amount < float("inf"):
        raise ConfigError(f"The budget should be more than 0 {values['unit']}.")
    minutes = amount if values["unit"] == MINUTES else None
    recipe = recipe.changed(**changes, epochs=recipe.epochs if minutes else amount)
    class_names, image_size = describe_dataset(values["data"], default_data_folder())
    start = chosen_start(values["start"])
    if start is not None:
        model, recipe = start.model_for(class_names, image_size), start.recipe_for(recipe)
    else:
        model = ModelConfig(
            values["family"],
            int(values["depth"]),
            values["shortcut"],
            classes=len(class_names),
            input_size=image_size,
        )
    config = TrainConfig(
        model=model,
        data=values["data"],
        recipe=recipe,
        data_folder=str(default_data_folder().resolve()),
        start=start.start if start else None,
        seed=int(values["seed"] or 0),
        device=values["device"],
        precision=values["precision"],
        compile=values["compile"],
    )
    return config, minutes


def values_of(config: dict[str, Any]) -> dict[str, Any]:
    """The settings that a stored config stands for: a run's settings put back into the form.

    Raises:
        ConfigError: a net for photos at random weights, which the form does not offer.
    """
    recipe, start = Recipe.from_dict(config["recipe"]), config.get("start")
    net = config["model"]
    if net["family"] not in FAMILIES:
        if not start:
            raise ConfigError(
                f"The form trains nets for photos only from trained weights, not "
                f"{ModelConfig.from_dict(net).name} from random ones: use the run's command line."
            )
        # The start says which net.
        net = {"family": "resnet_v1", "depth": 20, "shortcut": "A"}
    return {
        "start": start["name"] if start else NOTHING,
        "family": net["family"],
        "depth": net["depth"],
        "data": config["data"],
        "recipe": recipe.name,
        "amount": recipe.epochs,
        "unit": EPOCHS,
        **recipe_values(recipe),
        "seed": config["seed"],
        "device": config["device"],
        "precision": config["precision"],
        "compile": config["compile"],
        "shortcut": net["shortcut"],
    }


def left_out(config: dict[str, Any]) -> list[str]:
    """What a stored config says that the form has no field for, as options of the command line."""
    wanted: dict[str, tuple[dict[str, Any], Any]] = {
        name: (config, TrainConfig) for name in RUN_OPTIONS if name not in NAMES
    }
    if not config.get("start"):
        wanted["gate_bias"] = (config["model"], ModelConfig)
    words = []
    for name, (said, kind) in wanted.items():
        default = next(field.default for field in fields(kind) if field.name == name)
        if (value := said.get(name, default)) != default:
            words.append(" ".join(as_words(name, value)))
    devices = config.get("devices", 1)
    return [*words, *([f"{devices} devices"] if devices > 1 else [])]


def recipe_values(recipe: Recipe) -> dict[str, Any]:
    """A recipe's fields as the form shows them."""
    return {field.name: _shown(getattr(recipe, field.name)) for field in RECIPE_FIELDS}


def _shown(value: Any) -> Any:
    """Lists as text with commas, nothing as an empty text."""
    if isinstance(value, tuple):
        return ", ".join(f"{number:g}" for number in value)
    return "" if value is None else value


def _read(name: str, shown: Any) -> Any:
    """A field's value from what the form shows.

    Raises:
        ConfigError: it is not a number, or not a list of numbers.
    """
    kind = get_type_hints(Recipe)[name]
    field = next(field for field in RECIPE_FIELDS if field.name == name)
    label = name.replace("_", " ")
    if kind in (str, bool):
        return shown
    if kind in (int, float):
        if shown is None:
            if field.default is MISSING:
                raise ConfigError(f"The recipe's {label} is empty: give a number.")
            return field.default
        return kind(shown)
    try:
        numbers = tuple(float(word) for word in str(shown or "").replace(",", " ").split())
    except ValueError:
        raise ConfigError(
            f"The recipe's {label} should be numbers with commas between, not '{shown}'."
        ) from None
    if kind == tuple[float, ...]:
        return numbers
    return numbers[0] if numbers else None
