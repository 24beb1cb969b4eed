"""The import rule of the house: each room imports only from the rooms before it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "enhancers"

LEVELS: tuple[frozenset[str], ...] = (
    frozenset(
        {"errors", "method", "values", "listing", "settings", "registry", "image", "asset_files",
         "source_digest"}
    ),
    frozenset(
        {"load", "save", "display", "degrade", "low_dose", "noise", "colour", "phantoms", "samples",
         "operators", "metrics", "provenance"}
    ),
    frozenset({"base", "devices", "lanes", "classical", "diffusion", "priors"}),
    frozenset({"compare"}),
    frozenset({"viewer", "bench", "evaluation", "ui", "batch"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)  # fmt: skip
"""Rooms from the ground up; a room imports from its own level and those below."""

STUDY = ROOT / "study"
FOR_THE_STUDY = {"image", "display", "asset_files"}
STUDY_MAY_ALSO_IMPORT = {
    "build": {
        "compare",
        "registry",
        "source_digest",
        "load",
        "degrade",
        "provenance",
        "settings",
        "errors",
        "method",
    },
    "ui": {"viewer"},
    "admin": {"viewer"},
}
"""What rooms of the study import from ``enhancers``: only `build` may know methods by name."""
STUDY_SHOWS = {"ui", "admin", "theme"}
"""The rooms of the study that may import gradio."""

TORCH_FREE = ("image", "display", "registry", "method", "errors", "settings", "viewer")
"""Rooms that may be used on a machine without torch."""


def _level(room: str) -> int:
    for level, rooms in enumerate(LEVELS):
        if room in rooms:
            return level
    raise AssertionError(f"enhancers/{room} has no level: put it into LEVELS")


def _modules() -> list[Path]:
    found = [p for p in sorted(PACKAGE.rglob("*.py")) if p != PACKAGE / "__init__.py"]
    assert len(found) > 100, f"the modules are no longer below {PACKAGE}"
    return found


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported_rooms(path: Path) -> set[str]:
    """Rooms of ``enhancers`` that a file imports, inside functions as well."""
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the rule"
            if node.module == "enhancers":
                rooms.update(alias.name for alias in node.names if not alias.name.startswith("__"))
            elif node.module and node.module.startswith("enhancers."):
                rooms.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            rooms.update(name.split(".")[1] for name in names if name.startswith("enhancers."))
    return rooms


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_from_its_level_and_below(path: Path) -> None:
    room = _room(path)
    for imported in _imported_rooms(path) - {room}:
        assert _level(imported) <= _level(room), f"{room} must not import {imported}"


def test_the_viewer_imports_only_image_and_display() -> None:
    allowed = {"image", "display", "method", "errors", "asset_files"}
    assert _imported_rooms(PACKAGE / "viewer.py") <= allowed


def test_no_compare_code_imports_the_study() -> None:
    for path in _modules():
        assert "import study" not in path.read_text(encoding="utf-8")
        assert "from study" not in path.read_text(encoding="utf-8")


def _study_modules() -> list[Path]:
    found = sorted(STUDY.rglob("*.py"))
    assert len(found) > 100, f"the modules are no longer below {STUDY}"
    return found


def _study_room(path: Path) -> str:
    return path.relative_to(STUDY).parts[0].removesuffix(".py")


def _imported_packages(path: Path) -> set[str]:
    """Packages that a file imports, inside functions as well."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
    return found


@pytest.mark.parametrize("path", _study_modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_build_of_a_study_knows_methods(path: Path) -> None:
    room = _study_room(path)
    allowed = FOR_THE_STUDY | STUDY_MAY_ALSO_IMPORT.get(room, set())
    assert _imported_rooms(path) <= allowed
    heavy = _imported_packages(path) & {"torch", "diffusers", "pyiqa", "torchvision"}
    assert not heavy, f"the study runs without {heavy}"
    assert room in STUDY_SHOWS or "gradio" not in _imported_packages(path)


def test_a_study_server_does_not_pull_in_torch_or_methods() -> None:
    code = (
        "import sys, study.serve, study.ui, study.admin, study.analysis, study.report\n"
        "print([name for name in ('torch', 'enhancers.registry', 'enhancers.compare', "
        "'enhancers.ui') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_light_rooms_do_not_pull_in_torch() -> None:
    imports = "; ".join(f"import enhancers.{room}" for room in TORCH_FREE)
    code = f"import sys; {imports}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
