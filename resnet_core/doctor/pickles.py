"""What a pickle would do, read from its opcodes without doing any of it. No torch.

PyTorch's files are pickles, and a pickle is a program. PyTorch's own guard (`weights_only`) was
got round twice (CVE-2025-32434, CVE-2026-24747), so this one stands before it and lets far less
through: plain dense tensors, and the containers, numbers and words around them.
"""

from __future__ import annotations

import pickletools
from typing import IO

from resnet_core.errors import ModelError, briefly, printable

# A net of 1202 layers with Adam's state takes 2 MB.
MAX_PICKLE_BYTES = 8 * 2**20
STORAGES = (
    "Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool",
)  # fmt: skip
ALLOWED = frozenset(
    {
        "collections OrderedDict",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "torch Size",
        *(f"torch {kind}Storage" for kind in STORAGES),
    }
)
# Ways to name or make an object that PyTorch's writer never takes.
FOREIGN = {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID"}
NUMBERS = {"BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG"}


def check_pickle(stream: IO[bytes], most_elements: int, name: str) -> None:
    """Read one pickle and leave the stream behind its end.

    Args:
        stream: holds no more bytes than a pickle may have.
        most_elements: of one tensor; there can't be more of them than bytes in the file.
        name: the file's, for the message.

    Raises:
        ModelError: it asks for anything but plain tensors, or is damaged.
    """
    words: list[str] = []
    largest = 0  # number since the last mark: a tensor's size stands in the tuple that names it
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "GLOBAL" and argument not in ALLOWED:
                raise ModelError(_would_run(name, str(argument).replace(" ", ".")))
            if opcode.name == "STACK_GLOBAL":
                raise ModelError(_would_run(name, ".".join(words[-2:])))
            if opcode.name in FOREIGN:
                raise ModelError(_would_run(name, "an object of its own making"))
            if opcode.name == "BINPERSID" and largest > most_elements:
                raise ModelError(
                    f"{name} claims a tensor of {largest:,} elements, more than the file has "
                    "bytes: it is damaged or made to do harm, and was not opened."
                )
            if opcode.name == "MARK":
                largest = 0
            elif opcode.name in NUMBERS:
                largest = max(largest, int(argument or 0))
            elif isinstance(argument, str):
                words.append(argument)
    except (ValueError, EOFError, OverflowError, MemoryError) as error:
        raise ModelError(
            f"{name} is damaged or cut short ({briefly(error)}): fetch or save it again."
        ) from None


def _would_run(name: str, what: str) -> str:
    return (
        f"{name} asks for {printable(what[:100])} when it is opened, and a file may ask for nothing but plain "
        "tensors here, for anything else can run a program: it was not opened. Ask for the net's "
        "state_dict() saved alone, best as .safetensors."
    )
