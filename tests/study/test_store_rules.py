"""The database itself refuses what must not be, whatever program asks."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from study import ratings, triggers
from study.chain import head
from study.models import (
    AnalysisRun,
    BlindingGuess,
    Comment,
    DisplayCheck,
    Exclusion,
    InteractionEvent,
    Presentation,
    Question,
    RatingEvent,
    Stimulus,
)
from study.protocol import Protocol, Status
from study.ratings import record
from study.rules import APPEND_ONLY, rules
from study.store import Store
from study.toy import reader_ids, tokens, toy_answers, toy_study
from tests.study.outside import copy_sql, insert_sql, is_sqlite, refusal, run

PROTOCOL = Protocol(readers=3)
PLAN = "fixed when the study is frozen"
NEW = "'new'"

STATEMENTS: tuple[tuple[str, str, str, str], ...] = (
    *((name, "UPDATE", f"UPDATE {name} SET {column} = {column}", "never changed")
      for name, column in (("schema_version", "version"), ("rating_event", "value_num"),
                           ("audit_event", "actor"), ("consent", "action"), ("comment", "text"),
                           ("display_check", "passed"), ("blinding_guess", "guess"),
                           ("interaction_event", "kind"), ("exclusion", "reason"),
                           ("analysis_run", "kind"))),
    *((name, "DELETE", f"DELETE FROM {name}", "never changed") for name in APPEND_ONLY),
    *((name, "INSERT", copy_sql(name), "exists already")
      for name in APPEND_ONLY if name not in {"rating_event", "audit_event"}),
    *((name, "DELETE", f"DELETE FROM {name}", PLAN)
      for name in ("question", "method", "item", "stimulus", "presentation", "presentation_slot",
                   "reader", "reading_session")),
    *((name, "INSERT", copy_sql(name, id=NEW), PLAN)
      for name in ("question", "method", "item", "stimulus", "presentation", "reader",
                   "reading_session")),
    ("presentation_slot", "INSERT", copy_sql("presentation_slot", slot="1"), PLAN),
    ("question", "UPDATE", "UPDATE question SET text = 'other'", PLAN),
    ("method", "UPDATE", "UPDATE method SET mask = 'M9' WHERE mask = 'M1'", PLAN),
    ("item", "UPDATE", "UPDATE item SET patient_key = 'P999'", PLAN),
    ("stimulus", "UPDATE", "UPDATE stimulus SET pixel_sha256 = 'other'", PLAN),
    ("presentation", "UPDATE", "UPDATE presentation SET position = position + 100", PLAN),
    ("presentation_slot", "UPDATE", "UPDATE presentation_slot SET slot = 1 - slot", PLAN),
    ("reader", "UPDATE", "UPDATE reader SET code = 'R99' WHERE code = 'R01'", PLAN),
    ("reading_session", "UPDATE", "UPDATE reading_session SET number = number + 10", PLAN),
    ("reader", "UPDATE", "UPDATE reader SET simulated = FALSE WHERE code = 'R03'", "stays one"),
    ("study", "INSERT", copy_sql("study", id=NEW, code=NEW, status="'frozen'"), "as a draft"),
    ("study", "INSERT",
     copy_sql("study", id=NEW, code=NEW, status="'draft'", frozen_at="NULL"), "one study"),
    ("study", "DELETE", "DELETE FROM study", "never deleted"),
    ("study", "UPDATE", "UPDATE study SET status = 'frozen'", "step by step"),
    ("study", "UPDATE", "UPDATE study SET status = 'unblinded'", "step by step"),
    ("study", "UPDATE", "UPDATE study SET status = 'draft', frozen_at = NULL", "step by step"),
    *(("study", "UPDATE", f"UPDATE study SET {column} = 'other'", "protocol, seed and plan")
      for column in ("protocol_json", "protocol_sha256", "seed_sha256", "key_sha256",
                     "plan_sha256", "frozen_at", "code")),
)  # fmt: skip


@pytest.fixture(scope="module")
def store(module_path: Path, backend: str, module_url: str | None) -> Iterator[Store]:
    store = toy_study(module_path / backend, readers=3, pairs=3, protocol=PROTOCOL, url=module_url)
    with store.read() as session:
        one, two, three = reader_ids(session)
        token = tokens(session, one)[0]
    record(store, reader_id=one, token=token, answers=toy_answers(PROTOCOL),
           idempotency_key="first answers", comment="bright")  # fmt: skip
    with store.write() as session:
        ratings.withdraw(session, two, "c" * 64)
        shown = session.scalars(select(Presentation)).first()
        stimulus = session.scalars(select(Stimulus.id)).first()
        assert shown is not None
        assert stimulus is not None
        session.add_all([
            DisplayCheck(reader_id=one, passed=True, detail_json="{}"),
            BlindingGuess(reader_id=one, stimulus_id=stimulus, guess="0"),
            InteractionEvent(presentation_id=shown.id, kind="zoom", payload="", at_ms=1),
            Exclusion(study_id=store.study_id, target_kind="reader", target_id=three,
                      rule_code="x", prespecified=True, reason="x", decided_by="x"),
            AnalysisRun(study_id=store.study_id, kind="x", data_sha256="x", protocol_sha256="x",
                        code_version="x", libraries_json="{}", seed=0, unblinded=False,
                        result_json="{}"),
        ])  # fmt: skip
    run(store, "UPDATE reader SET simulated = TRUE, active = FALSE WHERE code = 'R03'")
    yield store
    store.close()


@pytest.mark.parametrize(
    ("table", "event", "statement", "message"),
    STATEMENTS,
    ids=[f"{place}-{one[0]}-{one[1].lower()}" for place, one in enumerate(STATEMENTS)],
)
def test_a_statement_is_refused(
    store: Store, table: str, event: str, statement: str, message: str
) -> None:
    said = refusal(store, statement)
    assert said.startswith(f"{table}: "), said
    assert message in said


def _next_row(store: Store) -> dict[str, Any]:
    """A rating that the database takes: R01's second pair."""
    with store.read() as session:
        one = reader_ids(session)[0]
        shown = session.scalars(
            select(Presentation.id).where(Presentation.token == tokens(session, one)[1])
        ).one()
        question = session.scalars(select(Question.id).where(Question.code == "quality")).one()
        last = head(session, RatingEvent)
    return {
        "seq": last.seq + 1, "id": str(uuid.uuid4()), "presentation_id": shown,
        "question_id": question, "slot": 0, "value_num": 4.0, "value_text": None, "revision": 1,
        "reason": None, "idempotency_key": "raw", "server_at": "2026-01-01T00:00:00.000000Z",
        "actor_id": one, "prev_hash": last.row_hash, "row_hash": "e" * 64,
    }  # fmt: skip


def _ids(store: Store) -> dict[str, Any]:
    """Values of other rows to put into a rating."""
    with store.read() as session:
        readers = reader_ids(session)
        shown = [
            session.scalars(select(Presentation.id).where(Presentation.token == token)).one()
            for reader in readers
            for token in tokens(session, reader)[:1]
        ]
        stored = session.scalars(select(RatingEvent).order_by(RatingEvent.seq)).first()
        preference = session.scalars(select(Question.id).where(Question.code == "preference")).one()
        assert stored is not None
        return {
            "R02": {"actor_id": readers[1]},
            "R02's": {"actor_id": readers[1], "presentation_id": shown[1]},
            "R03's": {"actor_id": readers[2], "presentation_id": shown[2]},
            "same id": {"id": stored.id},
            "same hash": {"row_hash": stored.row_hash},
            "same key": {"idempotency_key": stored.idempotency_key},
            "rated pair": {"presentation_id": shown[0]},
            "preference": {"question_id": preference},
            "preference 2": {"question_id": preference, "slot": 2, "value_num": 2.0},
        }


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
)


def test_the_rating_that_the_others_differ_from_is_taken(store: Store) -> None:
    row = _next_row(store)
    assert refusal(store, insert_sql("rating_event", row), **row) == ""
    row |= {"value_num": None, "value_text": "cannot judge"}
    assert refusal(store, insert_sql("rating_event", row), **row) == ""


@pytest.mark.parametrize(("change", "message"), [one[1:] for one in RATINGS],
                         ids=[one[0] for one in RATINGS])  # fmt: skip
def test_a_rating_is_refused(store: Store, change: str | dict[str, Any], message: str) -> None:
    row = _next_row(store) | (_ids(store)[change] if isinstance(change, str) else change)
    said = refusal(store, insert_sql("rating_event", row), **row)
    assert any(part in said for part in message.split("|")), said
    if is_sqlite(store):
        # The form that deletes what is in the way says the same.
        row_or = insert_sql("rating_event", row, "INSERT OR REPLACE")
        assert refusal(store, row_or, **row)


def test_a_correction_needs_its_reason(store: Store) -> None:
    row = _next_row(store) | _ids(store)["rated pair"] | {"revision": 2}
    assert "reason" in refusal(store, insert_sql("rating_event", row), **row)
    row |= {"reason": "mistyped"}
    assert refusal(store, insert_sql("rating_event", row), **row) == ""


def test_an_audit_event_continues_its_chain(store: Store) -> None:
    copied = {"id": NEW, "row_hash": "'other'"}
    after = {"seq": "(SELECT MAX(seq) + 1 FROM audit_event)"}
    last = {"prev_hash": "(SELECT row_hash FROM audit_event ORDER BY seq DESC LIMIT 1)"}
    assert refusal(store, copy_sql("audit_event", **copied, **after, **last)) == ""
    assert "without a gap" in refusal(store, copy_sql("audit_event", **copied, **last))
    assert "continues" in refusal(store, copy_sql("audit_event", **copied, **after))
    same = {"id": "id", "row_hash": "'other'"}
    assert "exists already" in refusal(store, copy_sql("audit_event", **same, **after, **last))


def test_a_withdrawal_is_final_and_comments_are_on_own_pairs(store: Store) -> None:
    with store.read() as session:
        one, two, _ = reader_ids(session)
        shown = session.scalars(select(Comment.presentation_id)).one()
    again = {"id": "c1", "reader_id": two, "action": "accepted", "text_sha256": "c", "at": "x"}
    assert "withdrawal is final" in refusal(store, insert_sql("consent", again), **again)
    comment = {"id": "c2", "presentation_id": shown, "reader_id": one, "text": "x", "at": "x"}
    assert refusal(store, insert_sql("comment", comment), **comment) == ""
    comment |= {"reader_id": two}
    assert "not the reader's" in refusal(store, insert_sql("comment", comment), **comment)


def test_what_changes_while_readers_read_may_change(store: Store) -> None:
    for statement in (
        "UPDATE reading_session SET not_before = 'a', started_at = 'b', finished_at = 'c'",
        "UPDATE reader SET secret_hash = 'a', invite_hash = NULL, generation = 3, active = FALSE",
        "UPDATE reader SET specialty = 'a', experience_years = 3, profile_json = '{}'",
        "UPDATE study SET status = 'closed'",
        "DELETE FROM ticket",
    ):
        assert refusal(store, statement) == "", statement


def test_rows_cannot_be_replaced_by_any_way_around(store: Store) -> None:
    if not is_sqlite(store):
        for table in APPEND_ONLY:
            assert f"{table}: it is never emptied" in refusal(store, f"TRUNCATE {table} CASCADE")
        return
    for how in ("REPLACE", "IGNORE", "FAIL", "ROLLBACK"):
        statement = f"UPDATE OR {how} rating_event SET value_num = 1"
        assert "never changed" in refusal(store, statement), how
    by_rowid = (
        "INSERT OR REPLACE INTO comment (rowid, id, presentation_id, reader_id, text, at) "
        "SELECT rowid, 'new', presentation_id, reader_id, 'other', at FROM comment"
    )
    assert "exists already" in refusal(store, by_rowid)


def test_every_rule_is_provoked_by_a_test() -> None:
    provoked = [(table, event, message) for table, event, _, message in STATEMENTS]
    provoked += [("rating_event", "INSERT", message) for _, _, message in RATINGS]
    provoked += [
        ("audit_event", "INSERT", "without a gap"),
        ("audit_event", "INSERT", "continues the chain"),
        ("audit_event", "INSERT", "exists already"),
        ("consent", "INSERT", "withdrawal is final"),
        ("comment", "INSERT", "not the reader's"),
    ]
    for rule in rules():
        assert any(
            (table, event) == (rule.table, rule.event) and message in rule.message
            for table, event, message in provoked
        ), rule


@pytest.mark.parametrize("status", [Status.DRAFT, Status.FROZEN, Status.CLOSED])
def test_no_rating_is_taken_unless_the_study_is_open(
    tmp_path: Path, url: str | None, status: Status
) -> None:
    store = toy_study(tmp_path / "s", pairs=2, status=status, url=url)
    row = _next_row(store)
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
    store = toy_study(tmp_path / "s", pairs=2, consent=False, protocol=protocol, url=url)
    row = _next_row(store)
    assert "consent is missing" in refusal(store, insert_sql("rating_event", row), **row)
    with store.write() as session:
        ratings.accept(session, row["actor_id"], "c" * 64)
    assert refusal(store, insert_sql("rating_event", row), **row) == ""
    row |= {"value_num": None, "value_text": "cannot judge"}
    assert "point of the scale" in refusal(store, insert_sql("rating_event", row), **row)
    store.close()


def test_a_draft_may_change(tmp_path: Path, url: str | None) -> None:
    store = toy_study(tmp_path / "s", pairs=2, status=Status.DRAFT, url=url)
    for statement in (
        "UPDATE question SET text = 'other'",
        "UPDATE presentation SET position = position + 100",
        "DELETE FROM presentation_slot",
        "UPDATE study SET protocol_json = '{}', plan_sha256 = 'x', key_sha256 = 'y'",
        "UPDATE study SET status = 'frozen', frozen_at = 'now', plan_sha256 = 'x'",
    ):
        assert refusal(store, statement) == "", statement
    store.close()


def test_views_show_the_last_answers_and_nothing_that_unblinds(
    tmp_path: Path, url: str | None
) -> None:
    store = toy_study(tmp_path / "s", readers=1, pairs=2, url=url)
    protocol = store.protocol()
    with store.read() as session:
        one = reader_ids(session)[0]
        token = tokens(session, one)[0]
    for number, (value, reason) in enumerate(((2, None), (None, "slipped"))):
        record(store, reader_id=one, token=token, answers=toy_answers(protocol, value),
               idempotency_key=f"answers {number}", reason=reason)  # fmt: skip
    with store.read() as session:
        connection = session.connection()
        current = connection.exec_driver_sql("SELECT * FROM rating_current").mappings().all()
        blind = connection.exec_driver_sql("SELECT * FROM rating_blind").mappings().all()
    assert len(current) == 5
    assert {row["revision"] for row in current} == {2}
    assert len(blind) == 10
    assert sum(bool(row["missing"]) for row in blind) == 4
    assert not {"value_num", "value_text", "slot", "item_id", "stimulus_id"} & set(blind[0])
    store.close()


def test_a_rule_that_was_dropped_or_changed_is_missed(tmp_path: Path, url: str | None) -> None:
    store = toy_study(tmp_path / "s", pairs=1, url=url)
    name = "keep_rating_event_update"
    with store.read() as session:
        assert triggers.missing(session.connection()) == []
    if is_sqlite(store):
        softer = (
            f"CREATE TRIGGER {name} BEFORE UPDATE ON rating_event WHEN FALSE "
            "BEGIN SELECT RAISE(ABORT, 'x'); END"
        )
        run(store, f"DROP TRIGGER {name}", softer)
    else:
        run(store, f"ALTER TABLE rating_event DISABLE TRIGGER {name}")
    with store.read() as session:
        assert triggers.missing(session.connection()) == [name]
    store.close()
