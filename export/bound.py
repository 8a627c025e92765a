"""IO binding: a batch in memory that stays where an ONNX Runtime session computes."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray


class Bound:
    """Pixels and answers of one batch size, in memory of the session's device.

    Args:
        session: takes `image` and gives `probabilities`.
        shape: of the pixels, (N, size, size, 3) uint8.
        classes: the answers are (N, classes) float32.
        device: `cpu` or `cuda`.
        graph: number of the CUDA graph that replays this batch size, one of the session's own;
            None where it records none.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        shape: tuple[int, int, int, int],
        classes: int,
        device: str,
        graph: int | None = None,
    ):
        self._session = session
        self._host = np.zeros(shape, np.uint8)
        self._pixels = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, device)
        answers = ort.OrtValue.ortvalue_from_shape_and_type((shape[0], classes), np.float32, device)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input("image", self._pixels)
        self._binding.bind_ortvalue_output("probabilities", answers)
        self._options = ort.RunOptions()
        if graph is not None:
            self._options.add_run_config_entry("gpu_graph_id", str(graph))

    def put(self, images: NDArray[np.uint8]) -> None:
        """Copy images to the device; fewer than the batch size leave the rest as it was."""
        if len(images) < len(self._host):
            self._host[: len(images)] = images
            images = self._host
        self._pixels.update_inplace(images)

    def answer(self) -> None:
        """Compute there; returns when it is done."""
        self._session.run_with_iobinding(self._binding, self._options)

    def take(self, images: int) -> NDArray[np.float32]:
        """The first so many answers, copied from the device."""
        return np.array(self._binding.copy_outputs_to_cpu()[0][:images])
