"""The fields of a qualification and of an amendment describe what was typed."""

from __future__ import annotations

import pytest

from study.domain.errors import ProtocolError
from study.domain.protocol import Protocol
from study.domain.questions import CATALOG, QuestionKind
from study.planning.amendment import changed
from study.web.coordinator.conduct_fields import (
    amended_protocol,
    amended_values,
    pasted_answers,
)

PROTOCOL = Protocol(washout_days=28.0)


def test_fields_that_were_not_touched_change_nothing() -> None:
    assert amended_protocol(amended_values(PROTOCOL), PROTOCOL) == PROTOCOL


def test_lines_reword_questions_and_add_optional_ones() -> None:
    values = amended_values(PROTOCOL)
    values["questions"] = "\n".join(
        ("quality: How good?", *values["questions"].splitlines()[1:],
         f"noise: {CATALOG[2].text}", "remark: Anything else?")
    )  # fmt: skip
    values |= {"readers": 6, "washout_days": 14, "added_repeats": 10, "added_washout": 7}
    found = amended_protocol(values, PROTOCOL)
    assert found.question("quality").text == "How good?"
    assert found.question("noise") == CATALOG[2]
    assert found.question("remark").kind is QuestionKind.TEXT
    assert changed(PROTOCOL, found, PROTOCOL) == (
        "readers: 5 to 6", "washout_days: 28 to 14",
        "session 3: added, 10 repeats, at least 7 days after the session before",
        "question quality: new wording",
        "question noise: added", "question remark: added",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "why"),
    [({"questions": "quality"}, "a colon"), ({"questions": "a: b\na: c"}, "listed twice"),
     ({"readers": None}, "Readers is empty"), ({"added_washout": 7}, "give both"),
     ({"added_repeats": -1}, "1 to 500 repeats")],
)  # fmt: skip
def test_what_cannot_be_read_is_said(change: dict[str, object], why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        amended_protocol(amended_values(PROTOCOL) | change, PROTOCOL)


def test_a_pasted_table_is_read() -> None:
    assert pasted_answers("  \n") is None
    (row,) = pasted_answers("case,question,low,high\nknee-17,quality,4,5\n") or ()
    assert (row.case, row.question, row.low, row.high, row.method) == (
        "knee-17", "quality", "4", "5", "",
    )  # fmt: skip
    with pytest.raises(ProtocolError, match="question is missing"):
        pasted_answers("case\nknee-17\n")
