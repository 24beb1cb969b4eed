from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from study.domain.errors import StatisticsError
from study.stats.ratings_file.csv_input import read_rows
from study.stats.scale import Scale
from study.stats.summary import summarise
from study.stats.table import RatingRow, from_matrix, tabulate
from tests.study.stats.published_tables import FIVE, NAN


def csv_file(folder: Path, text: str) -> Path:
    path = folder / "ratings.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_scale_is_a_range_or_a_list_in_order():
    assert Scale.parse("1:5") == FIVE
    assert Scale.parse("1,2,3,5").scores == (1, 2, 3, 5)
    assert Scale.parse("neg, ind, pos").labels == ("neg", "ind", "pos")
    assert Scale.parse("neg,ind,pos").scores == (1, 2, 3)
    assert Scale.parse("5,4,3").scores == (5, 4, 3)


@pytest.mark.parametrize("text", ["", "5:1", "1:1", "a:b", "1:", "good", "a,,b", "1:100000"])
def test_a_scale_that_is_not_understood_is_refused(text: str):
    with pytest.raises(StatisticsError, match="scale"):
        Scale.parse(text)


@pytest.mark.parametrize("text", ["1,3,2", "1,1,2", "a,b,a"])
def test_a_scale_out_of_order_or_with_repeats_is_refused(text: str):
    with pytest.raises(StatisticsError, match=r"order|repeats"):
        Scale.parse(text)


def test_a_derived_scale_says_so():
    scale = Scale.derived([3.0, 1.0, 3.0, 0.1])
    assert scale.labels == ("0.1", "1", "3")
    assert not scale.declared
    with pytest.raises(StatisticsError, match="declare the scale"):
        Scale.derived([])


def test_codes_follow_the_order_of_the_scale():
    scores = np.array([[5.0, 3.0, NAN, 4.0]])
    assert Scale.parse("5,4,3").codes(scores).tolist() == [[0, 2, -1, 1]]
    with pytest.raises(StatisticsError, match=r"3\.5 is not on the scale 1, 2, 3, 4, 5"):
        FIVE.codes(np.array([3.5]))


def test_a_file_becomes_a_table(tmp_path: Path):
    path = csv_file(
        tmp_path,
        "\ufeffItem, Rater ,value,patient\nx,A,1,p1\nx,B,,p1\n\ny,A,4.0,p1\ny,B,NaN,p1\nz,B,5,p2\n",
    )
    table = tabulate(read_rows(path, FIVE), FIVE)
    assert table.items == ("x", "y", "z")
    assert table.raters == ("A", "B")
    assert table.clusters == ("p1", "p1", "p2")
    assert np.array_equal(table.scores, [[1, NAN], [4, NAN], [NAN, 5]], equal_nan=True)
    assert table.counts.sum() == 3


def test_words_take_the_order_that_was_declared(tmp_path: Path):
    path = csv_file(tmp_path, "item,rater,value\nx,A,pos\nx,B,neg\ny,A,ind\ny,B,NA\n")
    scale = Scale.parse("neg,ind,pos")
    assert tabulate(read_rows(path, scale), scale).codes.tolist() == [[2, 0], [1, -1]]
    with pytest.raises(StatisticsError, match="line 2: the value 'pos' is not a number") as caught:
        read_rows(path)
    assert "--scale" in str(caught.value)


def test_a_category_may_be_called_na():
    scale = Scale.parse("na,mild,severe")
    assert scale.score_of("na") == 1.0
    assert scale.score_of("") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty: it needs the columns item, rater, value"),
        ("item,rater,value\n", "has no ratings"),
        ("item,rater,value\nx,A,\n", "all their ratings are missing"),
        ("subject,rater,value\nx,A,1\n", "lacks the column item"),
        ("item,rater,value,value\nx,A,1,2\n", "names a column twice"),
        ("item,rater,value\nx,A,1\ny,A,6\n", "line 3: '6' is not on the scale 1, 2, 3, 4, 5"),
        ("item,rater,value\nx,A,1.5\n", "line 2: '1.5' is not on the scale"),
        ("item,rater,value\nx,A\n", "line 2: 2 cells, but the header has 3"),
        ("item,rater,value\n,A,1\n", "line 2: the item is empty"),
        ("item,rater,value\nx,,1\n", "line 2: the rater is empty"),
        ("item,rater,value,replicate\nx,A,1,0\n", "line 2: the replicate '0'"),
        ("item,rater,value\nx,A,inf\n", "line 2: 'inf' is not on the scale"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, problem: str):
    with pytest.raises(StatisticsError, match=problem) as caught:
        read_rows(csv_file(tmp_path, text), FIVE)
    assert "ratings.csv" in str(caught.value)


def test_files_that_are_no_text_are_refused(tmp_path: Path):
    with pytest.raises(StatisticsError, match="cannot be read: No such file"):
        read_rows(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"item,rater,value\nx\x00y,A,1\n")
    with pytest.raises(StatisticsError, match=r"line 2: there is the control character 0x00"):
        read_rows(tmp_path / "binary.csv")
    (tmp_path / "book.csv").write_bytes(b"PK\x03\x04" + bytes(40))
    with pytest.raises(StatisticsError, match=r"Excel workbook .* save it as CSV"):
        read_rows(tmp_path / "book.csv")
    with pytest.raises(StatisticsError, match="line 2: the value 'inf' is not finite"):
        read_rows(csv_file(tmp_path, "item,rater,value\nx,A,inf\n"))
    with pytest.raises(StatisticsError, match="not a CSV file"):
        read_rows(csv_file(tmp_path, 'item,rater,value\n"x"y,A,1\n'))


def test_repeat_readings_are_refused_not_averaged(tmp_path: Path):
    path = csv_file(tmp_path, "item,rater,value\nx,A,1\nx,B,2\nx,A,3\n")
    with pytest.raises(StatisticsError, match="repeat readings: line 4 is a second") as caught:
        tabulate(read_rows(path), FIVE)
    assert "after line 2" in str(caught.value)
    assert "replicate" in str(caught.value)


def test_an_item_belongs_to_one_cluster():
    rows = [RatingRow("x", "A", 1.0, "p1", line=2), RatingRow("x", "B", 1.0, "p2", line=3)]
    with pytest.raises(StatisticsError, match="line 3: item 'x' is in cluster 'p2'"):
        tabulate(rows, FIVE)


def test_an_item_named_like_a_cluster_stays_apart():
    table = tabulate([RatingRow("p1", "A", 1.0), RatingRow("x", "A", 2.0, "p1")], FIVE)
    assert len(set(table.clusters)) == 2


def test_a_score_is_never_nan():
    with pytest.raises(StatisticsError, match="a missing rating is None"):
        RatingRow("x", "A", NAN)
    with pytest.raises(StatisticsError, match="infinite"):
        from_matrix([[1.0, float("inf")]])


def test_shapes_and_names_are_checked():
    with pytest.raises(StatisticsError, match="items as rows"):
        from_matrix([1.0, 2.0])
    with pytest.raises(StatisticsError, match="do not fit"):
        from_matrix([[1.0, 2.0]], raters=["A"])
    with pytest.raises(StatisticsError, match="as many clusters"):
        from_matrix([[1.0, 2.0]], clusters=["p", "q"])
    with pytest.raises(StatisticsError, match="no rater 'C': choose from rater 1, rater 2"):
        from_matrix([[1.0, 2.0]]).column("C")


def test_parts_of_a_table():
    table = from_matrix([[1, NAN, NAN], [2, 3, NAN], [NAN, NAN, NAN]], FIVE)
    assert table.raters_per_item.tolist() == [1, 2, 0]
    assert table.present().scores.shape == (2, 2)
    assert table.complete().items == ("item 2",)


def test_summary_counts_missing_and_unused_categories():
    found = summarise(from_matrix([[1, NAN], [2, 5], [2, 2]], FIVE))
    assert (found.n, found.missing) == (5, 1)
    assert found.counts == (1, 3, 0, 0, 1)
    assert (found.mean, found.median) == (2.4, 2.0)
    assert found.sd == pytest.approx(1.516575)
    empty = summarise(from_matrix([[NAN, NAN]], FIVE))
    assert (empty.n, empty.missing, empty.mean, empty.median) == (0, 2, None, None)


def test_a_table_of_more_cells_than_memory_is_refused() -> None:
    rows = [RatingRow(f"i{k}", f"r{k}", 1.0) for k in range(5000)]
    with pytest.raises(StatisticsError, match=r"of 5000 x 5000 items, raters and methods"):
        tabulate(rows)
