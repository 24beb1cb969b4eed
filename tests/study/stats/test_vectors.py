"""The published values in a folder of vectors, if READINGROOM_TEST_VECTORS names one.

The folder holds ``expected.json`` (key -> value as computed, published value or null) and the
tables as CSV files. The tables that fit on a page are in `published` and are always tested.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from study.stats.bradley_terry import bradley_terry
from study.stats.catalog import run_kind
from study.stats.multiple_testing import correct
from study.stats.preference import Choice, Preference
from tests.study.stats.published import write_long

FOLDER = os.environ.get("READINGROOM_TEST_VECTORS", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="READINGROOM_TEST_VECTORS is not set")

Values = list[float]


@cache
def expected() -> dict:
    return json.loads((Path(FOLDER) / "expected.json").read_text(encoding="utf-8"))


def table(name: str) -> list[dict[str, str]]:
    with (Path(FOLDER) / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def flat(value: object) -> Values:
    return [number for each in value for number in flat(each)] if isinstance(value, list) else [
        float(value)
    ]  # fmt: skip


def tolerance(numbers: object) -> float:
    """Half a unit of the last digit that is given."""
    decimals = max(len(repr(number).partition(".")[2]) for number in flat(numbers))
    return 0.5 * 10**-decimals * (1 + 1e-6)


def run(tmp: Path, kind: str, name: str, scale: str | None, columns: slice) -> dict:
    cells = []
    for item, row in enumerate(table(name), start=1):
        names = list(row)[columns]
        cells += [(item, rater, row[rater]) for rater in names]
    return run_kind(kind, write_long(tmp / "long.csv", cells), scale).to_dict()["results"]


def transposed(tmp: Path) -> dict:
    rows = table("krippendorff2011.csv")
    cells = [(u, row["observer"], row[u]) for row in rows for u in row if u != "observer"]
    return run_kind("alpha", write_long(tmp / "long.csv", cells)).to_dict()["results"]


def value_and_se(found: dict, key: str) -> Values:
    return [found[key]["value"], found[key]["se"]]


def limits(found: dict, key: str) -> Values:
    return [found[key][name] for name in ("value", "se", "low", "high")]


def fleiss(tmp: Path) -> dict:
    return run(tmp, "fleiss", "fleiss1971.csv", "1:5", slice(1, None))


def gwet(tmp: Path) -> dict:
    return run(tmp, "gwet", "gwet_raw4raters.csv", "1:5", slice(1, None))


def judges(tmp: Path, kind: str) -> dict:
    return run(tmp, kind, "shrout_fleiss1979.csv", None, slice(1, None))


FORMS = ("1,1", "A,1", "C,1", "1,k", "A,k", "C,k")


def iccs(found: dict) -> Values:
    return [found[f"ICC({form})"]["value"] for form in FORMS]


def van_dyke(tmp: Path, kind: str, test: int) -> dict:
    columns = slice(2, 7) if test == 1 else slice(7, 12)
    return run(tmp, kind, "vandyke_5x2x114.csv", "1:5", columns)


def van_dyke_agreement(tmp: Path, test: int) -> Values:
    gwets = van_dyke(tmp, "gwet", test)
    keys = ("fleiss", "fleiss_linear", "fleiss_quadratic", "ac1", "ac2_quadratic")
    alpha = van_dyke(tmp, "alpha", test)["ordinal"]["value"]
    return [*(gwets[key]["value"] for key in keys), alpha]


def season() -> list[Choice]:
    return [
        Choice(f"{row['home.team']} {row['away.team']} {answer} {i}", "season",
               row["home.team"], row["away.team"], answer)
        for row in table("bt_baseball1987.csv")
        for answer, key in ((Preference.LEFT, "home.wins"), (Preference.RIGHT, "away.wins"))
        for i in range(int(row[key]))
    ]  # fmt: skip


def strengths(attribute: str) -> Values:
    fit = bradley_terry(season(), "Baltimore", resamples=0)
    return [getattr(each, attribute) for each in fit.strengths if each.name != "Baltimore"]


def corrected(name: str) -> Values:
    return [getattr(each, name) for each in correct([0.01, 0.04, 0.03, 0.005])]


def sleep(tmp: Path) -> Values:
    [pair] = run(tmp, "paired", "student_sleep.csv", None, slice(1, None))["pairs"]
    return [pair["t_test"]["statistic"], pair["t_test"]["p"], pair["effect"]["value"]]


def rounding(tmp: Path) -> Values:
    found = run(tmp, "friedman", "friedman_rounding.csv", None, slice(1, None))
    return [found["test"]["statistic"], found["test"]["p"], found["kendall_w"]["value"]]


def fleiss_variance(tmp: Path) -> Values:
    found = fleiss(tmp)
    return [*limits(found, "kappa"), found["kappa"]["observed"], found["kappa"]["chance"]]


def judges_errors(tmp: Path) -> Values:
    found = judges(tmp, "reliability")["between_readers"]
    keys = ("sem_agreement", "sem_consistency", "mdc95_agreement")
    return [found[key]["value"] for key in keys]


def anova(tmp: Path, *keys: str) -> Values:
    return [judges(tmp, "icc")["anova"][key] for key in keys]


def alphas(tmp: Path) -> Values:
    found = transposed(tmp)
    return [found[metric]["value"] for metric in ("nominal", "ordinal", "interval", "ratio")]


CASES: dict[str, Callable[[Path], Values]] = {
    "fleiss1971.kappa": lambda tmp: [fleiss(tmp)["kappa"]["value"]],
    "fleiss1971.se_null(FNC1979)": lambda tmp: [fleiss(tmp)["null_test"]["se"]],
    "fleiss1971.z": lambda tmp: [fleiss(tmp)["null_test"]["statistic"]],
    "fleiss1971.kappa_per_category": lambda tmp: [
        each["value"] for each in fleiss(tmp)["kappa_per_category"]
    ],
    "fleiss1971.conger_exact (row-sorted table!)": lambda tmp: [fleiss(tmp)["conger"]["value"]],
    "fleiss1971.gwet_variance [k,se,lo,hi,pa,pe]": fleiss_variance,
    "SF.ICC": lambda tmp: iccs(judges(tmp, "icc")),
    "SF.CI95": lambda tmp: [
        judges(tmp, "icc")[f"ICC({form})"][end] for form in FORMS for end in ("low", "high")
    ],
    "SF.MS [BMS,WMS,JMS,EMS]": lambda tmp: anova(
        tmp, "between_items", "within_items", "between_raters", "error"
    ),
    "SF.varcomp [target,judge,err]": lambda tmp: anova(
        tmp, "variance_items", "variance_raters", "variance_error"
    ),
    "SF.SEM [agreement,consistency], MDC95 agreement": judges_errors,
    "kripp2011 [nom,ord,int,ratio]": alphas,
    "bt_baseball.coef": lambda _: strengths("value"),
    "bt_baseball.se": lambda _: strengths("se"),
    "student_sleep [t,p,dz]": sleep,
    "friedman_rounding [chi2,p,kendallW]": rounding,
    "holm": lambda _: corrected("holm"),
    "bonferroni": lambda _: corrected("bonferroni"),
    "BH": lambda _: corrected("benjamini_hochberg"),
}
for _name, _plain, _weighted in (
    ("gwet", "ac1", "ac2_quadratic"),
    ("fleiss", "fleiss", "fleiss_quadratic"),
    ("krippendorff", "krippendorff", "krippendorff_quadratic"),
    ("conger", "conger", "conger_quadratic"),
    ("bp", "brennan_prediger", "brennan_prediger_quadratic"),
):
    CASES[f"raw4.{_name} [coef,se]"] = lambda tmp, key=_plain: value_and_se(gwet(tmp), key)
    CASES[f"raw4.quadratic.{_name} [coef,se]"] = lambda tmp, key=_weighted: value_and_se(
        gwet(tmp), key
    )
for _test in (1, 2):
    CASES[f"vandyke.t{_test} [fleiss,fleiss_lin,fleiss_quad,AC1,AC2quad,alpha_ord]"] = (
        lambda tmp, test=_test: van_dyke_agreement(tmp, test)
    )
    CASES[f"vandyke.t{_test}.ICC"] = lambda tmp, test=_test: iccs(van_dyke(tmp, "icc", test))
    CASES[f"vandyke.t{_test}.fleiss gwet CI"] = lambda tmp, test=_test: limits(
        van_dyke(tmp, "fleiss", test), "kappa"
    )


# Printed as 0.2533 by its source, but chi-square / 44 is 0.253247.
MISPRINTED = "friedman_rounding [chi2,p,kendallW]"


@pytest.mark.parametrize("key", CASES)
def test_a_published_value(key: str, tmp_path: Path):
    wanted = expected()[key]
    found = CASES[key](tmp_path)
    # The references of fitted models stop a few units short of their maximum in the sixth digit.
    close = 3e-6 if key.startswith("bt_") else tolerance(wanted["value"])
    assert found == pytest.approx(flat(wanted["value"]), abs=close)
    if wanted["published"] is not None and key != MISPRINTED:
        for number, printed in zip(found, flat(wanted["published"]), strict=True):
            assert number == pytest.approx(printed, abs=tolerance([printed]))
