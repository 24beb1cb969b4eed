"""The kinds that compare methods, from tables as people have them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from study.domain.errors import StatisticsError
from study.domain.inference import Random
from study.stats.kinds.catalog import KINDS, compute, run_kind
from study.stats.kinds.comparing import COMPARING
from study.stats.kinds.results import KindOptions
from study.stats.ratings_file.csv_input import ColumnChoice
from study.stats.table import RatingRow
from tests.study.stats.published_tables import VAN_DYKE, digits

READ = ColumnChoice(rater="Radiologist", value="Note", method="Verfahren", cluster="Patient",
                    truth="Befund", metric="PSNR")  # fmt: skip


def german(path: Path, *, encoding: str = "utf-8-sig") -> Path:
    """Decimal commas, semicolons, blank lines and columns, scores with their meaning."""
    rng = np.random.default_rng(0)
    words = {1: "1 schlecht", 2: "2 - mäßig", 3: "3", 4: "4 = gut", 5: "5"}
    lines = [";Case;Radiologist;Verfahren;;Patient;Note;Befund;PSNR;;", ";;;;;;;;;;"]
    for case in range(24):
        level, ill = rng.normal(0, 0.5), case % 2
        for method in range(3):
            metric = 30 + 2 * method + rng.normal()
            for reader in range(4):
                score = 2.4 + ill + 0.4 * method + level + 0.4 * rng.normal()
                note = words[int(np.clip(np.rint(score), 1, 5))]
                psnr = f"{metric:.2f}".replace(".", ",")
                lines.append(f";c{case};R{reader};M{method};;P{case // 2};{note};"
                             f"{'positive' if ill else 'negative'};{psnr};;")  # fmt: skip
        lines.append(";;;;;;;;;;")
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


@pytest.mark.parametrize("kind", COMPARING)
def test_every_kind_reads_what_a_spreadsheet_saves(kind: str, tmp_path: Path):
    path = german(tmp_path / "noten.csv")
    found = run_kind(kind, path, "1:5", columns=READ, options=KindOptions(200, cutoff=4.0))
    shown = found.to_dict()
    assert (shown["items"], shown["raters"], shown["ratings"]) == (24, 4, 288)
    assert shown["results"]
    json.dumps(shown, allow_nan=False)
    assert "M0" in found.as_text() or kind == "regression"


def test_the_encoding_of_old_spreadsheets_is_read_alike(tmp_path: Path):
    now = run_kind("mrmc", german(tmp_path / "a.csv"), "1:5", columns=READ)
    old = run_kind("mrmc", german(tmp_path / "b.csv", encoding="cp1252"), "1:5", columns=READ)
    assert old == now


def van_dyke(path: Path) -> Path:
    lines = ["case,reader,method,score,truth"]
    for method, text in VAN_DYKE.items():
        for case, scores in enumerate(digits(text)):
            lines += [
                f"{case},r{reader},t{method},{score:g},{int(case >= 69)}"
                for reader, score in enumerate(scores)
            ]
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_van_dyke_from_the_command_line(tmp_path: Path):
    path = van_dyke(tmp_path / "r.csv")
    found = run_kind("roc", path).to_dict()["results"]["jackknife"]
    assert found["test"]["statistic"] == pytest.approx(4.456319, abs=5e-7)
    assert found["test"]["df"] == pytest.approx(15.259675, abs=5e-7)
    fixed = run_kind("roc", path, options=KindOptions(random=Random.CASES)).to_dict()
    assert fixed["results"]["jackknife"]["test"]["p"] == pytest.approx(0.01928, abs=5e-6)


def test_an_accuracy_needs_to_know_what_is_positive(tmp_path: Path):
    path = van_dyke(tmp_path / "r.csv")
    with pytest.raises(StatisticsError, match="--cutoff 3"):
        run_kind("accuracy", path)
    found = run_kind("accuracy", path, options=KindOptions(cutoff=3)).to_dict()["results"]
    assert (found["positive"], found["negative"]) == (45, 69)


@pytest.mark.parametrize(
    ("kind", "said"), [("roc", "--truth"), ("mrmc", "--method"), ("regression", "--metric")]
)
def test_what_lacks_is_named_with_its_option(kind: str, said: str):
    rows = [RatingRow(item, rater, 3.0) for item in "ab" for rater in "AB"]
    with pytest.raises(StatisticsError, match=said):
        compute(kind, rows)


def test_a_truth_that_is_none_is_refused(tmp_path: Path):
    path = tmp_path / "r.csv"
    path.write_text("item,rater,method,value,truth\n1,A,m,1,1\n2,A,m,1,maybe\n", "utf-8")
    with pytest.raises(StatisticsError, match=r"line 3: the truth 'maybe' is neither positive"):
        run_kind("roc", path)
    rows = [RatingRow("x", "A", 1.0, method="m", truth=True),
            RatingRow("x", "B", 1.0, method="m", truth=False)]  # fmt: skip
    with pytest.raises(StatisticsError, match="give each item one truth"):
        compute("roc", rows)


def test_raters_are_compared_where_there_is_no_method():
    rng = np.random.default_rng(1)
    rows = [
        RatingRow(f"c{item}", rater, float(item + shift + rng.normal()))
        for item in range(20)
        for rater, shift in (("A", 0.0), ("B", 2.0))
    ]
    found = compute("bland-altman", rows).to_dict()["results"]["A and B"]
    assert found["bias"]["value"] == pytest.approx(-2.0, abs=0.8)
    assert compute("anova", rows).to_dict()["results"]["test"]["df"] == 38


def test_a_difference_of_kappas_is_tested():
    rng = np.random.default_rng(2)
    truth = rng.integers(1, 6, 60)
    rows = [
        RatingRow(f"c{item}", f"R{reader}", float(
            truth[item] if rng.random() < sees else rng.integers(1, 6)), method=method)
        for item in range(60) for reader in range(5) for method, sees in (("A", 0.95), ("B", 0.5))
    ]  # fmt: skip
    [kappa, *_, icc] = compute("difference", rows).to_dict()["results"]["pairs"]
    assert kappa["difference"]["value"] == pytest.approx(kappa["values"][0] - kappa["values"][1])
    for found in (kappa, icc):
        assert found["test"]["p"] < 0.01
        assert 0 < found["difference"]["low"] < found["difference"]["value"]
    separate = compute("fleiss", rows, seed=0).to_dict()["methods"]
    values = [part["results"]["kappa"]["value"] for part in separate]
    assert kappa["values"] == pytest.approx(values)


def test_equal_methods_do_not_differ_in_agreement():
    rng, rejected, studies = np.random.default_rng(3), 0, 100
    for study in range(studies):
        truth, leaning = rng.normal(0, 1, (30, 2)), rng.normal(0, 0.4, (6, 2))
        rows = [
            RatingRow(f"c{item}", f"R{reader}", float(np.clip(np.rint(
                3 + truth[item, method] + leaning[reader, method] + 0.5 * rng.normal()), 1, 5)),
                method=f"M{method}")
            for item in range(30) for reader in range(6) for method in range(2)
        ]  # fmt: skip
        found = compute("difference", rows, resamples=100, seed=study).to_dict()["results"]
        p = found["pairs"][1]["test"]["p"]
        rejected += p is not None and p < 0.05
    assert rejected / studies <= 0.12


PREFERENCES = "item,rater,left,right,value,patient\n" + "".join(
    f"c{item},R{reader},{left},{right},{value},P{item // 2}\n"
    for item in range(12)
    for reader in range(4)
    for left, right in [("A", "B") if (item + reader) % 2 else ("B", "A")]
    for value in ["A" if (item * 7 + reader * 3) % 5 else "tie"]
)


def test_preferences_of_a_table(tmp_path: Path):
    path = tmp_path / "p.csv"
    path.write_text(PREFERENCES, "utf-8-sig")
    found = run_kind("preference", path).to_dict()
    [pair] = found["results"]["pairs"]
    assert (pair["first"], pair["second"]) == ("A", "B")
    assert pair["losses"] == 0
    assert pair["wins"] + pair["ties"] == 48
    assert (found["items"], found["raters"], found["ratings"]) == (12, 4, 48)
    sides = path.with_name("s.csv")
    text = PREFERENCES.replace(",A,B,A,", ",A,B,-1,").replace(",B,A,A,", ",B,A,1,")
    sides.write_text(text.replace(",tie,", ",0,"), "utf-8")
    assert run_kind("preference", sides).parts == run_kind("preference", path).parts
    path.write_text("item,rater,left,right,value\nc,R,A,B,C\n", "utf-8")
    with pytest.raises(StatisticsError, match="line 2: the preference 'C' is neither left"):
        run_kind("preference", path)
    path.write_text("item,rater,value\nc,R,A\n", "utf-8")
    with pytest.raises(StatisticsError, match="lacks the column left"):
        run_kind("preference", path)


def test_blinding_of_a_table(tmp_path: Path):
    path = tmp_path / "g.csv"
    path.write_text(
        "reader;method;guess\n" + "R1;filter;filter\n" * 6 + "R2;network;filter\n" * 4
        + "R2;network;do not know\n" * 2, "utf-8",
    )  # fmt: skip
    found = run_kind("blinding", path)
    results = found.to_dict()["results"]
    assert results["methods"] == ["filter", "network"]
    assert results["counts"] == [[6, 0, 0], [4, 0, 2]]
    assert results["bang"][0]["value"] == 1.0
    assert "12 guesses" in found.as_text()
    with pytest.raises(StatisticsError, match="not about scores"):
        compute("blinding", [])


def test_the_help_names_every_kind():
    from study.cli.results import stats

    said = str(stats.__annotations__["kind"])
    for kind in KINDS:
        assert kind in said, kind


def test_limits_of_agreement_are_of_readers_who_rated_both():
    """A severe reader of one method only is no difference of the methods."""
    rows = [RatingRow(f"c{case}", "R1", score, method=method)
            for case in range(10)
            for method, score in (("A", 3.0 + case % 3), ("B", 3.5 + case % 2))]  # fmt: skip
    severe = [RatingRow(f"c{case}", "R2", 1.0, method="A") for case in range(10)]
    [one], [other] = (compute("bland-altman", part, resamples=0).parts
                      for part in (rows, [*rows, *severe]))  # fmt: skip
    assert one.results == other.results


@pytest.mark.parametrize("kind", ["ordinal", "regression"])
def test_repeats_are_not_independent_ratings(kind: str):
    rows = [RatingRow("c1", "R1", 1.0, method=method, line=line, metric=1.0)
            for line, method in enumerate("ABA", start=2)]  # fmt: skip
    with pytest.raises(StatisticsError, match="line 4 is a second rating of item 'c1'"):
        compute(kind, rows)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("ordinal", "there are 40 different scores, .* at most 30"),
        ("paired", "there are 110 methods to compare, at most 100"),
        ("cohen", "110 raters have too many pairs, at most 100"),
    ],
)
def test_a_wrong_column_is_refused_before_hours_of_computation(kind: str, said: str):
    by = {"ordinal": ("R1", "AB"), "paired": ("R1", range(110)), "cohen": ("", range(110))}
    rater, names = by[kind]
    count = 40 if kind == "ordinal" else 2
    rows = [
        RatingRow(f"c{case}", rater, float(case), method=f"{name}")
        if rater
        else RatingRow(f"c{case}", f"R{name}", float(case))
        for case in range(count)
        for name in names
    ]
    with pytest.raises(StatisticsError, match=said):
        compute(kind, rows)


@pytest.mark.parametrize("kind", ["fleiss", "gwet", "alpha", "cohen", "difference"])
def test_measurements_are_no_categories(kind: str):
    rows = [RatingRow(f"c{case}", "R1", case / 7, method="AB"[case % 2]) for case in range(1002)]
    with pytest.raises(StatisticsError, match="there are 1002 different scores: use icc"):
        compute(kind, rows)
