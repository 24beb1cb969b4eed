"""The scripts beside an export compute the primary result of the report from ratings.csv alone."""

from __future__ import annotations

import ast
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from study.analysis.dataset import Dataset
from study.analysis.primary import PrimaryResult, primary
from study.analysis.results import default_seed
from study.analysis.scores import AnalysisOptions
from study.domain.inference import Hypothesis, Random
from study.domain.protocol import Protocol
from study.domain.questions import CANNOT_JUDGE, Question
from study.report import export
from study.stats.intervals import RESAMPLES
from tests.support.simulated_datasets import SMALL, dataset

MARGINS = {Hypothesis.DIFFERENCE: 0.0, Hypothesis.NON_INFERIORITY: 0.4, Hypothesis.EQUIVALENCE: 0.4}
PREFERENCE = tuple(replace(one, primary=one.of_pair) for one in SMALL.questions)
KINDS: dict[str, tuple[Question, ...]] = {"scores": SMALL.questions, "preferences": PREFERENCE}
CLOSE = {"M1": 2.9, "M2": 3.2, "M3": 3.3}
"""Strengths with which no method wins always."""


def declared(
    kind: str,
    hypothesis: Hypothesis = Hypothesis.DIFFERENCE,
    random: Random = Random.BOTH,
    pair: tuple[str, str] = ("M3", "M1"),
    alpha: float = 0.05,
) -> Dataset:
    """A study with a primary comparison, missing answers and an excluded reader's rows."""
    protocol: Protocol = SMALL.with_(
        questions=KINDS[kind], readers=5, primary_pair=pair, hypothesis=hypothesis,
        margin=MARGINS[hypothesis], random=random, alpha=alpha,
    )  # fmt: skip
    made = dataset(protocol, cases=10, strengths=CLOSE, read={"R04": 30})
    given = (
        one._replace(excluded="screen" if one.reader == "R05" else "") for one in made.observations
    )
    return replace(made, observations=tuple(given))


def expected(data: Dataset) -> PrimaryResult:
    seed = default_seed(data.study.protocol_sha256)
    options = AnalysisOptions(RESAMPLES, seed, 0.95, data.protocol.random)
    found = primary(data, options)
    assert found is not None
    return found


def values(found: PrimaryResult) -> dict[str, float]:
    """Of the report, as the scripts print them."""
    estimate, test = found.estimate, found.outcome.test
    named = {
        "value": estimate.value, "low": estimate.low, "high": estimate.high,
        "t": test.statistic, "df": test.df, "p": test.p, "limit": found.outcome.limit,
    }  # fmt: skip
    return {name: number for name, number in named.items() if number is not None}


def parsed(printed: str) -> dict[str, str]:
    """What a script prints, without its first two lines."""
    return dict(line.split(": ", 1) for line in printed.splitlines()[2:])


def in_python(folder: Path) -> str:
    """What the script prints in a Python that finds no package of this program."""
    command = [sys.executable, "-I", str(folder / "primary_analysis.py")]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout


def in_r(folder: Path) -> str:
    command = ["Rscript", "--vanilla", str(folder / "primary_analysis.R")]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Exports data, and runs the Python script on it."""

    def ran(data: Dataset, form: export.ExportFormat = export.ExportFormat.CSV) -> dict[str, str]:
        export.write(data, tmp_path / "out", form)
        script = str(tmp_path / "out" / "primary_analysis.py")
        monkeypatch.setattr(sys, "argv", [script])
        runpy.run_path(script, run_name="__main__")
        return parsed(capsys.readouterr().out)

    return ran


Run = Callable[..., dict[str, str]]


def same(printed: dict[str, str], found: PrimaryResult, **tolerance: float) -> None:
    wanted = values(found)
    assert set(wanted) == {"value", "low", "high", "t", "df", "p", "limit"}
    assert {name: float(printed[name]) for name in wanted} == pytest.approx(wanted, **tolerance)
    assert printed["shown"] == ("yes" if found.outcome.shown else "no")


@pytest.mark.parametrize("random", list(Random))
@pytest.mark.parametrize("hypothesis", list(Hypothesis))
@pytest.mark.parametrize("kind", list(KINDS))
def test_the_python_script_gives_the_result_of_the_report(
    run: Run, kind: str, hypothesis: Hypothesis, random: Random
) -> None:
    data = declared(kind, hypothesis, random)
    same(run(data), expected(data), rel=1e-7)


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_first_method_of_the_pair_and_alpha_count(run: Run, kind: str) -> None:
    data = declared(kind, pair=("M1", "M2"), alpha=0.01)
    same(run(data, export.ExportFormat.PLAIN), expected(data), rel=1e-7)


def test_only_numpy_scipy_and_pandas_are_needed(tmp_path: Path) -> None:
    data = declared("scores")
    export.write(data, tmp_path / "out")
    same(parsed(in_python(tmp_path / "out")), expected(data), rel=1e-7)
    tree = ast.parse((tmp_path / "out" / "primary_analysis.py").read_text(encoding="utf-8"))
    imported = {
        (one.module if isinstance(one, ast.ImportFrom) else one.names[0].name) or ""
        for one in ast.walk(tree)
        if isinstance(one, ast.Import | ast.ImportFrom)
    }
    assert imported == {"math", "sys", "pathlib", "numpy", "pandas", "scipy"}


def test_where_nothing_can_be_compared_the_script_says_so(run: Run) -> None:
    data = declared("scores")
    silent = tuple(
        one._replace(value=None, missing=CANNOT_JUDGE) if one.method == "M1" else one
        for one in data.observations
    )
    found = run(replace(data, observations=silent))
    assert found == {"result": "undefined: the two methods have no answers to compare"}


def test_one_reader_alone_tells_nothing_on_others(run: Run) -> None:
    data = declared("scores")
    alone = tuple(one for one in data.observations if one.reader == "R01")
    data = replace(data, observations=alone)
    found, printed = expected(data), run(data)
    assert found.estimate.value is not None
    assert float(printed["value"]) == pytest.approx(found.estimate.value)
    assert printed["result"].startswith("undefined")
    assert found.outcome.test.p is None


def test_without_a_declared_comparison_there_is_no_script() -> None:
    data = dataset(SMALL, cases=4)
    assert not [one.name for one in export.files(data) if one.name.startswith("primary")]


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
@pytest.mark.parametrize(
    ("kind", "hypothesis", "random"),
    [
        ("scores", Hypothesis.DIFFERENCE, Random.BOTH),
        ("scores", Hypothesis.NON_INFERIORITY, Random.CASES),
        ("scores", Hypothesis.EQUIVALENCE, Random.READERS),
        ("preferences", Hypothesis.DIFFERENCE, Random.BOTH),
        ("preferences", Hypothesis.EQUIVALENCE, Random.CASES),
        ("preferences", Hypothesis.NON_INFERIORITY, Random.READERS),
    ],
)
def test_the_r_script_gives_the_result_of_the_report(
    tmp_path: Path, kind: str, hypothesis: Hypothesis, random: Random
) -> None:
    data = declared(kind, hypothesis, random)
    export.write(data, tmp_path / "out")
    printed, found = parsed(in_r(tmp_path / "out")), expected(data)
    if kind == "scores":
        same(printed, found, rel=1e-7)
        return
    wanted = values(found)
    assert float(printed["value"]) == pytest.approx(wanted["value"], rel=1e-9)
    # R draws other resamples: the interval agrees within the error of their simulation.
    half = (wanted["high"] - wanted["low"]) / 2
    for end in ("low", "high"):
        assert float(printed[end]) == pytest.approx(wanted[end], abs=0.1 * half)
    assert float(printed["t"]) == pytest.approx(wanted["t"], rel=0.1, abs=0.05)
    assert np.isfinite(float(printed["p"]))
