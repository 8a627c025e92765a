"""The pages say what the files of results say: each figure is asked of the file that it came from."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STUDIES = ROOT / "studies"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def read_page(name: str) -> str:
    """`docs/NAME.md` as it stands."""
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
