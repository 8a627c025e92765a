"""The short form of `python -m tests.endurance fuzz`: seeds mutated by Hypothesis, no coverage."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.endurance.fuzz.catalogue import TARGETS
from tests.endurance.fuzz.target import Prepared, outcome

CASES_A_SHARE = 2
MOST_CASES = 40


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A good input with a few bytes changed, a stretch cut out, or another's end put on."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(["byte", "bytes", "cut", "end", "other"])):
            case "byte":
                data[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case "bytes":
                data[place:place] = draw(st.binary(max_size=12))
            case "cut":
                del data[place : place + draw(st.integers(1, 40))]
            case "end":
                del data[place:]
            case "other":
                data[place:] = draw(st.sampled_from(seeds))[place:]
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_bad_input_is_read_or_refused_in_a_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path / "runs"))
    (tmp_path / "case").mkdir()
    prepared: Prepared = TARGETS[name].prepare(tmp_path / "case")

    @settings(
        max_examples=min(MOST_CASES, CASES_A_SHARE * TARGETS[name].share), deadline=None,
        derandomize=True, database=None, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(mutated(list(prepared.seeds)))
    def feed(data: bytes) -> None:
        outcome(prepared.read, data)

    feed()
