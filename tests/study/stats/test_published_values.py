"""Values printed in the literature, or computed from printed tables by R packages.

Each kind of statistic is run from a CSV file, as ``python -m study stats`` does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from study.stats.comparison.bradley_terry import bradley_terry
from study.stats.comparison.preference import Choice
from study.stats.kinds.catalog import run_kind
from study.stats.table import Ratings, from_matrix
from tests.study.stats.published_tables import (
    ANXIETY,
    KRIPPENDORFF,
    ROUNDING,
    SHROUT_FLEISS,
    SLEEP,
    VAN_DYKE,
    baseball,
    digits,
    fleiss,
    gwet,
    long_csv,
)

FORMS = ("1,1", "A,1", "C,1", "1,k", "A,k", "C,k")
SIX_DIGITS, FIVE_DIGITS = 5.01e-7, 5.01e-6
TABLES: dict[str, tuple[Ratings, str | None]] = {
    "fleiss1971": (fleiss(), "1:5"),
    "gwet": (gwet(), "1:5"),
    "shrout_fleiss1979": (from_matrix(SHROUT_FLEISS), None),
    "krippendorff2011": (from_matrix(np.array(KRIPPENDORFF).T), None),
    "anxiety": (from_matrix(digits(ANXIETY)), "1:6"),
    "van_dyke_1": (from_matrix(digits(VAN_DYKE[1])), "1:5"),
    "van_dyke_2": (from_matrix(digits(VAN_DYKE[2])), "1:5"),
    "sleep": (from_matrix(np.column_stack(list(SLEEP.values())), raters=list(SLEEP)), None),
    "rounding": (
        from_matrix(np.column_stack(list(ROUNDING.values())), raters=list(ROUNDING)), None
    ),
}  # fmt: skip


def run(table: str, kind: str, folder: Path) -> dict:
    ratings, scale = TABLES[table]
    return run_kind(kind, long_csv(folder / "ratings.csv", ratings), scale).to_dict()["results"]


def numbers(result: object, path: str) -> list[float]:
    """Follow a path such as ``pairs.0.kappa.value``; ``*`` takes every entry."""
    key, _, rest = path.partition(".")
    entries = result if key == "*" else [result[int(key) if key.isdecimal() else key]]
    if not rest:
        return list(entries)
    return [number for entry in entries for number in numbers(entry, rest)]


VALUES: list[tuple[str, str, dict[str, float | list[float]], float]] = [
    ("fleiss1971", "fleiss", {
        "kappa.value": 0.430245, "kappa.se": 0.054199, "kappa.low": 0.319395,
        "kappa.high": 0.541094, "kappa.observed": 0.555556, "kappa.chance": 0.219938,
        "null_test.se": 0.024374, "null_test.statistic": 17.651831, "conger.value": 0.441809,
        "kappa_per_category.*.value": [0.244755, 0.244755, 0.52, 0.471127, 0.566118],
    }, SIX_DIGITS),
    ("gwet", "gwet", {
        "ac1.value": 0.77544, "ac1.se": 0.14295,
        "fleiss.value": 0.76117, "fleiss.se": 0.15302,
        "krippendorff.value": 0.74342, "krippendorff.se": 0.14557,
        "conger.value": 0.76282, "conger.se": 0.14917,
        "brennan_prediger.value": 0.77273, "brennan_prediger.se": 0.14472,
        "ac2_quadratic.value": 0.914, "ac2_quadratic.se": 0.10396,
        "fleiss_quadratic.value": 0.86494, "fleiss_quadratic.se": 0.14603,
        "krippendorff_quadratic.value": 0.84911, "krippendorff_quadratic.se": 0.12913,
        "conger_quadratic.value": 0.85771, "conger_quadratic.se": 0.14367,
        "brennan_prediger_quadratic.value": 0.90152, "brennan_prediger_quadratic.se": 0.11089,
    }, FIVE_DIGITS),
    ("shrout_fleiss1979", "icc", {
        "ICC(1,1).value": 0.165742, "ICC(A,1).value": 0.289764, "ICC(C,1).value": 0.714841,
        "ICC(1,k).value": 0.442797, "ICC(A,k).value": 0.620051, "ICC(C,k).value": 0.909316,
        "anova.between_items": 11.241667, "anova.within_items": 6.263889,
        "anova.between_raters": 32.486111, "anova.error": 1.019444,
        "anova.variance_items": 2.555556, "anova.variance_raters": 5.244444,
        "anova.variance_error": 1.019444,
    }, SIX_DIGITS),
    ("shrout_fleiss1979", "icc", {
        "ICC(1,1).low": -0.13, "ICC(1,1).high": 0.72, "ICC(A,1).low": 0.02, "ICC(A,1).high": 0.76,
        "ICC(C,1).low": 0.34, "ICC(C,1).high": 0.95, "ICC(1,k).low": -0.88, "ICC(1,k).high": 0.91,
        "ICC(A,k).low": 0.07, "ICC(A,k).high": 0.93, "ICC(C,k).low": 0.68, "ICC(C,k).high": 0.99,
    }, 5.01e-3),
    ("shrout_fleiss1979", "reliability", {
        "between_readers.sem_agreement.value": 2.502776,
        "between_readers.sem_consistency.value": 1.009675,
        "between_readers.mdc95_agreement.value": 6.937342,
    }, SIX_DIGITS),
    ("krippendorff2011", "alpha", {
        "nominal.value": 0.743421, "ordinal.value": 0.815388, "interval.value": 0.849107,
        "ratio.value": 0.797403,
    }, SIX_DIGITS),
    ("anxiety", "cohen", {
        "unweighted.pairs.0.kappa.value": 0.119, "quadratic.pairs.0.kappa.value": 0.297,
    }, 5.01e-4),
    ("van_dyke_1", "gwet", {
        "fleiss.value": 0.261438, "fleiss_linear.value": 0.55853,
        "fleiss_quadratic.value": 0.726451,
        "ac1.value": 0.325505, "ac2_quadratic.value": 0.70757,
        "fleiss.se": 0.03314, "fleiss.low": 0.195782, "fleiss.high": 0.327094,
    }, SIX_DIGITS),
    ("van_dyke_1", "alpha", {"ordinal.value": 0.629591}, SIX_DIGITS),
    ("van_dyke_1", "icc", {
        "ICC(1,1).value": 0.728329, "ICC(A,1).value": 0.729302, "ICC(C,1).value": 0.742598,
        "ICC(1,k).value": 0.930578, "ICC(A,k).value": 0.930895, "ICC(C,k).value": 0.93517,
    }, SIX_DIGITS),
    ("van_dyke_2", "gwet", {
        "fleiss.value": 0.362114, "fleiss_linear.value": 0.642289,
        "fleiss_quadratic.value": 0.805564, "ac1.value": 0.407714, "ac2_quadratic.value": 0.806862,
        "fleiss.se": 0.03221, "fleiss.low": 0.2983, "fleiss.high": 0.425928,
    }, SIX_DIGITS),
    ("van_dyke_2", "alpha", {"ordinal.value": 0.749985}, SIX_DIGITS),
    ("van_dyke_2", "icc", {
        "ICC(1,1).value": 0.807007, "ICC(A,1).value": 0.807208, "ICC(C,1).value": 0.811439,
        "ICC(1,k).value": 0.954354, "ICC(A,k).value": 0.95441, "ICC(C,k).value": 0.955588,
    }, SIX_DIGITS),
    ("sleep", "paired", {
        "pairs.0.t_test.statistic": -4.062128, "pairs.0.t_test.p": 0.002833,
        "pairs.0.effect.value": -1.284558,
    }, SIX_DIGITS),
    ("rounding", "friedman", {
        "test.statistic": 11.142857, "test.p": 0.003805, "kendall_w.value": 0.253247,
    }, SIX_DIGITS),
]  # fmt: skip


@pytest.mark.parametrize(("table", "kind", "expected", "within"), VALUES)
def test_a_published_value(
    table: str, kind: str, expected: dict, within: float, tmp_path: Path
) -> None:
    results = run(table, kind, tmp_path)
    found = {path: numbers(results, path) for path in expected}
    wanted = {path: np.atleast_1d(value).tolist() for path, value in expected.items()}
    assert found == {path: pytest.approx(value, abs=within) for path, value in wanted.items()}


def test_bradley_terry_strengths_of_the_1987_season() -> None:
    games: list[Choice] = baseball()
    fit = bradley_terry(games, "Baltimore", resamples=0)
    found = {each.name: (each.value, each.se) for each in fit.strengths if each.value}
    # R stops a few units short of the maximum in the sixth digit.
    assert found == {
        name: pytest.approx(value, abs=3e-6)
        for name, value in {
            "Boston": (1.107697, 0.333878), "Cleveland": (0.683851, 0.331877),
            "Detroit": (1.436408, 0.339568), "Milwaukee": (1.581355, 0.343256),
            "New York": (1.247617, 0.335861), "Toronto": (1.294484, 0.336669),
        }.items()
    }  # fmt: skip
