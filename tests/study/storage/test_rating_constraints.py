"""The database itself refuses a rating that must not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from study.domain.protocol import Protocol
from study.domain.questions import CATALOG, question_from
from study.domain.terms import Status
from study.reading import consent
from study.storage.models import Presentation, Question
from study.storage.store import Store
from tests.support.constrained_study import PROTOCOL, next_row, other_values
from tests.support.tampering import insert_sql, is_sqlite, refusal
from tests.support.tiny_study import reader_ids, tiny_study

RATINGS: tuple[tuple[str, str | dict[str, Any], str], ...] = (
    ("another's pair", "R02", "not the reader's"),
    ("a reader put aside", "R03's", "not the reader's"),
    ("consent withdrawn", "R02's", "consent"),
    ("above the scale", {"value_num": 6.0}, "outside the scale"),
    ("below the scale", {"value_num": 0.0}, "outside the scale"),
    ("beyond a preference", "preference 2", "outside the scale"),
    ("between points", {"value_num": 3.5}, "whole number"),
    ("a text for a number", {"value_num": "good"}, "whole number|outside the scale|invalid input"),
    ("infinite", {"value_num": float("inf")}, "outside the scale"),
    ("another text", {"value_num": None, "value_text": "perhaps"}, "point of the scale"),
    ("two values", {"value_text": "cannot judge"}, "one_value"),
    ("no value", {"value_num": None}, "one_value"),
    ("slot of a pair", {"slot": 2}, "slot does not fit"),
    ("slot of an image", "preference", "slot does not fit"),
    ("no such question", {"question_id": "none"}, "not of this study"),
    ("no such pair", {"presentation_id": "none"}, "not open"),
    ("revision skipped", {"revision": 2, "reason": "late"}, "next revision"),
    ("revision 1 again", "rated pair", "next revision"),
    ("number skipped", {"seq": 99}, "without a gap"),
    ("number again", {"seq": 1}, "without a gap"),
    ("chain broken", {"prev_hash": "0" * 64}, "continues the chain"),
    ("identifier again", "same id", "exists already"),
    ("hash again", "same hash", "exists already"),
    ("key again", "same key", "exists already"),
    ("version before", {"protocol_version": 1}, "present version"),
    ("no version", {"protocol_version": None}, "present version"),
)


def test_the_rating_that_the_others_differ_from_is_taken(ruled: Store) -> None:
    row = next_row(ruled)
    assert refusal(ruled, insert_sql("rating_event", row), **row) == ""
    row |= {"value_num": None, "value_text": "cannot judge"}
    assert refusal(ruled, insert_sql("rating_event", row), **row) == ""


@pytest.mark.parametrize(("change", "message"), [one[1:] for one in RATINGS],
                         ids=[one[0] for one in RATINGS])  # fmt: skip
def test_a_rating_is_refused(ruled: Store, change: str | dict[str, Any], message: str) -> None:
    row = next_row(ruled) | (other_values(ruled)[change] if isinstance(change, str) else change)
    said = refusal(ruled, insert_sql("rating_event", row), **row)
    assert any(part in said for part in message.split("|")), said
    if is_sqlite(ruled):
        # The form that deletes what is in the way says the same.
        row_or = insert_sql("rating_event", row, "INSERT OR REPLACE")
        assert refusal(ruled, row_or, **row)


def test_a_correction_needs_its_reason(ruled: Store) -> None:
    row = next_row(ruled) | other_values(ruled)["rated pair"] | {"revision": 2}
    assert "reason" in refusal(ruled, insert_sql("rating_event", row), **row)
    row |= {"reason": "mistyped"}
    assert refusal(ruled, insert_sql("rating_event", row), **row) == ""


@pytest.mark.parametrize("status", [Status.DRAFT, Status.FROZEN, Status.CLOSED])
def test_no_rating_is_taken_unless_the_study_is_open(
    tmp_path: Path, url: str | None, status: Status
) -> None:
    store = tiny_study(tmp_path / "s", pairs=2, status=status, url=url)
    row = next_row(store)
    assert "the study is not open" in refusal(store, insert_sql("rating_event", row), **row)
    store.close()


def test_no_rating_is_taken_without_consent_or_without_cannot_judge(
    tmp_path: Path, url: str | None
) -> None:
    questions = tuple(
        one if one.code != "quality" else Protocol().question("quality").__class__(
            "quality", "Quality", cannot_judge=False
        )
        for one in PROTOCOL.questions
    )  # fmt: skip
    protocol = PROTOCOL.with_(questions=questions)
    store = tiny_study(tmp_path / "s", pairs=2, consent=False, protocol=protocol, url=url)
    row = next_row(store)
    assert "consent is missing" in refusal(store, insert_sql("rating_event", row), **row)
    with store.write() as session:
        consent.accept(session, row["actor_id"], "c" * 64)
    assert refusal(store, insert_sql("rating_event", row), **row) == ""
    row |= {"value_num": None, "value_text": "cannot judge"}
    assert "point of the scale" in refusal(store, insert_sql("rating_event", row), **row)
    store.close()


DRAWN: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("a number for a drawing", {"value_num": 0.0, "value_text": None}, "has no scale"),
    ("a text that is no object", {"value_text": "45"}, "wants a point of the scale"),
)


def test_a_drawing_is_a_json_object(tmp_path: Path, url: str | None) -> None:
    angle = question_from({"code": "angle", "text": "?", "kind": "angle", "cannot_judge": False})
    protocol = Protocol(readers=1, questions=(CATALOG[0], angle))
    store = tiny_study(tmp_path / "s", readers=1, pairs=2, protocol=protocol, url=url)
    with store.read() as session:
        question = session.scalars(select(Question.id).where(Question.code == "angle")).one()
        shown = session.scalars(select(Presentation.id)).first()
        reader = reader_ids(session)[0]
    row = {
        "seq": 1, "id": "r", "presentation_id": shown, "question_id": question, "slot": 0,
        "value_num": None, "value_text": '{"points":[]}', "revision": 1, "reason": None,
        "idempotency_key": "raw", "server_at": "2026-01-01T00:00:00.000000Z", "actor_id": reader,
        "prev_hash": "0" * 64, "row_hash": "e" * 64,
        "protocol_version": 1,
    }  # fmt: skip
    for _, change, message in DRAWN:
        assert message in refusal(store, insert_sql("rating_event", row), **row | change)
    withheld = row | {"value_text": "cannot judge"}
    assert "wants a point" in refusal(store, insert_sql("rating_event", row), **withheld)
    assert refusal(store, insert_sql("rating_event", row), **row) == ""
    store.close()
