"""Running an exported model with ONNX Runtime: uint8 pixels in, probabilities out, no torch."""

from __future__ import annotations

import ctypes
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from export.assigned import RECORDED, layers_by_provider, left_to_others
from export.bound import Bound
from export.engines.interface import on_gpu
from export.tensorrt_libraries import INSTALL, load_tensorrt
from export.threads import allowed_threads
from resnet_core.errors import ModelError, briefly
from resnet_core.pictures import WHOLE_SQUARE

FORMAT = "resnet-lab-onnx-1"
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
TITLES = {"cpu": "CPU", "cuda": "CUDA", "tensorrt": "TensorRT"}
NEEDS = {
    "cuda": "`pip install onnxruntime-gpu[cuda,cudnn]`",
    "tensorrt": f"`pip install onnxruntime-gpu[cuda,cudnn]`, and `{INSTALL}`",
}
LARGEST_INPUT = 4096  # pixels: a file that claims more is not asked for them
_QUIET = 3  # errors only: a missing GPU on a CPU machine is not news


@dataclass(frozen=True)
class ModelFacts:
    """What an exported model says of itself, from its metadata."""

    name: str
    family: str
    depth: int
    class_names: tuple[str, ...]
    input_size: int
    source: str
    data: str
    test_error_percent: float | None
    """Of this very file; None where it was not measured."""
    precision: str = "fp32"
    crop_share: float = WHOLE_SQUARE
    """Side of the square it sees as a share of a picture's shorter side, as `to_input` takes it."""

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], origin: Path) -> ModelFacts:
        if metadata.get("format") != FORMAT:
            raise ModelError(
                f"{origin} does not describe itself as a ResNet Lab model: "
                "export it with `python -m export onnx`."
            )
        try:
            error = metadata["test_error_percent"]
            return cls(
                name=metadata["name"],
                family=metadata["family"],
                depth=int(metadata["depth"]),
                class_names=_class_names(metadata["class_names"]),
                input_size=_input_size(metadata["input_size"]),
                source=metadata["source"],
                data=metadata["data"],
                test_error_percent=float(error) if error else None,
                precision=metadata.get("precision", "fp32"),
                crop_share=_read_crop_share(metadata, origin),
            )
        except (KeyError, ValueError, RecursionError) as damage:
            raise ModelError(
                f"{origin} describes itself wrongly ({damage}): it is damaged, export it again."
            ) from None


def _class_names(text: str) -> tuple[str, ...]:
    names = json.loads(text)
    if not isinstance(names, list) or len(names) < 2 or not all(isinstance(n, str) for n in names):
        raise ValueError("class_names is no list of names")
    return tuple(names)


def _input_size(text: str) -> int:
    if not 0 < (size := int(text)) <= LARGEST_INPUT:
        raise ValueError(f"input_size is {size}")
    return size


def _read_crop_share(metadata: dict[str, str], origin: Path) -> float:
    said = metadata.get("crop_share", str(WHOLE_SQUARE))
    try:
        share = float(said)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise ModelError(
            f"{origin} has a crop_share of '{said}', which should be above 0 and at most 1."
        )
    return share


@dataclass(frozen=True)
class TensorFacts:
    """An input or output as ONNX Runtime sees it."""

    name: str
    type: str
    """Such as tensor(uint8)."""
    shape: tuple[int | str | None, ...]
    """A free axis is its name, or None."""


class OnnxSession:
    """One open model. `name` says which provider really runs it, and what it left to the CPU.

    Args:
        path: a stand-alone ONNX file of this app.
        provider: `cpu`, `cuda`, `tensorrt`, or `auto` for CUDA where it works.
        threads: on the CPU; 0 for all that `allowed_threads` allows.
        spins: whether threads that wait for work keep their core, ready at once, or leave it to
            others, such as decoders.
        options: what the provider is told.
        rewrite: what becomes of the file's bytes before the provider gets them.

    Raises:
        ModelError: the file is missing, damaged, keeps weights elsewhere, or is not of this app;
            or the provider that was demanded does not run.
    """

    def __init__(
        self,
        path: Path,
        provider: str = "auto",
        threads: int = 0,
        spins: bool = True,
        options: dict[str, str] | None = None,
        rewrite: Callable[[bytes], bytes] | None = None,
    ):
        if not path.is_file():
            raise ModelError(f"There is no model file at {path}: check the path.")
        self.path = path
        self._session = _open_session(path, provider, threads, spins, options, rewrite)
        try:
            self._metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
            self.inputs = _tensor_facts(self._session.get_inputs())
            self.outputs = _tensor_facts(self._session.get_outputs())
        except UnicodeDecodeError:
            raise ModelError(
                f"{path} holds names that are no text: it is damaged, export it again."
            ) from None
        precision = self._metadata.get("precision", "fp32")
        first = self._session.get_providers()[0]
        self.name = _describe(first, precision)
        if first != PROVIDERS["cpu"]:
            self.name += left_to_others(layers_by_provider(self._session), first)

    @cached_property
    def facts(self) -> ModelFacts:
        return ModelFacts.from_metadata(self._metadata, self.path)

    def run(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """uint8 RGB (N, size, size, 3) → logits and probabilities, float32 (N, classes) each.

        Raises:
            ModelError: the graph is not what the file says of it.
        """
        try:
            found = self._session.run(["logits", "probabilities"], {"image": images})
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise ModelError(
                f"{self.path} does not run ({briefly(error)}): it is damaged, export it again."
            ) from None
        logits, probabilities = map(np.asarray, found)
        return logits, probabilities

    def bind(self, images: int, device: str, graph: int | None = None) -> Bound:
        """Memory on its device for so many images at a time; see `Bound`."""
        facts = self.facts
        shape = (images, facts.input_size, facts.input_size, 3)
        return Bound(self._session, shape, len(facts.class_names), device, graph)


def _tensor_facts(tensors: Sequence[Any]) -> list[TensorFacts]:
    return [TensorFacts(t.name, t.type, tuple(t.shape)) for t in tensors]


def _open_session(
    path: Path,
    provider: str,
    threads: int,
    spins: bool,
    options: dict[str, str] | None,
    rewrite: Callable[[bytes], bytes] | None,
) -> ort.InferenceSession:
    if provider not in ("auto", *PROVIDERS):
        raise ModelError(
            f"Unknown engine provider '{provider}': choose auto, {', '.join(PROVIDERS)}."
        )
    # Bytes, not a path: a file read from memory can't pull in other files as its weights.
    data = path.read_bytes()
    data = rewrite(data) if rewrite else data
    wanted = "cuda" if provider == "auto" and has_nvidia_gpu() else provider
    if wanted not in ("auto", "cpu"):
        session = open_bytes(data, path, wanted, threads, spins, options)
        if session.get_providers()[0] == PROVIDERS[wanted]:
            return session
        if provider != "auto":
            raise ModelError(
                f"ONNX Runtime's {TITLES[wanted]} provider does not run here: it needs an NVIDIA "
                f"GPU and {NEEDS[wanted]}; choose cpu instead."
            )
    return open_bytes(data, path, "cpu", threads, spins)


def open_bytes(
    data: bytes,
    origin: Path,
    provider: str = "cpu",
    threads: int = 0,
    spins: bool = True,
    provider_options: dict[str, str] | None = None,
) -> ort.InferenceSession:
    """A session on a model in memory, by a provider of `PROVIDERS`; `origin` is for messages.

    Raises:
        ModelError: it is not a model that ONNX Runtime can open.
    """
    options = ort.SessionOptions()
    options.log_severity_level = _QUIET
    options.intra_op_num_threads = threads or allowed_threads()
    if not spins:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = [(PROVIDERS[provider], provider_options or {})]
    if provider != "cpu":
        options.add_session_config_entry(*RECORDED)
        # The wheel's CUDA libraries lie in site-packages, where the loader does not look.
        ort.preload_dlls()
        if provider == "tensorrt":
            load_tensorrt()
        providers.append(PROVIDERS["cpu"])
    try:
        return ort.InferenceSession(
            data,
            options,
            providers=providers,
            # On the CPU there is nothing to fall back to: it would only print and try again.
            enable_fallback=int(provider != "cpu"),
        )
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        how = "as an ONNX model" if provider == "cpu" else f"with {TITLES[provider]}"
        raise ModelError(f"{origin} can't be opened {how} ({briefly(error)}).") from None


def has_nvidia_gpu() -> bool:
    """Whether an NVIDIA driver is there; nothing is asked of it, so it costs next to nothing."""
    return (
        Path("/proc/driver/nvidia/version").exists()
        or Path("C:/Windows/System32/nvcuda.dll").exists()
        # Under WSL2 the driver is Windows', and there is but its library.
        or _can_load("libcuda.so.1")
    )


@cache
def _can_load(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _describe(provider: str, precision: str) -> str:
    device = next((TITLES[key] for key, name in PROVIDERS.items() if name == provider), provider)
    format_ = precision if device == TITLES["cpu"] else on_gpu(precision)
    return f"ONNX Runtime {ort.__version__}, {device}, {format_}"
