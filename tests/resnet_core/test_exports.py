"""An exported model never outlives the weights it was made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.catalogue import list_exported
from export.precisions import FILE_PRECISIONS, file_for
from resnet_core.errors import RunError
from resnet_core.events import EpochFinished, Event, Started, Stepped
from resnet_core.models.config import parse_model_name
from resnet_core.onnx_names import confidence_file
from resnet_core.runs.claims import release
from resnet_core.runs.exports import remove_exports
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.runs.queue import enqueue
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import create_run, extend
from resnet_core.training.recipes import RECIPES
from resnet_core.training.run import execute
from tests.resnet_core.live_runs import SMALL_DATA
from tests.small_data import NAME


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run of two epochs, 14 steps, in the folder of runs."""
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    config = TrainConfig(
        model=parse_model_name("resnet8_v1", classes=10), data=NAME, compile="off", device="cpu",
        recipe=RECIPES["taste"].changed(epochs=2), data_folder=str(SMALL_DATA),
    )  # fmt: skip
    return create_run(config, tmp_path)


def export(run: RunFolder) -> list[Path]:
    """Files under the names that the export commands give them."""
    files = [file_for(run.onnx_file, precision) for precision in FILE_PRECISIONS]
    files.append(confidence_file(run.onnx_file))
    for file in files:
        file.write_bytes(b"of these weights")
    return files


def train(run: RunFolder, stop_at: type[Event] | None = None) -> None:
    for event in execute(run):
        if stop_at is not None and isinstance(event, stop_at):
            run.request_stop()
    release(run)


def exported(run: RunFolder) -> list[str]:
    return [model.title for model in list_exported() if model.name == run.name]


def test_what_was_exported_at_a_stop_goes_when_training_goes_on(run: RunFolder) -> None:
    train(run, stop_at=EpochFinished)
    assert run.state() is RunState.STOPPED
    files = export(run)
    enqueue(run)
    assert "unfinished" in exported(run)[0]  # asked for is not begun: its weights are still there
    run.queued_file.unlink()
    events = execute(run)
    assert all(file.exists() for file in files)
    while not isinstance(next(events), Started):
        pass
    assert not any(file.exists() for file in files)  # before the first step
    list(events)
    release(run)
    assert run.state() is RunState.FINISHED and exported(run) == []


def test_what_was_exported_before_an_extension_goes_when_it_begins(run: RunFolder) -> None:
    train(run)
    files, kept = export(run), run.path / "model.mine.onnx"
    kept.write_bytes(b"a person's own")
    extend(run, 1)
    assert all(file.exists() for file in files)
    train(run)
    assert run.summary()["epochs"] == 3 and not any(file.exists() for file in files)
    assert kept.exists()


@pytest.mark.parametrize("is_stopped", [True, False])
def test_what_is_exported_of_a_net_in_training_is_not_left_beside_its_last_weights(
    run: RunFolder, is_stopped: bool
) -> None:
    for event in execute(run):
        if isinstance(event, Stepped | EpochFinished):
            files = export(run)
            if is_stopped:
                run.request_stop()
    assert not any(file.exists() for file in files)


def test_a_file_that_can_not_be_deleted_is_named(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(run)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Access is denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(RunError, match=r"onnx is of earlier weights .* .Access is denied.: close"):
        remove_exports(run)
