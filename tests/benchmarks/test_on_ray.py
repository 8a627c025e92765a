"""Runs on a real cluster of two nodes: side by side, stopped, failing, killed, and lost with a node."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.depth.collector import resources_for
from benchmarks.depth.on_ray import RunProgress, train_on_ray
from resnet_core.errors import ConfigError, RunError
from resnet_core.models.config import parse_model_name
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import create_run
from resnet_core.training.recipes import find_recipe
from tests.benchmarks.ray_cluster import SECOND, RayCluster, ray_cluster
from tests.resnet_core.live_runs import SMALL_DATA, run
from tests.small_data import NAME

# 84 steps, a checkpoint after each: a kill at any moment leaves one to go on from, and a fast
# machine is not at the end before it is looked at.
CONFIG = TrainConfig(
    parse_model_name("resnet8_v1"),
    NAME,
    find_recipe("taste").changed(batch_size=32, epochs=3),
    data_folder=str(SMALL_DATA),
    threads=1,  # sums are rounded differently by other numbers of threads
    checkpoint_seconds=0.0,
)
COLLECT_SECONDS = 0.2

on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere the loopback network has one address"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster() as started:
        yield started


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> RunFolder:
    """The run as it is without Ray."""
    folder = create_run(CONFIG, Path(), tmp_path_factory.mktemp("here") / "run")
    done = run("resume", folder.path)
    assert done.returncode == 0, done.stderr
    return folder


def new_run(path: Path, config: TrainConfig = CONFIG) -> RunFolder:
    return create_run(config, Path(), path)


def train(cluster: RayCluster, *folders: RunFolder) -> Iterator[RunProgress]:
    return train_on_ray(folders, cluster.address, collect_seconds=COLLECT_SECONDS)


def until_step(progress: Iterator[RunProgress], folder: RunFolder, step: int) -> RunProgress:
    """The first progress of this run at that step or later; the run must still have a way to go."""
    for one in progress:
        if one.folder == folder and one.step >= step and folder.state_file.exists():
            assert one.state is RunState.RUNNING and one.step < one.total_steps
            return one
    raise AssertionError("the run ended before it could be disturbed")


def raw_events(folder: RunFolder) -> list[dict]:
    """With the steps that were done twice."""
    return [json.loads(line) for line in folder.events_file.read_text().splitlines()]


def assert_finished_alike(folder: RunFolder, here: RunFolder) -> None:
    assert folder.state() is RunState.FINISHED and folder.process_id() is None
    ours, theirs = load_file(folder.last_model_file), load_file(here.last_model_file)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for figure in ("test_error_percent", "train_error_percent", "validation_error_percent"):
        assert folder.summary()[figure] == here.summary()[figure]


@on_linux
def test_runs_side_by_side_finish_alike_stop_when_asked_and_fail_with_their_sentence(
    cluster: RayCluster, tmp_path: Path, here: RunFolder
) -> None:
    whole, stopped = new_run(tmp_path / "whole"), new_run(tmp_path / "stopped")
    too_much = replace(CONFIG, recipe=CONFIG.recipe.changed(batch_size=901))
    failing = new_run(tmp_path / "failing", too_much)
    progress = train(cluster, stopped, whole, failing)
    seen = [until_step(progress, stopped, 1)]
    assert stopped.state() is RunState.RUNNING and stopped.process_id() == os.getpid()
    stopped.request_stop()
    seen += progress
    assert {one.node for one in seen if one.node} == set(cluster.nodes)

    assert_finished_alike(whole, here)
    environment = whole.summary()["environment"]
    assert environment["threads"] == 1 and "commit" in environment and "ray" in environment
    assert whole.config() == here.config()

    assert stopped.state() is RunState.STOPPED
    assert stopped.events()[-1]["event"] == "stopped" and not stopped.summary_file.exists()

    assert failing.state() is RunState.FAILED
    assert failing.error_file.read_text().startswith("A step takes 901 images, but there are 900")
    assert failing.process_id() is None

    ends = {one.folder.name: one.state for one in seen if one.state is not RunState.RUNNING}
    assert ends == {
        "whole": RunState.FINISHED, "stopped": RunState.STOPPED, "failing": RunState.FAILED,
    }  # fmt: skip
    assert list(train(cluster, whole)) == []


@on_linux
def test_a_run_killed_there_then_left_alone_goes_on_bit_for_bit(
    cluster: RayCluster, tmp_path: Path, here: RunFolder
) -> None:
    folder = new_run(tmp_path / "run")
    progress = train(cluster, folder)
    before = until_step(progress, folder, 3)
    assert before.process_id is not None
    os.kill(before.process_id, signal.SIGKILL)
    lost = next(one for one in progress if one.note)
    assert "goes on elsewhere" in lost.note and lost.state is RunState.RUNNING
    after = until_step(progress, folder, 8)
    assert after.process_id != before.process_id
    progress.close()  # type: ignore[attr-defined]
    assert folder.state() is RunState.INTERRUPTED

    assert run("resume", folder.path).returncode == 0
    starts = [event["step"] for event in raw_events(folder) if event["event"] == "started"]
    assert len(starts) == 3 and 0 < starts[1] <= starts[2]
    assert_finished_alike(folder, here)


@on_linux
def test_a_lost_nodes_run_goes_on_elsewhere(
    cluster: RayCluster, tmp_path: Path, here: RunFolder
) -> None:
    folders = [new_run(tmp_path / name) for name in ("one", "other")]
    progress = train(cluster, *folders)
    lost = next(one for one in progress if one.node == SECOND and one.step >= 1)
    cluster.nodes[SECOND].kill()
    seen = list(progress)
    assert [one.node for one in seen if one.folder == lost.folder][-1] != SECOND
    for folder in folders:
        assert_finished_alike(folder, here)


def test_without_ray_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RunError, match=r"pip install -r requirements-ray\.txt"):
        next(train_on_ray([new_run(tmp_path / "run")]))


@pytest.mark.parametrize("address", ["127.0.0.1:9", "nonsense:9:9"])
def test_where_no_cluster_is_it_says_how_to_start_one(tmp_path: Path, address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(RunError, match=r"No Ray cluster answers at .*ray start --head"):
        next(train_on_ray([new_run(tmp_path / "run")], address))


def test_wrong_numbers_are_refused_together() -> None:
    with pytest.raises(ConfigError, match=r"(?s)share a GPU.*collected"):
        next(train_on_ray([], at_once_per_gpu=0, collect_seconds=-1))


@pytest.mark.parametrize(
    ("device", "threads", "has_gpus", "asked"),
    [
        ("auto", 0, True, {"num_gpus": 0.25, "num_cpus": 0}),
        ("cpu", 0, True, {"num_gpus": 0, "num_cpus": 1}),
        ("auto", 0, False, {"num_gpus": 0, "num_cpus": 1}),
        ("auto", 3, False, {"num_gpus": 0, "num_cpus": 3}),
        ("auto", 64, False, {"num_gpus": 0, "num_cpus": 8}),
    ],
)
def test_a_run_asks_for_what_it_uses(
    device: str, threads: int, has_gpus: bool, asked: dict[str, float]
) -> None:
    config = replace(CONFIG, device=device, threads=threads)
    assert resources_for(config, has_gpus, most_cores=8.0, at_once_per_gpu=4) == asked
