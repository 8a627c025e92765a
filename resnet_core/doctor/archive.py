"""PyTorch's zip files, looked through before anything of them is used. No torch.

What passed is packed anew, so that PyTorch's own zip reader sees the very members that were
checked: two readers of one zip may be led to see two different archives.
"""

from __future__ import annotations

import io
import zipfile
import zlib

from resnet_core.doctor.pickles import MAX_PICKLE_BYTES, check_pickle
from resnet_core.errors import ModelError, briefly

MAX_MEMBERS = 50_000
ENTRY = b"PK\x01\x02"  # begins a member's entry in the directory
READ_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)


def repack(data: bytes, name: str) -> io.BytesIO:
    """The same archive, checked and packed anew.

    Args:
        data: the file's bytes.
        name: the file's, for messages.

    Raises:
        ModelError: it is damaged, a bomb, not PyTorch's, or would run a program.
    """
    if data.count(ENTRY) > MAX_MEMBERS:
        raise ModelError(f"{name} has more than {MAX_MEMBERS:,} parts: no net's weights have.")
    packed = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check(archive.infolist(), len(data), name)
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as again:
                for member in archive.infolist():
                    content = archive.read(member)  # which checks its CRC
                    if member.filename.endswith("/data.pkl"):
                        check_pickle(io.BytesIO(content), len(data), name)
                    again.writestr(member.filename, content)
    except READ_ERRORS as error:
        raise ModelError(
            f"{name} is damaged or cut short ({briefly(error)}): fetch or save it again."
        ) from None
    packed.seek(0)
    return packed


def _check(members: list[zipfile.ZipInfo], size: int, name: str) -> None:
    names = [member.filename for member in members]
    if any(path.endswith("/constants.pkl") for path in names):
        raise ModelError(
            f"{name} is a TorchScript program, which opening would run: ask for the net's "
            "state_dict() instead."
        )
    if sum(path.endswith("/data.pkl") for path in names) != 1 or len(set(names)) < len(names):
        raise ModelError(
            f"{name} is a zip archive but not one that PyTorch writes: give a file saved by "
            "torch.save, or a .safetensors file."
        )
    if any(m.compress_type != zipfile.ZIP_STORED or m.flag_bits & 0x1 for m in members):
        raise ModelError(
            f"{name} holds packed or encrypted parts, which PyTorch's files never do: it was not "
            "unpacked. Save it again with torch.save."
        )
    # Stored members that add up to more than the file lie over each other.
    if (claimed := sum(member.file_size for member in members)) > size:
        raise ModelError(
            f"{name} claims {claimed / 2**30:,.1f} GB in a file of {size / 2**20:,.1f} MB: it is "
            "damaged or made to do harm, and was not opened."
        )
    if any(m.filename.endswith("/data.pkl") and m.file_size > MAX_PICKLE_BYTES for m in members):
        raise ModelError(
            f"{name} has more than {MAX_PICKLE_BYTES // 2**20} MB beside its tensors: save the "
            "net's state_dict() alone."
        )
