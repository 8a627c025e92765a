"""What ONNX Runtime says of a session's layers, counted against the file's own nodes."""

from __future__ import annotations

from collections import Counter

import onnx
import onnxruntime
import pytest

from export.assigned import RECORDED, layers_by_provider, left_to_others
from export.session import PROVIDERS
from resnet_core.zoo import find_in_zoo


@pytest.mark.parametrize("net", ["plain20", "resnet20_v1"])
def test_every_layer_is_counted_once_for_who_runs_it(net: str) -> None:
    file = find_in_zoo(net).onnx_file
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(*RECORDED)
    session = onnxruntime.InferenceSession(file, options, providers=[PROVIDERS["cpu"]])
    nodes = Counter(node.op_type for node in onnx.load(file).graph.node)
    assert nodes["Conv"] == 19 and nodes["Gemm"] == 1
    assert layers_by_provider(session) == {PROVIDERS["cpu"]: 20}
    assert left_to_others(layers_by_provider(session), PROVIDERS["cpu"]) == ""


def test_what_another_runs_is_said() -> None:
    layers = Counter({PROVIDERS["cuda"]: 17, PROVIDERS["cpu"]: 3})
    assert left_to_others(layers, PROVIDERS["cuda"]) == ", 3 of 20 layers on the CPU"
    assert left_to_others(Counter({PROVIDERS["cpu"]: 20}), PROVIDERS["cuda"]) == (
        ", 20 of 20 layers on the CPU"
    )
