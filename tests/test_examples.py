"""The examples, each run as its docstring says."""

from __future__ import annotations

import ast
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from enhancers.load import load
from enhancers.phantoms import phantom
from enhancers.provenance import from_json
from enhancers.registry import METHODS
from enhancers.save import read_png16, save_png16
from examples.reconstruction_readers import PAPER
from study.analysis.log import run as analyse
from study.demo.reader_model import ReaderModel
from study.demo.simulated_readers import read
from study.domain.terms import Status
from study.planning.lifecycle import close_study, open_study
from study.report import render
from study.storage import key_file
from study.storage.store import Store
from tests.support.program import program

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(name: str, *words: str | Path) -> str:
    """What an example prints."""
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{name}", *map(str, words)], cwd=ROOT, text=True,
        capture_output=True, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_says_how_to_run_it_and_is_tested(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < 60
    assert f"\n    python -m examples.{path.stem}" in (ast.get_docstring(ast.parse(text)) or "")
    assert f'run("{path.stem}"' in Path(__file__).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            assert not any(name.name.startswith("_") for name in node.names)
        assert not (isinstance(node, ast.Attribute) and node.attr.startswith("_"))


def test_enhance_dicom(tmp_path: Path) -> None:
    said = run("enhance_dicom", "--out", tmp_path)
    assert "CT, (128, 128), -160 to 240 HU" in said
    for method in ("nlm", "tv"):
        assert f"{method}: changed by" in said
        assert read_png16((tmp_path / f"{method}.png").read_bytes()).shape == (128, 128)
        assert (tmp_path / f"{method}.tif").is_file()
        assert load(tmp_path / f"{method}.dcm").units == "HU"
        assert from_json((tmp_path / f"{method}.json").read_text()).method == method


def test_batch_folder_goes_on_where_it_stopped(tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    for sample in ("ultrasound.png", "chest_xray.png"):
        (images / sample).write_bytes((ROOT / "assets" / "samples" / sample).read_bytes())
    assert "4 done" in run("batch_folder", images, "--out", out)
    assert "4 kept" in run("batch_folder", images, "--out", out)
    with (out / "summary.csv").open(encoding="utf-8") as file:
        assert {row["method"] for row in csv.DictReader(file)} == {"nlm", "clahe"}


@pytest.mark.exhaustive
def test_study_from_folder(tmp_path: Path) -> None:
    said = run("study_from_folder", tmp_path / "study")
    assert "Frozen: 2 readers, 5 cases, 2 methods" in said
    store = Store.open(tmp_path / "study")
    assert store.status() == Status.FROZEN
    store.close()


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
def test_reconstruction_readers(tmp_path: Path) -> None:
    """From a folder of slices to the paper's Table 5: mean score and kappa of each method."""
    slices, study = tmp_path / "slices", tmp_path / "study"
    slices.mkdir()
    for case in range(12):
        clean = phantom("echo", size=96, seed=case).pixels
        save_png16(slices / f"pat{case}_s1.png", clean)
    said = run("reconstruction_readers", slices, study, "US")
    methods = [key for key in PAPER if key in {method.key for method in METHODS}]
    assert f"Frozen: 5 readers, 10 cases, {len(methods)} methods" in said
    key = tmp_path / "study.key.json"
    strengths = dict(zip(PAPER, (2.8, 3.6, 3.9, 4.6), strict=True))
    names = {at: one.name for at, one in key_file.load(key, study).methods.items()}
    worth = {at: strengths[name] for at, name in names.items()}
    store = Store.open(study)
    try:
        open_study(store, actor="coordinator")
        for number in range(1, 6):
            reader = f"R0{number}"
            read(store, reader, ReaderModel(reader, worth, seed=1, noise=0.3, spread=0.8))
        close_study(store, actor="coordinator")
        made = analyse(store, actor="coordinator")
    finally:
        store.close()
    (quality,) = made.analysis.criteria
    of_methods = quality.agreement[: len(methods)]
    means = sorted(one.mean.value for one in of_methods if one.mean.value is not None)
    assert means == pytest.approx(sorted(strengths[name] for name in methods), abs=0.6)
    for one in of_methods:
        assert (one.items, one.readers) == (10, 5)
        for found in (one.mean, one.fleiss):
            assert found.value is not None
            assert found.bootstrap is not None
            assert found.bootstrap.low is not None
            assert found.bootstrap.high is not None
            assert found.bootstrap.low < found.value < found.bootstrap.high
    page = render(made.data, made.analysis)
    assert "Mean score" in page
    assert f"{means[0]:.2f}" in page


@pytest.mark.exhaustive
def test_agreement_of_a_csv(tmp_path: Path) -> None:
    table = tmp_path / "ratings.csv"
    first = run("agreement_of_a_csv", table)
    assert "Fleiss' kappa" in first
    assert table.read_text().count("\n") == 33
    assert run("agreement_of_a_csv", table) == first
    table.write_text("item,rater,value\na,r1,1\na,r2,1\nb,r1,5\nb,r2,5\n")
    assert run("agreement_of_a_csv", table) != first


@pytest.mark.exhaustive
def test_use_the_api(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with program(study_demo="false", cache_dir=str(cache), device="cpu") as address:
        said = run("use_the_api", "--address", address, "--out", tmp_path)
    assert "Methods: srad" in said
    noisy, enhanced = (
        float(line.rpartition(": ")[2].split()[0]) for line in said.splitlines() if "PSNR" in line
    )
    assert enhanced > noisy + 1
    assert json.loads((tmp_path / "nlm.json").read_text())["method"] == "nlm"
