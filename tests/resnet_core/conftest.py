from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.resnet_core.own_pictures import Pictures, draw_pictures


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    return draw_pictures()


@pytest.fixture(scope="module", params=["tiles", "vectors"])
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    from tests.resnet_core.cpu_kernels import (
        kernels_in_place,  # torch, which few tests here need at once
    )

    with kernels_in_place(request.param):
        yield request.param
