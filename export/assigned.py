"""Which provider really runs a session's layers: what one can't run, ONNX Runtime gives to another."""

from __future__ import annotations

from collections import Counter

import onnxruntime as ort

LAYERS = {"Conv", "ConvInteger", "FusedConv", "Gemm", "MatMul", "QLinearConv", "QGemm"}
RECORDED = ("session.record_ep_graph_assignment_info", "1")
"""The entry of a session's options that has it remember."""


def layers_by_provider(session: ort.InferenceSession) -> Counter[str]:
    """How many convolutions and matrix products each provider runs, by the provider's name.

    Args:
        session: opened with `RECORDED`.
    """
    found: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        found[part.ep_name] += sum(node.op_type in LAYERS for node in part.get_nodes())
    return found


def left_to_others(layers: Counter[str], provider: str) -> str:
    """Words for the layers that are not the provider's: empty, or ", 3 of 20 layers on the CPU"."""
    others = layers.total() - layers[provider]
    return f", {others} of {layers.total()} layers on the CPU" if others else ""
