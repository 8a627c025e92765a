"""Depth against work: counts against torchvision's cards and the paper, figure and page against counts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.models
from plotly.graph_objects import Figure

from benchmarks.__main__ import main
from benchmarks.figures.depth_against_work import LOOKS, PAPER_COLOUR, work_figure
from benchmarks.figures.time_against_work import time_figure
from benchmarks.work.nets import COMPARATORS, count_nets
from benchmarks.work.papers import PAPER_BILLIONS
from benchmarks.work.report import (
    HEADINGS,
    as_page,
    as_table,
    as_text,
    finding,
    how_timed,
    time_finding,
    time_rows,
)
from benchmarks.work.rows import CountedNet, TimedNet
from benchmarks.work.stored import StoredWork, read_work
from benchmarks.work.timing import TIMED, time_nets
from resnet_core.errors import ConfigError
from resnet_core.models.config import parse_model_name
from resnet_core.models.cost import count_cost
from resnet_core.models.photo_families import photo_nets
from tests.benchmarks.test_figures import contrast


@pytest.fixture(scope="module")
def nets() -> list[CountedNet]:
    return count_nets()


@pytest.fixture(scope="module")
def by_name(nets: list[CountedNet]) -> dict[str, CountedNet]:
    return {net.name: net for net in nets}


@pytest.mark.parametrize(("name", "layers"), [("alexnet", 8), ("vgg16", 16), ("vgg19", 19)])
def test_nets_of_others_are_as_their_cards_say(name: str, layers: int, by_name) -> None:
    card = torchvision.models.get_model_weights(name).DEFAULT.meta
    net = by_name[name]
    assert (net.params, net.layers) == (card["num_params"], layers)
    assert round(net.billions, 3) == card["_ops"]


def test_ours_are_those_of_the_table_in_its_order(nets: list[CountedNet]) -> None:
    assert [net.name for net in nets] == [*COMPARATORS, *photo_nets()]
    for net in nets[len(COMPARATORS) :]:
        config = parse_model_name(net.name)
        cost = count_cost(config)
        assert (net.layers, net.params) == (config.depth, cost.params)
        assert net.multiply_adds == cost.multiply_adds


@pytest.mark.parametrize("name", PAPER_BILLIONS)
def test_the_papers_figures_are_near_what_is_counted(name: str, by_name) -> None:
    assert by_name[name].billions == pytest.approx(PAPER_BILLIONS[name], rel=0.02)


def test_the_papers_claim_holds_in_what_is_counted(by_name) -> None:
    deep, rival = by_name["resnet152"], by_name["vgg19"]
    assert deep.layers == 8 * rival.layers
    assert deep.multiply_adds < by_name["vgg16"].multiply_adds < rival.multiply_adds
    # §3.3: the 34-layer net has 18 % of VGG-19's.
    assert round(100 * by_name["resnet34"].multiply_adds / rival.multiply_adds) in (18, 19)


def test_the_finding_is_said_in_the_figures_counted(nets: list[CountedNet]) -> None:
    assert finding(nets) == (
        "ResNet 152: 152 layers, 8.0 times as deep as VGG-19, with 59 % of its multiply-adds"
    )
    other = [replace(n, layers=38, multiply_adds=10**10) if n.name == "vgg19" else n for n in nets]
    assert finding(other).endswith("4.0 times as deep as VGG-19, with 115 % of its multiply-adds")


def points(figure: Figure) -> dict[str, tuple[float, float]]:
    return {
        about[0]: (x, y)
        for trace in figure.data[:-1]
        for about, x, y in zip(trace.customdata, trace.x, trace.y, strict=True)
    }


def test_the_figure_draws_each_net_where_it_was_counted(nets: list[CountedNet]) -> None:
    figure = work_figure(nets)
    assert figure.layout.title.text == finding(nets)
    drawn = points(figure)
    assert drawn.keys() == {net.name for net in nets}
    for net in nets:
        assert drawn[net.name] == (net.layers, pytest.approx(net.billions, rel=1e-5))
    circles = figure.data[:-1]
    assert {trace.marker.sizemode for trace in circles} == {"area"}
    assert len({trace.marker.sizeref for trace in circles}) == 1  # one scale for all families
    sizes = {a[0]: s for t in circles for a, s in zip(t.customdata, t.marker.size, strict=True)}
    assert sizes == {net.name: net.params for net in nets}
    marks = {a[0]: m for t in circles for a, m in zip(t.customdata, t.marker.symbol, strict=True)}
    assert (marks["resnet34"], marks["plain34_photo"]) == ("circle", "circle-open")


def test_the_papers_own_figures_stand_beside(nets: list[CountedNet]) -> None:
    papers = work_figure(nets).data[-1]
    given = {about[0]: y for about, y in zip(papers.customdata, papers.y, strict=True)}
    assert given == PAPER_BILLIONS
    assert papers.marker.symbol == "diamond-open"


def test_every_colour_can_be_seen_and_has_its_dark_twin(nets: list[CountedNet]) -> None:
    dark = work_figure(nets).layout.meta["dark"]
    colours = {colour for _, colour in LOOKS.values()} | {PAPER_COLOUR}
    assert dark == {colour.light: colour.dark for colour in colours}
    assert len({trace.marker.color for trace in work_figure(nets).data}) == len(colours)
    for colour in colours:
        assert contrast(colour.light, "#ffffff") >= 3 and contrast(colour.dark, "#0b0f19") >= 3


@pytest.mark.parametrize("wide", [640, 330])
def test_names_do_not_lie_on_each_other(wide: int, nets: list[CountedNet]) -> None:
    """Boxes of the names in a plot 300 pixels high, by the axes' own ranges."""
    figure = work_figure(nets)
    low, high = figure.layout.xaxis.range
    top = max(net.billions for net in nets) * 1.1
    boxes = []
    for name in figure.layout.annotations:
        x = (name.x - low) / (high - low) * wide + (name.xshift or 0)
        half = 3.3 * len(name.text)
        left = {"center": x - half, "right": x - 2 * half}[name.xanchor]
        y = name.y / top * 300 + (name.yshift or 0)
        bottom = {"bottom": y, "middle": y - 7}[name.yanchor]
        boxes.append((name.text, left, left + 2 * half, bottom, bottom + 14))
    for at, (one, l1, r1, b1, t1) in enumerate(boxes):
        assert l1 >= 0 and r1 <= wide + 12, one
        for other, l2, r2, b2, t2 in boxes[:at]:
            assert r1 <= l2 or r2 <= l1 or t1 <= b2 or t2 <= b1, (one, other)


def test_the_command_prints_writes_and_answers_in_json(
    nets: list[CountedNet],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmarks.work.nets.count_nets", lambda: nets)  # counted once for all
    page = tmp_path / "work.html"
    assert main(["depth-against-work", "--html", str(page)]) == 0
    said = capsys.readouterr().out
    assert as_table(nets) in said and finding(nets) in said
    assert all(heading in said for heading in HEADINGS)
    html = page.read_text(encoding="utf-8")
    assert "<td>19.63 billion</td><td>19.6 billion</td>" in html and "Plotly.newPlot" in html
    assert main(["depth-against-work", "--json"]) == 0
    printed = capsys.readouterr().out
    stored = json.loads(printed)
    assert stored["input_size"] == 224 and stored["times"] == []
    assert stored["nets"] == [net.to_dict() for net in nets]
    (tmp_path / "work.json").write_text(printed, encoding="utf-8")
    assert read_work(tmp_path / "work.json").nets == tuple(nets)
    with pytest.raises(ConfigError, match="no counted nets"):
        read_work(page)


def test_what_ships_is_what_is_counted(nets: list[CountedNet]) -> None:
    shipped = read_work()
    assert shipped.nets == tuple(nets)
    assert [net.name for net in shipped.times] == list(TIMED)
    for net in shipped.times:
        assert net.median_ms == np.median(net.rounds_ms)
        assert net.low_ms <= net.median_ms <= net.high_ms
    assert f"--rounds {len(shipped.times[0].rounds_ms)}" in shipped.command


def test_nets_are_timed_in_turn_after_warming_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only the nets move: the first takes 2 s, the second 3 s, and a millisecond more a turn."""
    turns: list[str] = []
    now = [0.0]

    class Net(torch.nn.Module):
        def __init__(self, name: str, seconds: float):
            super().__init__()
            self.name, self.seconds = name, seconds

        def forward(self, photo: torch.Tensor) -> torch.Tensor:
            assert photo.shape == (1, 3, 224, 224) and not torch.is_grad_enabled()
            assert not self.training
            turns.append(self.name)
            now[0] += self.seconds + len(turns) / 1000
            return photo

    made = {"vgg19": Net("vgg19", 2.0), "resnet152": Net("resnet152", 3.0)}
    monkeypatch.setattr("benchmarks.work.timing.build", made.__getitem__)
    monkeypatch.setattr("benchmarks.work.timing.perf_counter", lambda: now[0])
    first, second = time_nets(3, list(made))
    assert turns == ["vgg19", "resnet152"] * 5
    assert first.rounds_ms == pytest.approx((2005, 2007, 2009))
    assert (second.name, second.median_ms) == ("resnet152", pytest.approx(3008))
    with pytest.raises(ConfigError, match="--rounds"):
        time_nets(0)


@pytest.fixture
def timed(nets: list[CountedNet]) -> StoredWork:
    def made(name: str, *rounds: float) -> TimedNet:
        return TimedNet(name, rounds, float(np.median(rounds)), min(rounds), max(rounds))

    times = (made("vgg19", 400, 410, 405), made("resnet152", 200, 205, 202.5),
             made("plain34_photo", 90, 91, 92))  # fmt: skip
    machine = {"torch": "2.0", "cpu": "A <chip>", "threads": 2}
    return StoredWork(tuple(nets), times, "a command --rounds 3", machine)


def test_the_time_is_said_and_drawn_as_measured(timed: StoredWork) -> None:
    said = time_finding(timed.nets, timed.times)
    assert said == "One photo takes ResNet 152 0.50 times as long as VGG-19 (0.50 to 0.50)"
    figure = time_figure(timed)
    assert figure.layout.title.text == said
    assert [trace.y[0] for trace in figure.data] == [405, 202.5, 91]
    assert [trace.error_y.array[0] for trace in figure.data] == [5, 2.5, 1]
    assert [trace.error_y.arrayminus[0] for trace in figure.data] == [5, 2.5, 1]
    assert time_rows(timed)[0][:4] == ["VGG-19", "19", "19.63 billion", "405 ms"]
    assert "Random weights, so time only" in how_timed(timed) and "3 rounds" in how_timed(timed)
    page = as_page(timed)
    assert said in page and "A &lt;chip&gt;" in page and "<chip>" not in page
    assert said in as_text(timed)
