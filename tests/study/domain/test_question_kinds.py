"""Every kind of question: what it takes, what it refuses, and what is measured."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from study.domain.answers import Answer, check_answers
from study.domain.drawings import ImageFrame, angle, area, crosses_itself, frame_of, length
from study.domain.errors import AnswerError, ProtocolError
from study.domain.protocol import Protocol
from study.domain.protocol_json import from_json
from study.domain.question_kinds import (
    KINDS,
    NO_SCALE,
    Analysed,
    QuestionKind,
    Value,
    measured,
    restored,
    stored,
    unit_of,
)
from study.domain.questions import CATALOG, Question, question_from
from study.domain.terms import Shown

FRAME = ImageFrame(100, 50, (0.5, 0.25))
"""Rows are 0.5 mm apart, columns 0.25 mm."""
MORE: dict[QuestionKind, dict[str, Any]] = {
    QuestionKind.NUMBER: {"low": -5, "high": 12.5, "unit": "mm"},
    QuestionKind.CHOICE: {"anchors": ["none", "blur", "streaks"]},
    QuestionKind.TEXT: {"longest": 10},
}


def asked(kind: QuestionKind, **changes: Any) -> Question:
    return question_from({"code": "q", "text": "?", "kind": kind, **MORE.get(kind, {}), **changes})


GOOD: list[tuple[QuestionKind, Value, float | None, str | None]] = [
    (QuestionKind.LIKERT, 5, 5.0, None),
    (QuestionKind.PREFERENCE, -1, -1.0, None),
    (QuestionKind.COMPARISON, 3, 3.0, None),
    (QuestionKind.VAS, 100, 100.0, None),
    (QuestionKind.YES_NO, 0, 0.0, None),
    (QuestionKind.CHOICE, 3, 3.0, None),
    (QuestionKind.RANKING, 4, 4.0, None),
    (QuestionKind.NUMBER, 12.5, None, '{"number":12.5}'),
    (QuestionKind.NUMBER, -5, None, '{"number":-5}'),
    (QuestionKind.TEXT, "", None, '{"text":""}'),
    (QuestionKind.TEXT, 'a "b" ä', None, '{"text":"a \\"b\\" ä"}'),
    (QuestionKind.POINT, ((100.0, 50.0),), None, '{"points":[[100.0,50.0]]}'),
    (QuestionKind.LENGTH, ((0, 0), (40, 0.00049)), None, '{"points":[[0.0,0.0],[40.0,0.0]]}'),
    (
        QuestionKind.ANGLE, ((0, 0), (10, 0), (0, 0), (0, 10)), None,
        '{"points":[[0.0,0.0],[10.0,0.0],[0.0,0.0],[0.0,10.0]]}',
    ),
    (
        QuestionKind.REGION, ((0, 0), (10, 0), (10, 10)), None,
        '{"points":[[0.0,0.0],[10.0,0.0],[10.0,10.0]],"shape":"polygon"}',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "number", "text"), GOOD)
def test_an_answer_is_stored_and_comes_back(
    kind: QuestionKind, value: Value, number: float | None, text: str | None
) -> None:
    question = asked(kind)
    assert stored(question, value, FRAME) == (number, text)
    if text is not None:
        again = stored(question, restored(question, text), FRAME)
        assert again == (number, text)


def test_every_kind_is_tried() -> None:
    assert {kind for kind, *_ in GOOD} == set(KINDS) == set(QuestionKind)


BAD: list[tuple[QuestionKind, Any, str]] = [
    (QuestionKind.LIKERT, 6, "not on the scale"),
    (QuestionKind.LIKERT, 1.5, "not on the scale"),
    (QuestionKind.LIKERT, True, "not on the scale"),
    (QuestionKind.LIKERT, "5", "not on the scale"),
    (QuestionKind.PREFERENCE, 2, "not on the scale"),
    (QuestionKind.COMPARISON, -4, "not on the scale"),
    (QuestionKind.VAS, 101, "not on the scale"),
    (QuestionKind.VAS, 50.5, "not on the scale"),
    (QuestionKind.YES_NO, 2, "not on the scale"),
    (QuestionKind.CHOICE, 0, "not on the scale"),
    (QuestionKind.NUMBER, 12.51, "from -5 to 12.5"),
    (QuestionKind.NUMBER, math.nan, "from -5 to 12.5"),
    (QuestionKind.NUMBER, math.inf, "from -5 to 12.5"),
    (QuestionKind.NUMBER, "3", "from -5 to 12.5"),
    (QuestionKind.TEXT, "more than ten", "13 characters: shorten it to 10"),
    (QuestionKind.TEXT, 5, "answered with a text"),
    (QuestionKind.POINT, (), "needs 1 points, 0 were drawn"),
    (QuestionKind.POINT, ((100.01, 5.0),), "not inside the image of 100 x 50"),
    (QuestionKind.POINT, ((5.0, -0.1),), "not inside the image"),
    (QuestionKind.POINT, ((math.nan, 5.0),), "not inside the image"),
    (QuestionKind.POINT, 5, "needs 1 points"),
    (QuestionKind.LENGTH, ((5, 5), (5, 5)), "two equal ends"),
    (QuestionKind.ANGLE, ((0, 0), (1, 1), (2, 2)), "needs 4 points, 3 were drawn"),
    (QuestionKind.ANGLE, ((0, 0), (1, 1), (2, 2), (2, 2)), "two equal ends"),
    (QuestionKind.REGION, ((0, 0), (9, 9)), "needs 3 to 200 points"),
    (QuestionKind.REGION, ((0, 0), (9, 9), (9, 0), (0, 9)), "crosses itself"),
    (QuestionKind.REGION, ((0, 0), (5, 5), (9, 9)), "no area"),
]


@pytest.mark.parametrize(("kind", "value", "says"), BAD)
def test_an_answer_that_is_not_possible_is_refused(
    kind: QuestionKind, value: Any, says: str
) -> None:
    with pytest.raises(AnswerError, match=says):
        stored(asked(kind), value, FRAME)


def test_measures_are_in_millimetres_where_the_spacing_is_known() -> None:
    assert length(((0, 0), (40, 10)), FRAME) == pytest.approx(math.hypot(10, 5))
    assert length(((0, 0), (3, 4)), ImageFrame(9, 9)) == 5
    assert unit_of(asked(QuestionKind.LENGTH), FRAME) == "mm"
    assert unit_of(asked(QuestionKind.LENGTH), ImageFrame(9, 9)) == "px"
    assert unit_of(asked(QuestionKind.REGION), FRAME) == "mm²"
    assert unit_of(asked(QuestionKind.NUMBER), FRAME) == "mm"
    triangle = ((0, 0), (40, 0), (40, 20))
    assert area(triangle, FRAME, "polygon") == pytest.approx(0.5 * 10 * 10)
    assert area(((10, 10), (50, 20)), FRAME, "ellipse") == pytest.approx(math.pi / 4 * 10 * 5)
    assert frame_of(3, 4, '{"spacing": [0.7, 0.6]}') == ImageFrame(3, 4, (0.7, 0.6))
    assert frame_of(3, 4, '{"spacing": null}') == ImageFrame(3, 4)


@pytest.mark.parametrize("degrees", [0, 17.5, 45, 89, 90, 120, 180, 271])
def test_an_angle_is_that_of_the_lines_whichever_way_they_are_drawn(degrees: float) -> None:
    square = ImageFrame(100, 100)
    end = (50 + 40 * math.cos(math.radians(degrees)), 50 + 40 * math.sin(math.radians(degrees)))
    wanted = min(degrees % 180, 180 - degrees % 180)
    first, second = ((10, 50), (90, 50)), ((50, 50), end)
    for one in (first, first[::-1]):
        for other in (second, second[::-1]):
            assert angle((*one, *other), square) == pytest.approx(wanted, abs=1e-9)
    # Of pixels twice as high as wide, 45 degrees on the grid are atan(2) in the patient.
    found = angle(((0, 0), (10, 0), (0, 0), (10, 10)), FRAME)
    assert found == pytest.approx(math.degrees(math.atan(2)))


def test_outlines_that_cross_themselves() -> None:
    assert not crosses_itself([(0, 0), (4, 0), (4, 4), (0, 4)])
    assert not crosses_itself([(0, 0), (4, 0), (2, 1), (4, 4)])
    assert crosses_itself([(0, 0), (4, 4), (4, 0), (0, 4)])
    assert crosses_itself([(0, 0), (4, 0), (4, 4), (2, -1)])


def test_a_measure_comes_from_what_is_stored() -> None:
    question = asked(QuestionKind.ANGLE)
    _, text = stored(question, ((0, 0), (10, 0), (0, 0), (0, 10)), FRAME)
    assert text is not None
    assert measured(question, text, FRAME) == pytest.approx(90)
    assert measured(asked(QuestionKind.NUMBER), '{"number":12.5}', FRAME) == 12.5
    assert measured(asked(QuestionKind.TEXT), '{"text":"x"}', FRAME) is None
    assert measured(asked(QuestionKind.POINT), '{"points":[[1.0,2.0]]}', FRAME) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "number", "low": 3, "high": 3}, "needs a range of numbers"),
        ({"kind": "choice"}, "needs its choices"),
        ({"kind": "choice", "anchors": ["one"]}, "not possible"),
        ({"kind": "vas", "maximum": 10}, "goes from 0 to 100"),
        ({"kind": "vas", "anchors": ["bad", "fair", "good"]}, "3 anchor texts"),
        ({"kind": "region", "shape": "circle"}, "choose polygon or ellipse"),
        ({"kind": "text", "longest": 5000}, "longest=5000"),
        ({"kind": "text", "primary": True}, "cannot be primary"),
        ({"minimum": 0, "maximum": 11}, "use 2 to 11 points"),
        ({"kind": "ranking", "minimum": 0, "maximum": 4}, "go from 1"),
        ({"kind": "ranking", "cannot_judge": True}, "every image gets a rank"),
        ({"ties": True}, "is no ranking"),
    ],
)
def test_questions_that_are_not_possible(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        question_from({"code": "q", "text": "?", **changes})


def test_a_kind_brings_its_ends_and_a_protocol_keeps_what_it_says() -> None:
    for kind in QuestionKind:
        question = asked(kind)
        ends = KINDS[kind].ends
        assert ends is None or (question.minimum, question.maximum) == ends
        whole = {
            "questions": [{"code": "q", "text": "?", "kind": kind, **MORE.get(kind, {})}],
            "presentation": "ranking" if question.ranks else "pair",
        }
        protocol = from_json(json.dumps(whole))
        assert protocol.questions == (question,)
        assert from_json(protocol.to_json()) == protocol
    assert asked(QuestionKind.LIKERT, minimum=0, maximum=10).scale == tuple(range(11))
    assert len(asked(QuestionKind.LIKERT, anchors=["no", "yes"]).scale) == 2


def test_the_digest_of_an_older_protocol_is_what_it_was() -> None:
    stored_before = json.loads(Protocol().to_json())["questions"][0]
    assert set(stored_before) == {
        "code", "text", "kind", "minimum", "maximum", "anchors", "cannot_judge", "primary",
    }  # fmt: skip
    shown = Protocol(
        presentation=Shown.SINGLE, nulls=0, questions=(asked(QuestionKind.ANGLE, show_value=True),)
    )
    assert json.loads(shown.to_json())["questions"][0]["show_value"] is True


def test_margins_are_in_the_unit_of_what_is_analysed() -> None:
    assert asked(QuestionKind.ANGLE).largest_margin == 90
    assert asked(QuestionKind.NUMBER).largest_margin == 17.5
    assert asked(QuestionKind.COMPARISON).largest_margin == 0.5
    assert asked(QuestionKind.VAS).largest_margin == 100
    assert math.isinf(asked(QuestionKind.LENGTH).largest_margin)
    assert CATALOG[0].largest_margin == 4
    assert {one.analysed for one in KINDS.values()} == set(Analysed)
    assert KINDS[QuestionKind.ANGLE].ends == NO_SCALE


def test_cannot_judge_is_stored_as_such_and_a_missing_answer_is_refused() -> None:
    protocol = Protocol(
        presentation=Shown.SINGLE, nulls=0,
        questions=(asked(QuestionKind.ANGLE), Question("noise", "Noise", cannot_judge=False)),
    )  # fmt: skip
    rows = check_answers(protocol, [Answer("q", 0, None), Answer("noise", 0, 2)], FRAME)
    assert [(one.number, one.text) for one in rows] == [(None, "cannot judge"), (2.0, None)]
    with pytest.raises(AnswerError, match="noise must be judged"):
        check_answers(protocol, [Answer("q", 0, None), Answer("noise", 0, None)], FRAME)
    with pytest.raises(AnswerError, match="No answer to q for the left image"):
        check_answers(protocol, [Answer("noise", 0, 2)], FRAME)
    text = Protocol(presentation=Shown.SINGLE, nulls=0, questions=(asked(QuestionKind.TEXT),))
    with pytest.raises(AnswerError, match="characters that cannot be stored"):
        check_answers(text, [Answer("q", 0, "a\ud800")], FRAME)
