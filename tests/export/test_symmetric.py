"""int8 as TensorRT takes it, run by ONNX Runtime: what is true of the file is true of any engine."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from export.symmetric import make_symmetric
from resnet_core.onnx_names import converted_file
from resnet_core.zoo import find_in_zoo

NETS = ("plain20", "resnet20_v1")


def logits_of(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(["logits"], {"image": images})[0]


@pytest.fixture(params=NETS)
def pair(request) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """A shipped int8 file, and what is made of it."""
    file = converted_file(find_in_zoo(request.param).onnx_file, "int8")
    changed = onnx.load(file)
    make_symmetric(changed)
    onnx.checker.check_model(changed, full_check=True)
    return onnx.load(file), changed


def test_every_step_is_signed_and_around_zero(pair) -> None:
    before, after = pair
    stored = {each.name: numpy_helper.to_array(each) for each in after.graph.initializer}
    pairs = [node for node in after.graph.node if node.op_type.endswith("antizeLinear")]
    assert len(pairs) > 50
    for node in pairs:
        zero = stored[node.input[2]]
        assert zero.dtype == np.int8 and not zero.any()
    # What is quantised is so in a pair of nodes, weights too; biases are plain numbers.
    quantised = {node.output[0] for node in pairs if node.op_type == "QuantizeLinear"}
    assert {n.input[0] for n in pairs if n.op_type == "DequantizeLinear"} == quantised
    convolutions = [node for node in after.graph.node if node.op_type == "Conv"]
    assert all(stored[node.input[2]].dtype == np.float32 for node in convolutions)
    assert {each.name for each in after.graph.output} == {e.name for e in before.graph.output}
    assert after.metadata_props == before.metadata_props


def test_it_answers_like_the_file_it_is_made_of(pair, cifar10) -> None:
    images, labels = (part[:500].numpy() for part in (cifar10.test.images, cifar10.test.labels))
    before, after = (logits_of(model, images) for model in pair)
    assert (before.argmax(1) == after.argmax(1)).mean() >= 0.97
    errors = [(each.argmax(1) != labels).mean() for each in (before, after)]
    assert abs(errors[0] - errors[1]) <= 0.01


def test_a_range_above_zero_keeps_being_cut_off_at_zero() -> None:
    """Two steps by hand: u8 with zero point 0, and with 128, each s = 0.5."""
    for zero, expected in ((0, [0.0, 0.0, 1.0, 127.5]), (128, [-64.0, -1.0, 1.0, 64.0])):
        scale = numpy_helper.from_array(np.float32(0.5).reshape(()), "s")
        point = numpy_helper.from_array(np.uint8(zero).reshape(()), "z")
        nodes = [
            onnx.helper.make_node("QuantizeLinear", ["image", "s", "z"], ["q"]),
            onnx.helper.make_node("DequantizeLinear", ["q", "s", "z"], ["logits"]),
        ]
        ends = [
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N"])
            for name in ("image", "logits")
        ]
        graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], [scale, point])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)])
        model.ir_version = 10
        make_symmetric(model)
        found = logits_of(model, np.array([-200, -1, 1, 200], np.float32))
        # To a step: signed numbers reach one further below zero.
        step = 0.5 * max(zero, 255 - zero) / 127
        np.testing.assert_allclose(found, expected, atol=1.001 * step)
