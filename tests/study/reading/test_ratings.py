"""What a reader submits is stored once, whole and as given, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from study.domain.answers import Answer
from study.domain.errors import AlreadyAnswered, AnswerError, NotYourPresentation
from study.domain.questions import LEFT, PAIR, RIGHT
from study.domain.terms import Status
from study.reading.ratings import Receipt
from study.storage.integrity import verify
from study.storage.models import Comment
from tests.support.submissions import ANSWERS, KEY, PROTOCOL, Desk
from tests.support.tiny_study import tiny_answers, tiny_study


def test_answers_are_stored_as_given(desk: Desk) -> None:
    answers = (
        Answer("quality", LEFT, 1), Answer("quality", RIGHT, 5), Answer("fidelity", LEFT, None),
        Answer("fidelity", RIGHT, 2), Answer("preference", PAIR, -1),
    )  # fmt: skip
    receipt = desk.submit(answers=answers, visible_ms=2000, first_ms=700, comment=" streaks\n")
    assert receipt == Receipt(receipt.presentation_id, 1, repeated=False)
    rows = desk.rows()
    assert [(row.slot, row.value_num, row.value_text) for row in rows] == [
        (LEFT, 1.0, None), (RIGHT, 5.0, None), (LEFT, None, "cannot judge"), (RIGHT, 2.0, None),
        (PAIR, -1.0, None),
    ]  # fmt: skip
    assert {(row.presentation_id, row.actor_id, row.revision, row.reason) for row in rows} == {
        (receipt.presentation_id, desk.readers[0], 1, None)
    }
    assert {(row.client_visible_ms, row.client_first_ms) for row in rows} == {(2000, 700)}
    with desk.store.read() as session:
        assert session.scalars(select(Comment.text)).one() == "streaks"
    assert verify(desk.store).ok


def test_pairs_have_their_turns(desk: Desk) -> None:
    for pair in range(3):
        assert desk.turn() == desk.tokens[0][pair]
        if pair < 2:
            desk.refuses(NotYourPresentation, "turn", pair=pair + 1)
        desk.submit(pair)
    assert desk.turn() is None
    assert desk.turn(1) == desk.tokens[1][0]


def test_the_same_submission_again_changes_nothing(desk: Desk) -> None:
    first = desk.submit()
    rows = len(desk.rows())
    assert desk.submit() == Receipt(first.presentation_id, 1, repeated=True)
    # Also later, with other answers, and after the study was closed.
    desk.submit(1)
    with desk.store.write() as session:
        desk.store.set_status(session, Status.CLOSED, "me")
    assert desk.submit(answers=tiny_answers(PROTOCOL, 5)).repeated
    assert len(desk.rows()) == 2 * rows


def test_a_second_submission_is_refused(desk: Desk) -> None:
    desk.submit()
    desk.refuses(AlreadyAnswered, "answered already", idempotency_key="another key")
    desk.submit(1)
    desk.refuses(AlreadyAnswered, "answered already", idempotency_key="another key")


def test_a_key_serves_one_pair(desk: Desk) -> None:
    desk.submit(idempotency_key=KEY)
    desk.refuses(AlreadyAnswered, "another pair", pair=1, idempotency_key=KEY)
    desk.refuses(AlreadyAnswered, "another pair", reader=1, idempotency_key=KEY)


def test_the_token_of_another_reader_is_refused(desk: Desk) -> None:
    desk.refuses(NotYourPresentation, "not yours", token=desk.tokens[1][0])
    desk.refuses(NotYourPresentation, "not yours", token="x" * 22)
    desk.submit()
    # Who copies a submission of somebody else learns nothing from it.
    desk.refuses(NotYourPresentation, "not yours", reader=1, token=desk.tokens[0][0],
                 idempotency_key="submission 0 0")  # fmt: skip


def test_the_last_answers_can_be_corrected_with_a_reason(desk: Desk) -> None:
    desk.submit()
    better = tiny_answers(PROTOCOL, 4)
    receipt = desk.submit(answers=better, idempotency_key="once more 1", reason=" slipped ")
    assert receipt.revision == 2
    assert desk.submit(answers=better, idempotency_key="once more 2", reason="twice").revision == 3
    rows = desk.rows()
    assert [(row.revision, row.reason) for row in rows[::5]] == [
        (1, None), (2, "slipped"), (3, "twice")]  # fmt: skip
    assert [row.value_num for row in rows[::5]] == [3.0, 4.0, 4.0]
    assert desk.turn() == desk.tokens[0][1]


def test_only_the_last_answers_can_be_corrected(desk: Desk) -> None:
    desk.refuses(AnswerError, "nothing to correct", reason="slipped")
    desk.submit()
    desk.refuses(AnswerError, "Say why", reason="  ", idempotency_key=KEY)
    desk.submit(1)
    desk.refuses(AlreadyAnswered, "answered last", reason="slipped", idempotency_key=KEY)
    desk.submit(2)
    assert desk.submit(2, reason="slipped", idempotency_key=KEY).revision == 2


BAD_ANSWERS = {
    "one is missing": (ANSWERS[:-1], "No answer to preference for the pair"),
    "one side is missing": (ANSWERS[1:], "No answer to quality for the left image"),
    "one is double": ((*ANSWERS, ANSWERS[0]), "not asked for"),
    "one is unknown": ((*ANSWERS, Answer("taste", LEFT, 1)), "not asked for"),
    "a slot is unknown": ((*ANSWERS, Answer("quality", 7, 1)), "not asked for"),
    "too high": (tiny_answers(PROTOCOL, 6), "6 is not on the scale of quality: 1 to 5"),
    "too low": (tiny_answers(PROTOCOL, 0), "0 is not on the scale"),
    "a fraction": (tiny_answers(PROTOCOL, 3.0), "3.0 is not on the scale"),  # type: ignore[arg-type]
    "a truth": (tiny_answers(PROTOCOL, True), "True is not on the scale"),
    "a preference of 2": ((*ANSWERS[:-1], Answer("preference", PAIR, 2)), "scale of preference"),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_answers_that_do_not_fit_are_refused(desk: Desk, name: str) -> None:
    answers, message = BAD_ANSWERS[name]
    desk.refuses(AnswerError, message, answers=answers)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"idempotency_key": "short"}, "random key"),
        ({"idempotency_key": "x" * 101}, "random key"),
        ({"idempotency_key": "with \x00 inside"}, "random key"),
        ({"visible_ms": -1}, "-1 ms"),
        ({"first_ms": 2**40}, "ms is not possible"),
        ({"visible_ms": 1.5}, "1.5 ms"),
        ({"comment": "x" * 2001}, "2001 characters"),
        ({"comment": "a\x00b"}, "cannot be stored"),
        ({"comment": "half \ud83d"}, "cannot be stored"),
        ({"reason": "x" * 2001}, "The reason has 2001"),
    ],
)
def test_what_surrounds_the_answers_is_checked(
    desk: Desk, changes: dict[str, Any], message: str
) -> None:
    desk.refuses(AnswerError, message, **changes)


def test_a_comment_may_have_any_letters(desk: Desk) -> None:
    desk.submit(comment="Ödem? 部分的 🩻 'quoted' %s :x")
    with desk.store.read() as session:
        assert session.scalars(select(Comment.text)).one() == "Ödem? 部分的 🩻 'quoted' %s :x"


def test_judging_may_be_asked_of_the_reader(tmp_path: Path) -> None:
    first, *others = PROTOCOL.questions
    must = PROTOCOL.with_(
        questions=(type(first)("quality", "Quality", cannot_judge=False), *others)
    )
    desk = Desk(tiny_study(tmp_path / "s", readers=2, pairs=1, protocol=must))
    desk.refuses(AnswerError, "quality must be judged", answers=tiny_answers(must, None))
