"""A study is a folder of ordinary runs that share data and recipe, and a file that says which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from resnet_core.errors import ConfigError, LabError, RunError
from resnet_core.files import read_json, write_json
from resnet_core.locks import hold
from resnet_core.models.config import FAMILIES, ModelConfig, parse_model_name
from resnet_core.plural import counted
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.training.config import TrainConfig, default_runs_folder
from resnet_core.training.new_run import create_run, read_config
from resnet_core.training.recipes import Recipe, fit_to_depth

FORMAT = "resnet-lab-study-1"
STUDY_FILE = "study.json"
SHARED = ("shortcut", "gate_bias", "split_seed")
"""What all runs of a study have in common beside data and recipe."""
SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "studies"


@dataclass(frozen=True, order=True)
class PlannedRun:
    """A net and a seed. The order is that in which a study trains: all depths of a seed first."""

    seed: int
    depth: int
    family: str

    @property
    def model(self) -> str:
        return FAMILIES[self.family].name(self.depth)

    @property
    def folder_name(self) -> str:
        return f"{self.model}-seed{self.seed}"


@dataclass(frozen=True)
class Study:
    """What a study trains, and with what."""

    path: Path
    data: str
    recipe: Recipe
    runs: tuple[PlannedRun, ...]
    commands: tuple[str, ...]
    """The command lines that made it what it is, oldest first."""
    shortcut: str = ModelConfig.shortcut
    gate_bias: float = ModelConfig.gate_bias
    split_seed: int = TrainConfig.split_seed

    @property
    def name(self) -> str:
        return self.path.name

    def folder(self, run: PlannedRun) -> RunFolder:
        return RunFolder(self.path / run.folder_name)

    def folders(self) -> list[RunFolder]:
        """Those that exist, in the order of training."""
        folders = [self.folder(run) for run in self.runs]
        return [folder for folder in folders if folder.config_file.is_file()]

    def unfinished(self) -> list[RunFolder]:
        return [folder for folder in self.folders() if folder.state() is not RunState.FINISHED]

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "data": self.data,
            "recipe": asdict(self.recipe),
            **{name: getattr(self, name) for name in SHARED},
            "runs": [{"model": run.model, "seed": run.seed} for run in self.runs],
            "commands": list(self.commands),
        }


def plan(
    families: Iterable[str], depths: Sequence[int], seeds: Sequence[int]
) -> tuple[list[PlannedRun], list[str]]:
    """Every family at every depth with every seed; a depth that a family lacks becomes its nearest.

    Returns:
        The runs, and a sentence for each depth that was replaced.

    Raises:
        ConfigError: an unknown family, or nothing to train.
    """
    problems = [
        f"Unknown family '{family}': choose from {', '.join(FAMILIES)}."
        for family in families
        if family not in FAMILIES
    ]
    if not depths or not seeds or not families:
        problems.append("A study needs at least one family, one depth and one seed.")
    if problems:
        raise ConfigError(problems)
    runs, notes = set(), []
    for family in families:
        for depth in depths:
            nearest = _nearest(family, depth)
            if nearest != depth:
                kind = FAMILIES[family]
                notes.append(
                    f"{kind.title} has depths {kind.layers_per_n}n+2: {nearest} for {depth}."
                )
            runs |= {PlannedRun(seed, nearest, family) for seed in seeds}
    return sorted(runs), notes


def _nearest(family: str, depth: int) -> int:
    kind = FAMILIES[family]
    if kind.is_valid_depth(depth):
        return depth
    return min(kind.nearest_depths(depth), key=lambda valid: abs(valid - depth))


def read_study(path: Path) -> Study:
    """A study as its file has it.

    Raises:
        RunError: there is none, or its file is damaged or of another version.
    """
    file = path / STUDY_FILE
    try:
        stored = read_json(file)
        if stored["format"] != FORMAT:
            raise ValueError(f"its format is {stored['format']}")
        study = Study(
            path=path,
            data=str(stored["data"]),
            recipe=Recipe.from_dict(stored["recipe"]),
            runs=tuple(sorted(_stored_run(run) for run in stored["runs"])),
            commands=tuple(stored["commands"]),
        )
        shared = _shared_by_runs(study) if SHARED[0] not in stored else stored
        return replace(
            study,
            shortcut=str(shared["shortcut"]),
            gate_bias=float(shared["gate_bias"]),
            split_seed=int(shared["split_seed"]),
        )
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(
            f"There is no study at {path}: start one with `python -m benchmarks depth`."
        ) from None
    except (
        OSError,
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        OverflowError,
        LabError,
    ) as error:
        raise RunError(f"{file} can't be read as a study ({error}).") from None


def _stored_run(run: dict[str, Any]) -> PlannedRun:
    model = parse_model_name(run["model"])
    return PlannedRun(int(run["seed"]), model.depth, model.family)


def _shared_by_runs(study: Study) -> dict[str, Any]:
    """What files of the first versions don't say, as its first run has it; without one, the defaults."""
    for folder in study.folders():
        with suppress(LabError):  # the next run says the same
            return _shared(read_config(folder))
    return {name: getattr(study, name) for name in SHARED}


def _shared(config: TrainConfig) -> dict[str, Any]:
    """The values of `SHARED`."""
    return {
        "shortcut": config.model.shortcut,
        "gate_bias": config.model.gate_bias,
        "split_seed": config.split_seed,
    }


def make_study(
    path: Path, base: TrainConfig, runs: Sequence[PlannedRun], command: str
) -> tuple[Study, list[RunFolder]]:
    """Make a study, or extend the one there is; runs that it has stay as they are.

    Args:
        base: what all runs share, its recipe not yet fitted to a depth; its model gives shortcut,
            gate bias, classes and input size.

    Returns:
        The study, and the folders of the runs asked for.

    Raises:
        ConfigError: the study there has another recipe, other data or other options that nets share.
        RunError: a folder of a run's name holds another run.
    """
    path.mkdir(parents=True, exist_ok=True)
    with hold(path / ".study.lock"):
        study = Study(path, base.data, base.recipe, (), (), **_shared(base))
        if (path / STUDY_FILE).exists():
            study = read_study(path)
            _check_same(study, base, runs)
        joined = replace(
            study,
            runs=tuple(sorted({*study.runs, *runs})),
            commands=tuple(dict.fromkeys([*study.commands, command])),
        )
        if joined != study:
            write_json(path / STUDY_FILE, joined.to_dict())
        return joined, [_make_run(joined, run, base) for run in runs]


def _check_same(study: Study, base: TrainConfig, runs: Sequence[PlannedRun]) -> None:
    problems = []
    if study.data != base.data:
        problems.append(f"it trains on {study.data}, not {base.data}")
    if differs := _recipe_differs(study.recipe, base.recipe, {run.depth for run in runs}):
        said = ", ".join(f"{name} {value}" for name, value in differs.items())
        problems.append(f"its recipe has {said}")
    for name, value in _shared(base).items():
        if (had := getattr(study, name)) != value:
            problems.append(f"its {name.replace('_', ' ')} is {had}, not {value}")
    if problems:
        raise ConfigError(
            f"The study in {study.path} can't be extended like this: {'; '.join(problems)}. "
            "Use the same options, or another --study folder."
        )


def _recipe_differs(had: Recipe, asked: Recipe, depths: Iterable[int]) -> dict[str, Any]:
    """What one recipe has otherwise than another for nets of these depths, with its values.

    Both as they are fitted to each depth: a warm-up that a depth asks for is no other recipe.
    """
    differs: dict[str, Any] = {}
    for depth in depths:
        fitted = fit_to_depth(had, depth)
        changes = fit_to_depth(asked, depth).changes_from(fitted)
        differs |= {name: getattr(fitted, name) for name in changes}
    return differs


def _make_run(study: Study, run: PlannedRun, base: TrainConfig) -> RunFolder:
    model = replace(base.model, family=run.family, depth=run.depth)
    recipe = fit_to_depth(base.recipe, run.depth)
    config = replace(base, model=model, recipe=recipe, seed=run.seed)
    folder = study.folder(run)
    if not folder.config_file.exists():
        return create_run(config, study.path, folder.path)
    if _experiment(read_config(folder)) != _experiment(config):
        raise RunError(
            f"{folder.path} holds a run with other settings: move it away, or choose another "
            "--study folder."
        )
    return folder


def _experiment(config: TrainConfig) -> tuple[ModelConfig, str, Recipe, int, int]:
    """What makes two runs the same; where and how fast they were computed does not."""
    return config.model, config.data, config.recipe, config.seed, config.split_seed


def studies_folder() -> Path:
    """Where a person's own studies are: `studies` among the runs."""
    return default_runs_folder() / "studies"


def list_studies() -> list[Path]:
    """The person's own studies by name, then those that ship, the one with the most runs first."""
    own, shipped = (
        sorted(file.parent for file in folder.glob(f"*/{STUDY_FILE}"))
        for folder in (studies_folder(), SHIPPED_FOLDER)
    )
    return own + sorted(shipped, key=lambda path: -sum(each.is_dir() for each in path.iterdir()))


def describe(study: Study) -> str:
    """What all its runs share, in a few words."""
    epochs = study.recipe.epochs
    return f"{study.data}, {counted(epochs, 'epoch')} of {study.recipe.name}"
