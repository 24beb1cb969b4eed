from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from study.domain.errors import StatisticsError
from study.stats.estimate import to_json
from study.stats.kinds.catalog import compute, run_kind
from study.stats.kinds.describing import DESCRIBING
from study.stats.scale import Scale
from study.stats.table import RatingRow, from_matrix
from tests.study.stats.published_tables import (
    ANXIETY,
    FIVE,
    SHROUT_FLEISS,
    digits,
    fleiss,
    gwet,
    long_csv,
    write_long,
)


def run(kind: str, path: Path, scale: str | None = None) -> dict:
    result = run_kind(kind, path, scale).to_dict()
    json.dumps(result, allow_nan=False)
    return result


def test_a_result_counts_what_it_rests_on(tmp_path: Path):
    found = run("fleiss", long_csv(tmp_path / "r.csv", fleiss()), "1:5")
    assert (found["items"], found["raters"], found["ratings"]) == (30, 6, 180)
    assert found["scale"] == {"categories": ["1", "2", "3", "4", "5"], "declared": True}
    assert found["notes"] == []


def test_statistics_of_scores_need_no_scale(tmp_path: Path):
    path = long_csv(tmp_path / "r.csv", from_matrix(SHROUT_FLEISS))
    assert run("icc", path)["scale"] is None
    assert run("reliability", path)["results"]["between_readers"]["flagged"] is True


def test_cohen_has_every_pair_of_raters(tmp_path: Path):
    table = from_matrix(digits(ANXIETY), Scale.span(1, 6), raters=["A", "B", "C"])
    results = run("cohen", long_csv(tmp_path / "r.csv", table), "1:6")["results"]
    assert {name: len(found["pairs"]) for name, found in results.items()} == {
        "unweighted": 3,
        "linear": 3,
        "quadratic": 3,
    }


def test_every_kind_answers_for_constant_and_lonely_ratings():
    constant = [RatingRow(item, rater, 4.0) for item in "vwxyz" for rater in "ABC"]
    lonely = [RatingRow("x", "A", 4.0), RatingRow("y", "B", None), RatingRow("x", "B", None)]
    for kind in (*DESCRIBING, "paired", "friedman"):
        for rows in (constant, lonely):
            for scale in (FIVE, None):
                result = compute(kind, rows, scale, resamples=20)
                # Equal readings have a standard deviation of zero, without an interval.
                said = "no interval" if kind == "within-subject" else "undefined"
                assert said in result.as_text() or "undefined" in result.as_text(), kind
                assert "null" in to_json(result.to_dict())
    agreement = compute("fleiss", constant, FIVE).to_dict()["results"]
    assert agreement["agreement"]["value"] == agreement["ac1"]["value"] == 1.0
    assert agreement["kappa"]["value"] is None
    assert "no variation" in agreement["kappa"]["reason"]


def test_a_warning_is_called_one(tmp_path: Path):
    path = tmp_path / "r.csv"
    path.write_text("item,rater,value\n1,R1,1\n1,r1,2\n2,R1,3\n2,r1,3\n", "utf-8")
    said = run_kind("icc", path).as_text().splitlines()[-1]
    assert said.startswith("warning: 'R1' and 'r1' are taken as different raters")


def test_an_undeclared_scale_is_stated():
    rows = [
        RatingRow(str(i), rater, float(v)) for rater in "AB" for i, v in enumerate((1, 2, 3, 5))
    ]
    result = compute("gwet", rows)
    assert result.to_dict()["scale"]["declared"] is False
    assert "the categories are those that occur (1, 2, 3, 5)" in result.notes[0]
    assert "note: no scale was declared" in result.as_text()
    assert compute("icc", rows).notes == ()


def test_several_methods_give_one_part_each():
    rows = [
        RatingRow(str(item), rater, float(1 + (item + shift * (rater == "B")) % 5), method=method)
        for method, shift in (("m1", 0), ("m2", 1))
        for rater in "AB"
        for item in range(6)
    ]
    first, second = compute("fleiss", rows, FIVE).to_dict()["methods"]
    assert (first["method"], first["results"]["kappa"]["value"]) == ("m1", 1.0)
    assert second["results"]["kappa"]["value"] < 0.1
    assert "method m2: 6 items, 2 raters, 12 ratings" in compute("fleiss", rows, FIVE).as_text()
    paired = compute("paired", rows).to_dict()["results"]
    assert (paired["pairs"][0]["first"], paired["pairs"][0]["second"]) == ("m1", "m2")


def test_repeats_serve_reliability_only(tmp_path: Path):
    cells = [
        (item, rater, 1 + (item + replicate) % 5, replicate)
        for item in range(6)
        for rater in "AB"
        for replicate in (1, 2)
    ]
    path = write_long(tmp_path / "r.csv", cells, "replicate")
    found = run("fleiss", path, "1:5")
    assert found["notes"] == ["12 repeat readings are left out"]
    assert found["results"]["kappa"]["value"] == pytest.approx(1.0)
    results = run("reliability", path, "1:5")["results"]
    assert [each["rater"] for each in results["within_reader"]] == ["A", "B", "all readers"]
    assert results["within_reader"][0]["exact"]["value"] == 0.0
    assert results["between_readers"]["items"] == 6


def test_one_reader_who_repeats(tmp_path: Path):
    cells = [(item, "A", 1 + item % 5, replicate) for item in range(6) for replicate in (1, 2)]
    results = run("reliability", write_long(tmp_path / "r.csv", cells, "replicate"), "1:5")
    assert list(results["results"]) == ["within_reader"]


def test_an_unknown_kind_is_refused_with_the_kinds(tmp_path: Path):
    with pytest.raises(StatisticsError, match="'scott': choose from fleiss, gwet, alpha, icc"):
        run_kind("scott", tmp_path / "absent.csv")
    with pytest.raises(StatisticsError, match="no statistics called"):
        compute("scott", [])
    with pytest.raises(StatisticsError, match="the scale 'high'"):
        run_kind("fleiss", tmp_path / "absent.csv", "high")


def test_a_text_shows_each_value_with_its_interval():
    text = compute("fleiss", [
        RatingRow(item, rater, score)
        for item, row in zip(fleiss().items, fleiss().scores.tolist(), strict=True)
        for rater, score in zip(fleiss().raters, row, strict=True)
    ], FIVE).as_text()  # fmt: skip
    assert "kappa (Fleiss' kappa): 0.430245, 95 % CI 0.319395 to 0.541094, se 0.0541989" in text
    assert "null_test (test of no agreement): p 9.85107e-70, statistic 17.6518" in text


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path):
    path = long_csv(tmp_path / "r.csv", gwet())
    once, again, other = (to_json(run_kind("gwet", path, "1:5", s).to_dict()) for s in (3, 3, 4))
    assert once == again
    assert once != other


def test_statistics_need_neither_torch_nor_gradio():
    code = (
        "import sys, study.stats.kinds.catalog;"
        "import study.stats.comparison.bradley_terry, study.stats.comparison.blinding_index;"
        "heavy = {'torch', 'gradio', 'statsmodels', 'pandas', 'enhancers.method'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
