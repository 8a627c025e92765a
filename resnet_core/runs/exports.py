"""What `python -m export` puts into a run's folder, by name alone: nothing of ONNX is known here."""

from __future__ import annotations

from resnet_core.errors import RunError
from resnet_core.onnx_names import confidence_file, converted_files
from resnet_core.runs.folder import RunFolder


def remove_exports(folder: RunFolder) -> None:
    """Delete what was made of weights that a run no longer has, or is about to replace.

    A file of another name that someone keeps there is theirs.

    Raises:
        RunError: the system refuses, as Windows does while another program has a file open.
    """
    exact = folder.onnx_file
    for path in (exact, *converted_files(exact), confidence_file(exact)):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(
                f"{path} is of earlier weights and can't be deleted ({error.strerror}): close "
                "what has it open, then resume the run."
            ) from None
