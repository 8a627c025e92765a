"""Whether an fp16 or int8 file is of the fp32 file that it lies beside: it holds that one's hash. No torch."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from resnet_core.errors import ModelError
from resnet_core.files import sha256_of
from resnet_core.onnx_names import exact_file

SOURCE_HASH = "fp32_sha256"
"""Key in a converted file's metadata: the SHA-256 of the fp32 file that it was made from."""


def command_for(precision: str) -> str:
    """The command that makes a model's file of a precision."""
    return f"`python -m export onnx MODEL --precision {precision}`"


def check_source(exact: Path, converted: Path) -> None:
    """Refuse a converted file that would answer for another model than the one it lies beside.

    One that says nothing may be made by other tools, and is taken as it is, but not where only
    this kit puts files: there an earlier version made it, of whatever the model was by then.

    Raises:
        ModelError: it is of another file, or does not say; and how to make it anew.
    """
    if not exact.is_file():
        raise ModelError(f"There is no model file at {exact}: check the path.")
    said = _read_source_hash(converted, converted.stat().st_mtime_ns)
    if said == hash_file(exact) or not (said or _is_kept_here(exact.parent)):
        return
    why = "was not made from the" if said else "does not say whether it was made from the"
    remedy = f"make it anew with {command_for(converted.name.split('.')[-2])}"
    raise ModelError(f"{converted} {why} {exact.name} that lies beside it: {remedy}.")


def check_named(file: Path) -> None:
    """The same for a file of a model's folder that is asked for by its own path.

    Raises:
        ModelError: it is a converted one, and not of the file beside it.
    """
    exact = exact_file(file)
    if exact is not None and exact.is_file() and _is_kept_here(file.parent):
        check_source(exact, file)


def _is_kept_here(folder: Path) -> bool:
    """Whether it is a shipped or imported model's, or a run's."""
    return (folder / "card.json").is_file() or (folder / "config.json").is_file()


def hash_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, as hexadecimal digits."""
    return _hash(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _hash(path: Path, _changed_at_ns: int) -> str:
    """Kept until the file changes: every answer asks for it."""
    return sha256_of(path)


@lru_cache(maxsize=64)
def _read_source_hash(file: Path, _changed_at_ns: int) -> str:
    """Empty where it says none, or is damaged, which whoever opens it will say."""
    import onnx  # classifying with the exact file must not wait for it
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(file, load_external_data=False)
    except DecodeError:
        return ""
    return next((prop.value for prop in model.metadata_props if prop.key == SOURCE_HASH), "")
