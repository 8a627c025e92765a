"""What `python -m export` puts into a run's folder, by name alone: nothing of ONNX is known here."""

from __future__ import annotations

from resnet_core.errors import RunError
from resnet_core.runs.folder import RunFolder

EXPORTED = ("model*.onnx", "model*.confidence.json")
"""The model in every precision, and what was measured of it."""


def remove_exports(folder: RunFolder) -> None:
    """Delete what was made of weights that a run no longer has, or is about to replace.

    Raises:
        RunError: the system refuses, as Windows does while another program has a file open.
    """
    for pattern in EXPORTED:
        for path in folder.path.glob(pattern):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise RunError(
                    f"{path} is of earlier weights and can't be deleted ({error.strerror}): close "
                    "what has it open, then resume the run."
                ) from None
