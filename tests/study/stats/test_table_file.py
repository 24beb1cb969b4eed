"""Tables as spreadsheets and statistics programs write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.domain.errors import BuildError, StatisticsError
from study.stats.ratings_file.csv_input import ColumnChoice, read_ratings, read_rows
from study.stats.scale import Scale
from study.stats.table_file import number_of, read_table, whole_number_of

PLAIN = "item,rater,value\nx,A,1\nx,B,2\ny,A,3\ny,B,\n"
SCORES = [("x", "A", 1.0), ("x", "B", 2.0), ("y", "A", 3.0), ("y", "B", None)]


def table(folder: Path, content: str | bytes) -> Path:
    path = folder / "ratings.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def scores(path: Path, columns: ColumnChoice | None = None) -> list[tuple[str, str, float | None]]:
    return [(row.item, row.rater, row.value) for row in read_rows(path, columns=columns)]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        "sep=,\n" + PLAIN,
        "sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"),
        '"sep=;"\n' + PLAIN.replace(",", ";"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", ",,\n"),
        PLAIN.replace(",", " , ").replace("1", "\u00a01\u00a0"),
        "\ufeff" + PLAIN,
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
        "item,A,B\nx,1,2\ny,3,\n",
        "item;A;B;\nx;1;2;\ny;3;;\n",
        PLAIN.replace("rater", "Reader").replace("item", "CASE").replace("value", "Score"),
    ],
)
def test_one_table_written_in_many_ways(tmp_path: Path, content: str | bytes) -> None:
    assert scores(table(tmp_path, content)) == SCORES


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_names_with_accents_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    path = table(tmp_path, "item,rater,value\nhôpital,Müller,1\n".encode(encoding))
    assert scores(path) == [("hôpital", "Müller", 1.0)]


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("item;rater;value\nx;A;2,5\nx;B;3\n", [2.5, 3.0]),
        ('item,rater,value\nx,A,"2,5"\nx,B,"-0,25"\n', [2.5, -0.25]),
        ("item\trater\tvalue\nx\tA\t1,200\nx\tB\t,5\n", [1.2, 0.5]),
        ("item,rater,value\nx,A,1e3\nx,B,+.5\n", [1000.0, 0.5]),
        ("item,rater,value\nx,A,-0\nx,B,-0.0\n", [0.0, 0.0]),
    ],
)
def test_decimal_commas_and_points(tmp_path: Path, content: str, values: list[float]) -> None:
    read = [row.value for row in read_rows(table(tmp_path, content))]
    assert [str(value) for value in read] == [str(value) for value in values]


@pytest.mark.parametrize(
    "word",
    ["", "NA", "n/a", "NaN", "NULL", "None", "#N/A", ".", "-", "—", "cannot judge", "not read"],
)
def test_words_for_a_missing_rating(tmp_path: Path, word: str) -> None:
    path = table(tmp_path, f"item,rater,value\nx,A,{word}\nx,B,2\n")
    assert [row.value for row in read_rows(path)] == [None, 2.0]
    assert [row.value for row in read_rows(path, Scale.span(1, 5))] == [None, 2.0]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("1_2", "line 2: the value '1_2' is not a number"),
        ("２", "line 2: the value '２' is not written in the digits 0 to 9: write 2"),
        ("0x10", "is not a number"),
        ("1e999", "too large: numbers go up to 1e+50"),
        ("1e51", "too large"),
        ("#DIV/0!", "an error of the spreadsheet"),
        ('"1,200"', "line 2: '1,200' may be 1200 or 1.200: write numbers without a comma"),
        ('"1.200,5"', "is not a number"),
    ],
)
def test_what_is_no_number(tmp_path: Path, value: str, problem: str) -> None:
    with pytest.raises(StatisticsError) as caught:
        read_rows(table(tmp_path, f"item,rater,value\nx,A,{value}\n"))
    assert problem in str(caught.value)


def test_a_scale_takes_the_same_numbers_only() -> None:
    with pytest.raises(StatisticsError, match="'1_0' is not on the scale"):
        Scale.span(1, 10).score_of("1_0")
    with pytest.raises(StatisticsError, match="not understood"):
        Scale.parse("1_0:2_0")
    assert [number_of(text) for text in ("1_0", "٣", "inf", "1e3 ", "", "-2.")] == [None] * 5 + [-2]
    assert [whole_number_of(text) for text in ("07", "２", "1_0", "-1", "")] == [7, *[None] * 4]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('item,rater,value\n"x,A,1\ny,A,2\n', "line 2: a quotation mark is opened here"),
        ("item;rater;value\nx;A;2,5\nx;B;3.5\n", "'2,5' (line 2) has a decimal comma and '3.5'"),
        ("item,rater,value\nx,A,2,5\n", "line 2: 4 cells, but the header has 3"),
        ("item,rater,value,\nx,A\n", "line 2: 2 cells, but the header has 3"),
        ("item,rater,value\nx,A,1\ny\x00,A,2\n", "line 3: there is the control character 0x00"),
        ("ID,R1,R2\nx,1,2\n", "lacks the column item and rater and value"),
        ("item,A,comment\nx,1,fine\n", "line 2: the value 'fine' is not a number"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_words(
    tmp_path: Path, content: str, problem: str
) -> None:
    with pytest.raises(StatisticsError) as caught:
        read_rows(table(tmp_path, content))
    assert problem in str(caught.value)


def test_columns_may_have_any_name(tmp_path: Path) -> None:
    path = table(tmp_path, "Scan;Arzt;Note;Patient-ID;Filter\ns1;M;2,5;p1;nlm\ns2;M;3;p1;tv\n")
    chosen = ColumnChoice(
        item="scan", rater="Arzt", value="Note", cluster="patient-id", method="Filter"
    )
    first, second = read_rows(path, columns=chosen)
    assert (first.item, first.rater, first.value, first.cluster) == ("s1", "M", 2.5, "p1")
    assert (first.method, second.method) == ("nlm", "tv")
    with pytest.raises(StatisticsError, match="no column 'Grade' for --value: it has Scan, Arzt"):
        read_rows(path, columns=ColumnChoice(item="Scan", rater="Arzt", value="Grade"))


def test_of_several_questions_one_is_chosen(tmp_path: Path) -> None:
    path = table(tmp_path, "item,rater,question,value\nx,A,noise,1\nx,A,sharp,4\n")
    assert scores(path, ColumnChoice(question="sharp")) == [("x", "A", 4.0)]
    with pytest.raises(StatisticsError, match="has 2 questions: choose one, --question noise"):
        read_rows(path)
    with pytest.raises(StatisticsError, match="no question 'blur': choose from noise, sharp"):
        read_rows(path, columns=ColumnChoice(question="blur"))
    plain = table(tmp_path, PLAIN)
    with pytest.raises(StatisticsError, match="no column named question"):
        read_rows(plain, columns=ColumnChoice(question="sharp"))


def test_names_that_look_like_one_are_warned_about(tmp_path: Path) -> None:
    path = table(tmp_path, "item,rater,value\n1,R1,1\n01,r1,2\n2,R 2,3\n2,R1,3\n")
    assert read_ratings(path).notes == (
        "warning: '1' and '01' are taken as different items: if they are one, write them alike",
        "warning: 'R1' and 'r1' are taken as different raters: if they are one, write them alike",
    )
    assert read_ratings(table(tmp_path, PLAIN)).notes == ()


def test_the_class_of_the_error_is_the_callers(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="cannot be read"):
        read_table(tmp_path / "none.csv", error=BuildError)


def test_a_first_line_too_long_for_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StatisticsError, match="line 1: a value is too long"):
        read_rows(table(tmp_path, "item" * 40_000 + "\n1\n"))
    assert read_table(table(tmp_path, ";".join(f"column {k}" for k in range(15_000)))).header


def test_tables_that_are_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = table(tmp_path, "item," + ",".join(f"R{k}" for k in range(16_384)) + "\n")
    with pytest.raises(StatisticsError, match="line 1: 16385 columns; a table has at most 16384"):
        read_table(wide)
    monkeypatch.setattr("study.stats.table_file.MOST_BYTES", 1000)
    with pytest.raises(StatisticsError, match="is larger than"):
        read_table(wide)


def test_numbers_that_are_all_tiny_are_refused(tmp_path: Path) -> None:
    """An apparent diffusion coefficient in square metres per second would be printed as 0."""
    with pytest.raises(StatisticsError, match=r"no value is larger than 1\.2e-09"):
        read_rows(table(tmp_path, "item,rater,value\nx,A,1.2e-9\nx,B,1.1e-9\n"))
    assert scores(table(tmp_path, "item,rater,value\nx,A,1e-9\nx,B,1\n"))
    assert scores(table(tmp_path, "item,rater,value\nx,A,0\nx,B,0\n"))
