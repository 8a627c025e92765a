from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.resnet_core.own_pictures import Pictures, draw_pictures


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    return draw_pictures()


@pytest.fixture(scope="module")
def kernels() -> Iterator[None]:
    from tests.resnet_core.tiles import kernels_in_place  # torch, which few tests here need at once

    with kernels_in_place():
        yield
