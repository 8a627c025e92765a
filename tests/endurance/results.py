"""What every file of results begins with: its format, command, commit and environment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resnet_core.training.hardware import describe_environment
from resnet_core.training.run import current_commit

FOLDER = Path(__file__).resolve().parents[2] / "studies" / "reliability"


def envelope(format_name: str, command: str) -> dict[str, Any]:
    environment = describe_environment()
    return {
        "format": format_name,
        "command": command,
        "commit": current_commit(),
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": {k: v for k, v in environment.items() if not k.startswith("process_")},
    }
