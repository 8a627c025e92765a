"""Gradio's stubs for editors are neither made nor held against what is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COUNT = """
import ast, inspect
cut, asked = ast.get_source_segment, []
ast.get_source_segment = lambda *told, **more: asked.append(1) or cut(*told, **more)
getfile = inspect.getfile
{first}
import gradio
class Dropdown(gradio.Dropdown):
    pass
assert inspect.getfile is getfile
print(len(asked))
"""


def segments_cut(first: str) -> int:
    """How many classes had their source cut out of its file, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT.format(first=first)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_no_component_has_its_source_read() -> None:
    assert segments_cut("import ui") == 0
    assert segments_cut("") > 50, "Gradio makes no stubs any more: `ui.no_stubs` can go"


def test_importing_the_pages_leaves_no_file_beside_them() -> None:
    subprocess.run([sys.executable, "-c", "import ui.layout"], cwd=ROOT, check=True)
    assert not list((ROOT / "ui").rglob("*.pyi"))
