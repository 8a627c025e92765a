from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from resnet_core.runs.folder import RunFolder
from tests import processes
from tests.resnet_core.live_runs import WORDS, run

ROOT = Path(__file__).resolve().parent.parent
MOST_WORKERS = 4
LONG_FIRST = ("ui", "export", "endurance", "resnet_core")
"""Folders whose files take minutes: given out last, they would leave the other workers idle."""


def pytest_xdist_auto_num_workers() -> int:
    """Files side by side: one for each core: much of the time they wait for pages and processes."""
    return min(os.cpu_count() or 1, MOST_WORKERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {folder: rank for rank, folder in enumerate(LONG_FIRST)}
    here = Path(__file__).parent
    items.sort(key=lambda item: order.get(item.path.relative_to(here).parts[0], len(order)))


@pytest.fixture(scope="session", autouse=True)
def own_runs(tmp_path_factory) -> Iterator[None]:
    """Runs go where nobody else's are: not a person's own, nor those of tests beside these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESNET_LAB_RUNS", str(tmp_path_factory.mktemp("own-runs")))
        # Tests wait for trainings, which would hardly move beside other tests.
        patch.setenv("RESNET_LAB_NICENESS", "0")
        yield


@pytest.fixture(scope="session", autouse=True)
def own_core() -> Iterator[None]:
    """Side by side, each test computes with one thread: threads that share a core wait in turn."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    import torch

    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with cifar10.npz. CI must have it; elsewhere its tests are skipped, saying why."""
    folder = Path(os.environ.get("RESNET_LAB_DATA", ROOT / "data"))
    if not (folder / "cifar10.npz").is_file():
        message = f"cifar10.npz is not in {folder}: set RESNET_LAB_DATA, or train once to fetch it"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def cifar10(data_folder: Path):
    from resnet_core.data.dataset import load_dataset

    return load_dataset("cifar10", data_folder)


@pytest.fixture(scope="session")
def shapes():
    from resnet_core.data.dataset import load_dataset

    return load_dataset("shapes", Path())


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def run_module() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m MODULE …` as a person would; returns its exit status and what it printed."""
    return processes.run_module


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory) -> RunFolder:
    """A run that nobody disturbed: what every killed, stopped or starved one must equal."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "unbroken")
    done = run(*WORDS, "--run", folder.path)
    assert done.returncode == 0, done.stderr
    assert "Finished: test error" in done.stdout
    return folder
