"""Text that a spreadsheet would run as a formula, whatever separates its cells."""

import csv
import io

import pytest

from enhancers.spreadsheet_text import without_formulas

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫"


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize(
    "before", ["", " ", "seen;", "seen; ", 'seen;"', "seen\n", "seen\r", "\t", "a\tb\t"]
)
def test_no_cell_begins_with_a_sign(sign, before):
    text = without_formulas(f"{before}{sign}HYPERLINK(1)")
    line = io.StringIO()
    csv.writer(line).writerow(["R01", text])
    for separator in ",;\t":
        for cell in (part for row in csv.reader(line.getvalue().splitlines(), delimiter=separator)
                     for part in row):  # fmt: skip
            assert cell.strip(' "\t')[:1] not in SIGNS or not cell.strip(' "\t')


@pytest.mark.parametrize("text", ["", "fine", "5 - 3", "a, -b", "x = y", "2 HU; window 5", "'=1"])
def test_other_text_is_as_it_was(text):
    assert without_formulas(text) == text
