"""Which nets the section "Why it happens" offers to which look."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from tests.written_runs import write_run
from ui.why.section import WhySection, build_why
from ui.why.surgery import INVITATION, _offer_blocks


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of a net for small pictures, and one that began with a net for photos."""
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    write_run(tmp_path / "small", "resnet_v1", 20)
    write_run(tmp_path / "photo", "photo_resnet", 50)
    return tmp_path


def offered(section: WhySection) -> dict[str, list[str]]:
    """The menus as opening the section fills them; the operating table's is called Net."""
    nets, *menus = section.opening()["fn"]("surgery", "resnet20_v1")[: 1 + len(section.views)]
    names = ["Net", *(view.analysis for view in section.views)]
    return {name: menu["choices"] for name, menu in zip(names, [nets, *menus], strict=True)}


def test_surgery_offers_no_nets_for_photos(runs: Path) -> None:
    with gr.Blocks():
        section = build_why()
    menus = offered(section)
    for name in ("Net", "surgery"):
        assert "small" in menus[name] and "photo" not in menus[name]
    assert {"small", "photo"} <= set(menus["responses"])


def test_a_photo_net_that_a_page_still_names_has_no_blocks_to_tick(runs: Path) -> None:
    off, *_, answer = _offer_blocks("photo")
    assert off["choices"] == [] and answer == INVITATION
    assert len(_offer_blocks("small")[0]["choices"]) == 9
