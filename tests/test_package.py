"""The wheel: built, installed into an environment of its own, and used away from the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from collections.abc import Iterator, Sequence
from email import message_from_string
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
}
SAMPLE = "dark_fundus.png"


def called(command: Sequence[str | Path], folder: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | OFFLINE
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what a clone has, since a build writes into its folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.rstrip("\0").split("\0"):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "benchmarks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    called(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index",
         "--disable-pip-version-check", "-w", folder, source],
        folder,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment that has the wheel, and borrows its dependencies from here."""
    home = tmp_path_factory.mktemp("environment") / "env"
    venv.create(home, with_pip=False)
    scripts = home / ("Scripts" if os.name == "nt" else "bin")
    own = called(
        [scripts / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], home
    )
    borrowed = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (Path(own.strip()) / "borrowed.pth").write_text("\n".join(borrowed))
    called(
        [sys.executable, "-m", "pip", "--python", scripts / "python", "install", "--no-deps",
         "--no-index", "--disable-pip-version-check", "-q", wheel],
        home,
    )  # fmt: skip
    return scripts


def test_the_wheel_has_the_packages_their_assets_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"enhancers", "study", "reading_room"}
    assert {name for name in names if name.startswith("reading_room/")} == {"reading_room/app.py"}
    assert {"enhancers/py.typed", "study/py.typed"} <= names
    for path in (ROOT / "assets").rglob("*"):
        if path.is_file():
            assert f"enhancers/assets/{path.relative_to(ROOT / 'assets').as_posix()}" in names
    templates = [*ROOT.glob("enhancers/**/templates/*"), *ROOT.glob("study/**/templates/*")]
    assert templates
    assert {path.relative_to(ROOT).as_posix() for path in templates} <= names
    migrations = "study/storage/migrations"
    versions = {
        path.relative_to(ROOT).as_posix() for path in ROOT.glob(f"{migrations}/versions/*.py")
    }
    assert versions | {f"{migrations}/env.py", f"{migrations}/triggers.json"} <= names


def test_it_needs_what_requirements_txt_says(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        facts = message_from_string(archive.read(name).decode())
    asked = [Requirement(text) for text in facts.get_all("Requires-Dist", [])]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    always = {str(one) for one in asked if one.marker is None}
    assert always == {str(Requirement(line)) for line in lines if line and line[0] != "#"}
    extras = set(facts.get_all("Provides-Extra", []))
    files = {path.stem.removeprefix("requirements-") for path in ROOT.glob("requirements-*.txt")}
    assert extras == files


def test_its_commands_list_enhance_and_analyse(installed: Path, tmp_path: Path) -> None:
    listed = json.loads(called([installed / "reading-room", "list", "--json"], tmp_path))
    assert "null_space" in [method["key"] for method in listed["methods"]]
    called([installed / "reading-room", "samples", "--out", tmp_path / "samples"], tmp_path)
    called(
        [installed / "reading-room", "run", tmp_path / "samples" / SAMPLE, "--method", "tv",
         "--device", "cpu", "--out", tmp_path / "out.png"],
        tmp_path,
    )  # fmt: skip
    assert (tmp_path / "out.png").stat().st_size > 10_000
    ratings = tmp_path / "ratings.csv"
    ratings.write_text("item,rater,value\na,1,3\na,2,3\nb,1,2\nb,2,1\nc,1,1\nc,2,1\n")
    told = called(
        [installed / "reading-study", "stats", "fleiss", "--ratings", ratings, "--scale", "1:3",
         "--json"],
        tmp_path,
    )  # fmt: skip
    # Agreement 2/3; categories used 1, 2, 3 times 3, 1, 2 of 6: chance 14/36.
    assert json.loads(told)["results"]["kappa"]["value"] == pytest.approx(5 / 11)


def test_the_library_is_typed_and_enhances(installed: Path, tmp_path: Path) -> None:
    code = (
        "import enhancers\nfrom enhancers.compare import enhance\n"
        "from enhancers.image import from_array\nfrom enhancers.method import Modality\n"
        "import numpy as np\n"
        "image = from_array(np.eye(64, dtype=np.float32), Modality.XR)\n"
        "print(enhance(image, 'tv', seed=0).pixels.shape, enhancers.__file__)"
    )
    told = called([installed / "python", "-c", code], tmp_path)
    assert told.startswith("(64, 64)")
    assert str(ROOT) not in told


@pytest.fixture
def served(installed: Path, tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | OFFLINE | {"READINGROOM_PORT": str(port)}
    running = subprocess.Popen([installed / "reading-room-app"], cwd=tmp_path, env=environment)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        running.terminate()
        running.wait(20)


def test_the_first_page_is_served(served: str) -> None:
    page = ""
    for _ in range(240):
        try:
            with urllib.request.urlopen(served, timeout=5) as answer:
                page = answer.read().decode()
            break
        except OSError:
            time.sleep(0.25)
    assert "Reading Room" in page
    # A style of the theme and the script of the viewer come from the installed assets.
    assert re.search(r"--rr-\w+", page)
