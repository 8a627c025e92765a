"""Class activation maps and stages from the ONNX file, against features hooked in PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from export.half import write_fp16
from export.heat import SMALLEST, colour_table, lay_over
from export.inside import InsideModel, Stage
from export.onnx_file import write_onnx
from export.session import FORMAT
from resnet_core.errors import ModelError
from resnet_core.models.network import PixelModel
from resnet_core.models.saved import load_model
from resnet_core.pictures import read_picture, to_input
from resnet_core.zoo import find_in_zoo
from tests.export.test_onnx import make
from tests.export.tiny_onnx import write_tiny_onnx

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = [
    ("plain8", "A"), ("resnet8_v1", "A"), ("resnet8_v1", "B"), ("resnet11_v2", "A"),
    ("resnet11_v2", "B"), ("highway8", "A"),
]  # fmt: skip


def hooked(model: PixelModel, seen: np.ndarray) -> dict[str, torch.Tensor]:
    """What PyTorch computes on the way to the logits, one picture, float64."""
    model = model.double().eval()
    network, kept = model.network, {}
    # In-place ReLUs come later: what is kept must not change.
    for name in ("stage1", "stage2", "stage3"):
        module = getattr(network, name)
        module.register_forward_hook(lambda _m, _i, out, n=name: kept.update({n: out[0].clone()}))
    pooling = next(m for m in network.pre_logits if isinstance(m, torch.nn.AdaptiveAvgPool2d))
    pooling.register_forward_pre_hook(lambda _m, ins: kept.update(features=ins[0][0].clone()))
    with torch.no_grad():
        pixels = (torch.tensor(seen[None]).double() - model.mean) * model.inverse_std
        kept["logits"] = network(pixels.permute(0, 3, 1, 2))[0]
    return kept


def check_against_pytorch(path: Path, model: PixelModel, seen: np.ndarray) -> None:
    inside = InsideModel(path).look(seen)
    theirs = hooked(model, seen)
    classifier = model.network.classifier
    features = theirs["features"]
    expected = torch.einsum("kc,chw->khw", classifier.weight, features) / features[0].numel()
    np.testing.assert_allclose(inside.maps, expected.detach(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(inside.logits, theirs["logits"], rtol=0, atol=1e-4)
    rebuilt = inside.maps.sum((1, 2)) + inside.bias
    np.testing.assert_allclose(rebuilt, inside.logits, rtol=1e-5, atol=1e-5)
    assert [stage.title for stage in inside.stages] == ["Stem", "Stage 1", "Stage 2", "Stage 3"]
    for stage, name in zip(inside.stages[1:], ("stage1", "stage2", "stage3"), strict=True):
        np.testing.assert_allclose(stage.maps, theirs[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "shortcut"), VARIANTS)
def test_maps_and_stages_are_those_of_pytorch(
    name: str, shortcut: str, tmp_path: Path, rng
) -> None:
    saved = make(name, shortcut)
    write_onnx(saved, tmp_path / "m.onnx", "a test", "cifar10", None)
    before = (tmp_path / "m.onnx").read_bytes()
    seen = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    check_against_pytorch(tmp_path / "m.onnx", saved.model, seen)
    assert (tmp_path / "m.onnx").read_bytes() == before


@pytest.mark.parametrize("name", ["resnet20_v1", "plain20"])
def test_shipped_nets_rebuilt_from_their_weights_agree(name: str) -> None:
    entry = find_in_zoo(name)
    seen = to_input(read_picture(ROOT / "ui" / "classify" / "examples" / "ship.jpg").image, 32)
    check_against_pytorch(entry.onnx_file, load_model(entry.weights_file).model, seen)


def write_pooled_onnx(path: Path, order: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """image → mean of each colour, channels in `order` → linear: weights and bias, by hand."""
    rng = np.random.default_rng(3)
    weights = rng.normal(0, 0.1, (4, 3)).astype(np.float32)
    bias = rng.normal(0, 1, 4).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("ReduceMean", ["planes", "axes"], ["pooled"], keepdims=0),
        helper.make_node("Gather", ["pooled", "order"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "pooled",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 6, 6, 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4])
            for name in ("logits", "probabilities")
        ],
        [
            numpy_helper.from_array(np.array([2, 3]), "axes"),
            numpy_helper.from_array(np.array(order), "order"),
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    facts = {
        "format": FORMAT, "name": "pooled", "family": "plain", "depth": "1",
        "class_names": json.dumps(list("abcd")), "input_size": "6", "source": "a test",
        "data": "none", "test_error_percent": "",
    }  # fmt: skip
    helper.set_model_props(model, facts)
    onnx.save(model, path)
    return weights, bias


def test_a_net_made_by_hand_gives_the_map_made_by_hand(tmp_path: Path, rng) -> None:
    weights, bias = write_pooled_onnx(tmp_path / "m.onnx", [0, 1, 2])
    seen = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    inside = InsideModel(tmp_path / "m.onnx").look(seen)
    for k in range(4):
        by_hand = seen.astype(np.float64) @ weights[k] / 36
        np.testing.assert_allclose(inside.maps[k], by_hand, rtol=1e-5, atol=1e-5)
        assert inside.logits[k] == pytest.approx(by_hand.sum() + bias[k], abs=1e-4)
    assert [stage.title for stage in inside.stages] == ["Last stage"]


def test_what_only_looks_like_such_a_net_is_refused(tmp_path: Path, rng) -> None:
    """Between pooling and classifier channels change places: the graph promises what is not so."""
    write_pooled_onnx(tmp_path / "m.onnx", [2, 0, 1])
    seen = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    with pytest.raises(ModelError, match="can't be looked into"):
        InsideModel(tmp_path / "m.onnx").look(seen)


def test_other_nets_and_other_precisions_are_refused(tmp_path: Path) -> None:
    write_tiny_onnx(tmp_path / "flat.onnx", list("abc"))
    with pytest.raises(ModelError, match="average pooling"):
        InsideModel(tmp_path / "flat.onnx")
    write_fp16(find_in_zoo("resnet20_v1").onnx_file, tmp_path / "half.onnx")
    with pytest.raises(ModelError, match="weights in fp32"):
        InsideModel(tmp_path / "half.onnx")
    with pytest.raises(ModelError, match="can't be looked into"):
        InsideModel(find_in_zoo("resnet20_v1").folder / "model.int8.onnx")


def test_the_liveliest_channels_come_first() -> None:
    flat, some, much = np.full((2, 2), 9.0), np.array([[0, 1], [1, 0]]), np.array([[0, 8], [0, 0]])
    stage = Stage("Stage 1", np.stack([flat, some, much]).astype(np.float32))
    assert stage.liveliest(2) == [2, 1]


def test_the_colours_rise_in_lightness() -> None:
    """So they read the same in grey, and whichever colours an eye tells apart."""
    lightness = ((colour_table() / 255.0) ** 2.2 @ [0.2126, 0.7152, 0.0722]) ** (1 / 3)
    rises = np.diff(lightness[::15])  # 17 steps: single ones are as small as rounding
    assert (rises > 0).all() and rises.max() < 3 * rises.min()


@pytest.mark.parametrize("side", [32, 200, 900])
def test_heat_lies_where_the_numbers_are(side: int) -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[1, 6] = 2.0
    image = np.asarray(lay_over(heat, Image.new("RGB", (side, side), (128, 128, 128)))).astype(int)
    assert SMALLEST <= image.shape[0] <= 448
    yellow = image[..., :2].sum(-1) - image[..., 2]
    row, column = divmod(int(yellow.argmax()), image.shape[1])
    assert (8 * row // image.shape[0], 8 * column // image.shape[1]) == (1, 6)


def test_the_command_adds_up_and_writes_its_pictures(run_module, tmp_path: Path) -> None:
    picture = ROOT / "ui" / "classify" / "examples" / "truck.jpg"
    words = ("inside", picture, "--class", "ship", "--out", tmp_path, "--json")
    done = run_module("export", *words)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["sum_over_places"] + told["bias"] == pytest.approx(told["logit"], abs=1e-4)
    assert np.sum(told["map"]) == pytest.approx(told["sum_over_places"], abs=1e-4)
    names = {"heat.png", "stem.png", "stage-1.png", "stage-2.png", "stage-3.png"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert run_module("export", *words[:2]).stdout.startswith(f"{picture}: ")
    failed = run_module("export", "inside", picture, "--class", "cow")
    assert failed.returncode == 2 and "no class 'cow'" in failed.stderr


def test_looking_inside_imports_no_torch() -> None:
    program = (
        "import sys; from pathlib import Path; from ui.classify.inside import _look; "
        "shown = _look(Path('ui/classify/examples/ship.jpg'), 'resnet20_v1', '')[0]; "
        "assert 'lab-heat' in shown, shown; sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
