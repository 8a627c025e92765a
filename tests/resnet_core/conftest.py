from __future__ import annotations

import pytest

from tests.resnet_core.own_pictures import Pictures, draw_pictures


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    return draw_pictures()
