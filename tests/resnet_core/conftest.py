from __future__ import annotations

import pytest

from resnet_core.runs.folder import RunFolder
from tests.resnet_core.live_runs import WORDS, run
from tests.resnet_core.own_pictures import Pictures, draw_pictures


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory) -> RunFolder:
    """A run that nobody disturbed: what every killed, stopped or starved one must equal."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "unbroken")
    done = run(*WORDS, "--run", folder.path)
    assert done.returncode == 0, done.stderr
    assert "Finished: test error" in done.stdout
    return folder


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    return draw_pictures()
