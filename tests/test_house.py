"""The house's rules: which room may import which, and what starting may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ["app", "ui", "benchmarks", "export", "resnet_core"]  # each may import what follows it
LIBRARIES = {
    "gradio": {"app", "ui"},
    "plotly": {"benchmarks"},
    "ray": {"benchmarks"},
    "onnx": {"export"},
    "onnxruntime": {"export"},
    "openvino": {"export"},
}
AT_IMPORT_IN_RESNET_CORE = {"torch", "numpy", "safetensors", *sys.stdlib_module_names}


def source_files(room: str) -> list[Path]:
    return [ROOT / "app.py"] if room == "app" else sorted((ROOT / room).rglob("*.py"))


def imports(path: Path, top_level_only: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("room", ROOMS)
def test_imports_never_go_back_up(room: str) -> None:
    above = set(ROOMS[: ROOMS.index(room)])
    wrong = {
        f"{path}: {name}" for path in source_files(room) for name in imports(path) if name in above
    }
    assert not wrong


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_library_stays_in_its_room(library: str) -> None:
    rooms = {room for room in ROOMS for path in source_files(room) if library in imports(path)}
    assert rooms <= LIBRARIES[library]


def test_resnet_core_needs_little_to_import() -> None:
    needed = {
        name
        for path in source_files("resnet_core")
        for name in imports(path, top_level_only=True)
        if name != "resnet_core"
    }
    assert needed <= AT_IMPORT_IN_RESNET_CORE


def test_the_rule_walker_sees_a_wrong_arrow(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(
        "def late():\n    from ui.layout import build_app\n    import gradio.themes\n"
    )
    assert list(imports(planted)) == ["ui", "gradio"]
    assert list(imports(planted, top_level_only=True)) == []


def test_opening_the_app_and_classifying_imports_no_torch() -> None:
    program = (
        "import sys; from pathlib import Path; import app; from ui.layout import build_app; "
        "build_app(); from export.classifier import classify; "
        "classify(Path('ui/classify/examples/ship.jpg'), 'resnet20_v1'); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_front_door_is_short() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) < 40


def test_what_overrides_a_package_is_installed_and_newer_than_gradio_allows() -> None:
    """Else the file has done its work, and goes."""
    lines = (ROOT / "requirements-overrides.txt").read_text().splitlines()
    overrides = [Requirement(line) for line in lines if line and not line.startswith("#")]
    allowed = {each.name: each for each in map(Requirement, requires("gradio") or [])}
    assert overrides
    for override in overrides:
        installed = Version(version(override.name))
        assert installed in override.specifier
        assert installed not in allowed[override.name].specifier
