"""What an analysis yields while it works: one plain object for each thing measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Row:
    """Base of all results; `kind` names them where they are stored. Errors are in percent."""

    kind: ClassVar[str] = ""

    def to_dict(self) -> dict[str, Any]:
        return {"event": self.kind, **asdict(self)}
