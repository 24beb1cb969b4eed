"""What is imported when: the light rooms stay light, and the contracts hold."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "diffusers", "pyiqa", "SimpleITK", "matplotlib", "statsmodels", "pandas")


def loaded(code: str, *names: str) -> set[str]:
    """Which of these modules are loaded after some code ran in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*(set({names!r}) & set(sys.modules)))"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_the_import_contracts_hold_and_cover_every_module() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert f"Contracts: {len(contracts['contracts'])} kept, 0 broken." in done.stdout
    modules = sum(len(list((ROOT / name).rglob("*.py"))) for name in contracts["root_packages"])
    # Packages from outside are counted as well.
    analysed = int(done.stdout.partition("Analyzed ")[2].split()[0])
    assert analysed > modules > 300


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import enhancers.image, enhancers.display, enhancers.registry", HEAVY),
        ("import enhancers.settings, enhancers.provenance", HEAVY),
        ("import enhancers.__main__, enhancers.listing", (*HEAVY, "typer", "gradio", "numpy")),
        ("import study.server.standalone, study.web.reader_page, study.web.coordinator",
         ("torch", "diffusers", "enhancers.registry", "enhancers.compare", "enhancers.ui",
          "alembic")),
        ("import study.analysis, study.report.page",
         ("torch", "gradio", "enhancers.registry", "enhancers.compare")),
        ("import study.cli", (*HEAVY, "gradio", "sqlalchemy")),
    ],
)  # fmt: skip
def test_light_rooms_stay_light(code: str, absent: tuple[str, ...]) -> None:
    assert loaded(code, *absent) == set()


def test_what_is_loaded_is_seen() -> None:
    assert loaded("import enhancers.compare, pandas", "pandas", "gradio") == {"pandas"}


@pytest.mark.parametrize(
    "room",
    [
        "enhancers.ui",
        pytest.param("enhancers.api", marks=pytest.mark.exhaustive),
        pytest.param("enhancers.ui.viewer", marks=pytest.mark.exhaustive),
    ],
)
def test_gradio_is_imported_the_fast_way_and_nothing_else_that_is_heavy(room: str) -> None:
    code = (
        "import inspect, sys\n"
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'gradio': print(inspect.getfile.__module__)\n"
        "sys.meta_path.insert(0, Watch())\n"
        f"import {room}\n"
        f"print(*(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # Gradio itself needs pandas.
    assert done.stdout.split() == ["enhancers.gradio_import", "pandas"]
