"""Writing the stand-alone ONNX file: raw pixels in, logits and probabilities out.

Input `image`: uint8 RGB (N, H, W, 3), N free. Outputs `logits` and `probabilities`: float32
(N, classes). Normalisation is part of the graph; class names, input size, preprocessing, source
and accuracy are in the metadata, so any program in any language can run it.
"""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from export.session import FORMAT
from resnet_core.errors import ModelError
from resnet_core.files import replace_file
from resnet_core.models.network import PixelModel
from resnet_core.models.saved import SavedModel
from resnet_core.pictures import WHOLE_SQUARE

OPSET = 20


class _WithProbabilities(nn.Module):
    def __init__(self, model: PixelModel):
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.model(image)
        return logits, logits.softmax(dim=1)


def write_onnx(
    saved: SavedModel, path: Path, source: str, data: str, test_error_percent: float | None
) -> None:
    """Export a model in fp32 and put the file in place once onnx's checker has passed it.

    Args:
        source: where the weights come from, for the metadata.
        data: the data set it was trained on.
        test_error_percent: its measured test error, None if it was not measured.

    Raises:
        ModelError: the exported graph is not valid ONNX.
    """
    graph = _export(saved.model.cpu().eval())
    config = saved.model.config
    onnx.helper.set_model_props(
        graph,
        {
            "format": FORMAT,
            "name": config.name,
            "family": config.family,
            "depth": str(config.depth),
            "class_names": json.dumps(saved.class_names),
            "input_size": str(config.input_size),
            "preprocessing": describe_preprocessing(saved.crop_share),
            "crop_share": f"{saved.crop_share:.6g}",
            "source": source,
            "data": data,
            "test_error_percent": "" if test_error_percent is None else f"{test_error_percent:.4f}",
            "config": json.dumps(config.to_dict()),
        },
    )
    try:
        onnx.checker.check_model(graph, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"The export of {config.name} is not valid ONNX: {error}") from None
    replace_file(path, lambda temporary: _save(graph, temporary))


def describe_preprocessing(crop_share: float) -> str:
    """What must be done to a picture before the file takes it, for whoever reads its metadata."""
    square = (
        "largest centred square"
        if crop_share == WHOLE_SQUARE
        else f"centred square with {crop_share:.4g} of the shorter side (crop_share), bilinear"
    )
    return (
        f"Upright RGB, {square}, scaled to input_size x input_size, uint8 0..255; "
        "normalisation is inside the graph."
    )


def _export(model: PixelModel) -> onnx.ModelProto:
    size = model.config.input_size
    # Two images at the least: the exporter takes a batch of one for a constant.
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The exporter counts up its opset conversions; none of it is news to a person.
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            _WithProbabilities(model).eval(),
            (example,),
            input_names=["image"],
            output_names=["logits", "probabilities"],
            dynamic_shapes={"image": {0: torch.export.Dim("N")}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ModelError(f"PyTorch's exporter returned nothing for {model.config.name}.")
    return _without_traces(program.model_proto)


def _without_traces(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what the exporter notes at each node: stack traces with paths of the exporting machine."""
    for part in (*graph.graph.node, *graph.graph.value_info, *graph.graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for value in (*graph.graph.input, *graph.graph.output):
        value.ClearField("metadata_props")
    graph.graph.ClearField("metadata_props")
    return graph


def _save(graph: onnx.ModelProto, path: Path) -> None:
    path.write_bytes(graph.SerializeToString())
