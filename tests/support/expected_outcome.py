"""What must come out of the study of `tests.support.complete_study`, by arithmetic of its own."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from study.demo.reader_model import ShownPair
from study.domain.questions import CATALOG, LEFT, PAIR, RIGHT
from tests.support.complete_study import (
    CASES,
    CELLS,
    CONTROL,
    GROUPS,
    MAIN,
    PAIRS,
    READERS,
    WORTH,
    Whole,
    model_of,
    study,
)

SIDES = {"left": LEFT, "right": RIGHT, "pair": PAIR}
CODES = tuple(f"R{number:02d}" for number in range(1, READERS + 1))
REPLICATES = 40


def check_masked(whole: Whole, folder: Path) -> None:
    """Before unblinding report and tables have all numbers and no name."""
    study("report", whole.folder, "--out", folder / "masked.html", "--actor", "anna")
    study("export", whole.folder, "--out", folder / "masked", "--actor", "anna")
    for path in (folder / "masked.html", *(folder / "masked").iterdir()):
        text = path.read_text(encoding="utf-8").lower()
        told = {name for name in (*WORTH, *whole.secrets) if _holds(text, name.lower())}
        assert not told, path
    means = {one["method"]: one["scores"]["mean"] for one in _quality(whole)["summaries"]}
    assert sorted(means) == ["M1", "M2", "M3", "M4"]


def check_named(whole: Whole, folder: Path) -> None:
    """After unblinding the numbers are those of the readers' models, under the right names."""
    second = ("--actor", "anna", "--second", "bert")
    with mock.patch.object(sys, "stdin", io.StringIO(f"{whole.secret}\n")):
        told = study("unblind", whole.folder, "--key", whole.key, *second)
    names = dict(line.split("\t")[:2] for line in told.splitlines())
    assert sorted(names.values()) == sorted(WORTH)
    out = ("--key", whole.key, "--actor", "anna", "--out")
    study("export", whole.folder, *out, folder / "tables")
    study("report", whole.folder, *out, folder / "report.html")
    rows = table(folder / "tables" / "ratings.csv")
    check_answers(whole, rows)
    scores = first_scores(rows)
    found = _quality(whole)
    page = _rows((folder / "report.html").read_text(encoding="utf-8"))
    for summary, agreement in zip(found["summaries"], found["agreement"], strict=False):
        name = names[summary["method"]]
        mean, kappa = float(np.mean(scores[name])), fleiss(scores[name])
        assert summary["scores"]["n"] == CASES * READERS
        assert abs(summary["scores"]["mean"] - mean) < 1e-9
        assert abs(agreement["fleiss"]["value"] - kappa) < 1e-9
        line = next(row for row in page if row.startswith(f"{summary['method']} {name}"))
        assert f"{mean:.2f}" in line
        assert f"{kappa:.2f}" in line
    check_agreement(found, scores)
    check_order(found, names)
    check_preferences(results(whole)["preferences"], names)
    check_stats(scores[CONTROL], found, names, folder)
    assert f"{READERS * MAIN} of {READERS * MAIN} pairs read" in " ".join(page)


def check_answers(whole: Whole, rows: Sequence[dict[str, str]]) -> None:
    """Every answer that a reader gave is in the table, and none else."""
    given = {
        (code, *where): value for code in CODES for where, value in whole.judge(code).given.items()
    }
    stored = {
        (
            row["reader"], f"{row['session']}-{row['position']}", row["question"],
            SIDES[row["side"]],
        ): int(row["value"])
        for row in rows
    }  # fmt: skip
    assert len(rows) == len(stored) == READERS * PAIRS * CELLS
    assert stored == given
    assert {row["missing"] for row in rows} == {""}


def check_agreement(found: dict[str, Any], scores: dict[str, list[list[int]]]) -> None:
    """Over all images readers agree as much as their models do, and far more than by chance."""
    every = fleiss([row for name in sorted(scores) for row in scores[name]])
    kappa = found["agreement"][-1]["fleiss"]["value"]
    assert abs(kappa - every) < 1e-9
    low, high = expected_kappa()
    assert 0.2 < low <= kappa <= high < low + 0.4, (low, kappa, high)


def check_order(found: dict[str, Any], names: dict[str, str]) -> None:
    """Methods come in the order of the models, and the differences are told."""
    means = {names[one["method"]]: one["scores"]["mean"] for one in found["summaries"]}
    assert sorted(means, key=means.__getitem__) == sorted(WORTH, key=WORTH.__getitem__)
    pairs = found["comparison"]["comparisons"]
    assert pairs["family"]["divisor"] == len(WORTH) - 1
    for one, p in zip(pairs["pairs"], pairs["t_test"], strict=True):
        first, second = names[one["first"]], names[one["second"]]
        assert second == CONTROL
        assert one["n"] == CASES
        assert (one["difference"]["value"] > 0) == (WORTH[first] > WORTH[second])
        assert p["holm"] < 0.05 or first == "clean"
    assert found["comparison"]["friedman"]["test"]["p"] < 0.001


def check_preferences(found: dict[str, Any], names: dict[str, str]) -> None:
    """The better one of each pair is preferred, with certainty where they are far apart."""
    assert found["n"] == READERS * MAIN
    for one in found["pairs"]:
        first, second = names[one["first"]], names[one["second"]]
        rate = one["rate"]
        if WORTH[first] < WORTH[second]:
            assert rate["value"] < 0.5
        else:
            assert rate["value"] > 0.5
        assert rate["high"] < 0.5 or rate["low"] > 0.5 or "clean" in (first, second)


def check_stats(
    scores: Sequence[Sequence[int]], found: dict[str, Any], names: dict[str, str], folder: Path
) -> None:
    """The statistics of any table give the same kappa for the same scores."""
    path = folder / "control.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("item", "rater", "value"))
        for case, row in enumerate(scores):
            writer.writerows((f"c{case}", f"r{place}", value) for place, value in enumerate(row))
    told = study("stats", "fleiss", "--ratings", path, "--scale", "1:5", "--json")
    mask = next(mask for mask, name in names.items() if name == CONTROL)
    kappa = next(one for one in found["agreement"] if one["method"] == mask)["fleiss"]["value"]
    assert abs(_found(json.loads(told), "Fleiss' kappa") - kappa) < 1e-9


def check_complete(whole: Whole) -> None:
    """Readers, guesses, chain, mirror and images are whole."""
    told = study("verify", whole.folder, "--images")
    assert "are intact" in told
    with sqlite3.connect(whole.folder / "study.sqlite") as database:
        [[answers]] = database.execute("SELECT count(*) FROM rating_event")
        guessed = dict(
            database.execute(
                "SELECT reader.code, count(*) FROM blinding_guess JOIN reader ON "
                "reader.id = reader_id GROUP BY reader.code"
            )
        )
        done = {row[0] for row in database.execute("SELECT action FROM audit_event")}
    assert answers == READERS * PAIRS * CELLS
    assert sorted(guessed) == list(CODES)
    assert min(guessed.values()) >= len(GROUPS)
    assert {"create", "build", "frozen", "open", "invite", "join", "closed", "unblind"} <= done


def results(whole: Whole) -> dict[str, Any]:
    """The last analysis that was logged."""
    with sqlite3.connect(whole.folder / "study.sqlite") as database:
        [[text]] = database.execute("SELECT result_json FROM analysis_run ORDER BY at DESC LIMIT 1")
    return dict(json.loads(text))


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def first_scores(rows: Sequence[dict[str, str]]) -> dict[str, list[list[int]]]:
    """Of each method the quality that each reader gave to each case when it was first seen."""
    seen: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    ordered = sorted(rows, key=lambda row: (int(row["session"]), int(row["position"])))
    for row in ordered:
        if row["role"] == "main" and row["question"] == "quality":
            case = seen[row["method_name"]][row["case"]]
            case.setdefault(row["reader"], int(row["value"]))
    return {
        method: [[case[code] for code in CODES] for case in cases.values()]
        for method, cases in seen.items()
    }


def fleiss(scores: Sequence[Sequence[int]]) -> float:
    """Fleiss' kappa of one row of scores for each case, from its definition."""
    points = range(1, 6)
    counts = np.array([[list(row).count(point) for point in points] for row in scores])
    raters = len(scores[0])
    observed = ((counts**2).sum(axis=1) - raters) / (raters * (raters - 1))
    chance = ((counts.sum(axis=0) / counts.sum()) ** 2).sum()
    return float((observed.mean() - chance) / (1 - chance))


def expected_kappa() -> tuple[float, float]:
    """Where kappa lies, but for 1 in 10,000, if these readers see these images again and again."""
    quality, models = CATALOG[0], [model_of(code) for code in CODES]
    kappas = []
    for again in range(REPLICATES):
        images = [
            ShownPair(f"pat{case // 2}_s{case}", method, method, f"{again} {case} {method}")
            for case in range(CASES)
            for method in WORTH
        ]
        kappas.append(
            fleiss([[one.score(quality, image, LEFT) or 0 for one in models] for image in images])
        )
    mean, spread = float(np.mean(kappas)), float(np.std(kappas, ddof=1))
    return mean - 4 * spread, mean + 4 * spread


def _quality(whole: Whole) -> dict[str, Any]:
    found = results(whole)["criteria"][0]
    assert found["question"] == "quality"
    return dict(found)


def _found(value: Any, name: str) -> float:
    """The value of a named estimate somewhere in JSON."""
    if isinstance(value, dict):
        if value.get("name") == name:
            return float(value["value"])
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            if not np.isnan(found := _found(one, name)):
                return found
    return float("nan")


def _holds(text: str, name: str) -> bool:
    """Whether a name is in a text as a word."""
    return re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", text) is not None


def _rows(page: str) -> list[str]:
    """The text of each row of the tables and of each figure of the summary."""
    plain = re.sub(r"<(svg|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    parts = re.split(r"</tr>|</p>|</div>|</li>", plain)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", part)).split()) for part in parts]
