"""Who a process is: its number and when it began, which together name one for good."""

from __future__ import annotations

import re
from pathlib import Path


def process_started_at(process_id: int) -> str | None:
    """When a process began, as an opaque word; None if there is none (or it is a zombie).

    Number and start time together name one process for good: numbers alone come round again.
    """
    stat = Path(f"/proc/{process_id}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            # The second field is the program's name in brackets and may hold anything.
            fields = re.sub(r"^.*\) ", "", stat.read_text(), flags=re.DOTALL).split()
        except OSError:
            return None
        return None if fields[0] == "Z" else fields[19]
    return _process_started_at_elsewhere(process_id)


def _process_started_at_elsewhere(process_id: int) -> str | None:
    import psutil  # not needed on Linux, where GPU boxes may lack it

    try:
        process = psutil.Process(process_id)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE  # macOS tells their start as well
        return None if is_zombie else f"{process.create_time():.2f}"
    except psutil.Error:
        return None
