"""The database itself refuses what must not be, whatever program asks."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from study.domain.terms import Status
from study.reading.ratings import record
from study.storage import triggers
from study.storage.constraints import APPEND_ONLY, constraints
from study.storage.models import Comment
from study.storage.store import Store
from tests.study.storage.test_rating_constraints import DRAWN, RATINGS
from tests.support.tampering import copy_sql, insert_sql, is_sqlite, refusal, run
from tests.support.tiny_study import reader_ids, tiny_answers, tiny_study, tokens

PLAN = "fixed when the study is frozen"
CHAINED = {"rating_event", "audit_event", "row_event"}
NEW = "'new'"

STATEMENTS: tuple[tuple[str, str, str, str], ...] = (
    *((name, "UPDATE", f"UPDATE {name} SET {column} = {column}", "never changed")
      for name, column in (("schema_version", "version"), ("rating_event", "value_num"),
                           ("audit_event", "actor"), ("consent", "action"), ("comment", "text"),
                           ("display_check", "passed"), ("blinding_guess", "guess"),
                           ("interaction_event", "kind"), ("exclusion", "reason"),
                           ("analysis_run", "kind"), ("reader_change", "text"),
                           ("image_event", "kind"), ("row_event", "rows_json"),
                           ("qualification_result", "passed"), ("protocol_version", "reason"))),
    *((name, "DELETE", f"DELETE FROM {name}", "never changed") for name in APPEND_ONLY),
    *((name, "INSERT", copy_sql(name), "exists already")
      for name in APPEND_ONLY if name not in CHAINED),
    *((name, "DELETE", f"DELETE FROM {name}", PLAN)
      for name in ("question", "method", "item", "stimulus", "presentation", "presentation_slot",
                   "reader", "reading_session")),
    *((name, "INSERT", copy_sql(name, id=NEW), PLAN)
      for name in ("question", "method", "item", "stimulus", "presentation",
                   "reading_session")),
    ("presentation_slot", "INSERT", copy_sql("presentation_slot", slot="1"), PLAN),
    ("question", "UPDATE", "UPDATE question SET text = 'other'", PLAN),
    ("method", "UPDATE", "UPDATE method SET mask = 'M9' WHERE mask = 'M1'", PLAN),
    ("item", "UPDATE", "UPDATE item SET patient_key = 'P999'", PLAN),
    ("stimulus", "UPDATE", "UPDATE stimulus SET pixel_sha256 = 'other'", PLAN),
    ("presentation", "UPDATE", "UPDATE presentation SET position = position + 100", PLAN),
    ("presentation_slot", "UPDATE", "UPDATE presentation_slot SET slot = 1 - slot", PLAN),
    ("reader", "UPDATE", "UPDATE reader SET id = 'x' WHERE code = 'R01'", PLAN),
    ("reader", "UPDATE", "UPDATE reader SET code = 'R99' WHERE code = 'R01'", "has joined"),
    *(("reader_change", "INSERT", copy_sql("reader_change", id=NEW, **changed), message)
      for changed, message in (
          ({"kind": "'added'"}, "for a new reader"),
          ({"kind": "'planned'"}, "no plan to be fixed"),
          ({"kind": "'extended'", "reader_id": "'nobody'"}, "added to a plan that is fixed"),
          ({"other_id": "reader_id"}, "replaced once"),
      )),
    ("protocol_version", "INSERT", copy_sql("protocol_version", id=NEW, number="7"),
     "without a gap"),
    ("qualification_result", "INSERT",
     "INSERT INTO qualification_result (id, session_id, correct, asked, passed, at) "
     "SELECT 'x', id, 1, 1, TRUE, 'x' FROM reading_session WHERE number = 1",
     "no attempt at the qualification"),
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


@pytest.mark.parametrize(
    ("table", "event", "statement", "message"),
    STATEMENTS,
    ids=[f"{place}-{one[0]}-{one[1].lower()}" for place, one in enumerate(STATEMENTS)],
)
def test_a_statement_is_refused(
    ruled: Store, table: str, event: str, statement: str, message: str
) -> None:
    said = refusal(ruled, statement)
    assert said.startswith(f"{table}: "), said
    assert message in said


@pytest.mark.parametrize("table", ["audit_event", "row_event"])
def test_an_event_continues_its_chain(ruled: Store, table: str) -> None:
    copied = {"id": NEW, "row_hash": "'other'"}
    after = {"seq": f"(SELECT MAX(seq) + 1 FROM {table})"}
    last = {"prev_hash": f"(SELECT row_hash FROM {table} ORDER BY seq DESC LIMIT 1)"}
    assert refusal(ruled, copy_sql(table, **copied, **after, **last)) == ""
    assert "without a gap" in refusal(ruled, copy_sql(table, **copied, **last))
    assert "continues" in refusal(ruled, copy_sql(table, **copied, **after))
    same = {"id": "id", "row_hash": "'other'"}
    assert "exists already" in refusal(ruled, copy_sql(table, **same, **after, **last))


def test_a_withdrawal_is_final_and_comments_are_on_own_pairs(ruled: Store) -> None:
    with ruled.read() as session:
        one, two, _ = reader_ids(session)
        shown = session.scalars(select(Comment.presentation_id)).one()
    again = {"id": "c1", "reader_id": two, "action": "accepted", "text_sha256": "c", "at": "x"}
    assert "withdrawal is final" in refusal(ruled, insert_sql("consent", again), **again)
    comment = {"id": "c2", "presentation_id": shown, "reader_id": one, "text": "x", "at": "x"}
    assert refusal(ruled, insert_sql("comment", comment), **comment) == ""
    comment |= {"reader_id": two}
    assert "not the reader's" in refusal(ruled, insert_sql("comment", comment), **comment)


def test_what_changes_while_readers_read_may_change(ruled: Store) -> None:
    for statement in (
        "UPDATE reading_session SET not_before = 'a', started_at = 'b', finished_at = 'c'",
        "UPDATE reader SET secret_hash = 'a', invite_hash = NULL, generation = 3, active = FALSE",
        "UPDATE reader SET specialty = 'a', experience_years = 3, profile_json = '{}'",
        "UPDATE study SET status = 'closed'",
        "DELETE FROM ticket",
    ):
        assert refusal(ruled, statement) == "", statement


def test_nobody_joins_or_amends_a_closed_study(tmp_path: Path, url: str | None) -> None:
    store = tiny_study(tmp_path / "s", pairs=1, status=Status.CLOSED, url=url)
    assert PLAN in refusal(store, copy_sql("reader", id=NEW, code=NEW))
    assert "while the study is frozen or open" in refusal(
        store, "INSERT INTO protocol_version SELECT 'x', id, 2, protocol_json, protocol_sha256, 1, "
        "'x', 'x', 'x', 'x' FROM study",
    )  # fmt: skip
    store.close()


def test_a_late_plan_is_written_once_for_a_new_reader(tmp_path: Path, url: str | None) -> None:
    store = tiny_study(tmp_path / "s", pairs=1, url=url)
    session = copy_sql("reading_session", id=NEW, reader_id=NEW)
    slot = "INSERT INTO presentation_slot SELECT 'p', slot, stimulus_id FROM presentation_slot "
    shown = copy_sql("presentation", id="'p'", session_id=NEW, token="'123456789012345678901234'")
    change = "INSERT INTO reader_change SELECT '{0}', id, '{0}', {1}, '', 'x', 'now' FROM reader "
    with store.read() as reading:
        first = reader_ids(reading)[0]
    run(store, copy_sql("reader", id=NEW, code=NEW))
    assert PLAN in refusal(store, session)
    run(store, change.format("replaces", f"'{first}'") + "WHERE id = 'new'", session, shown,
        slot + "LIMIT 2")  # fmt: skip
    assert "stays switched off" in refusal(
        store, f"UPDATE reader SET active = (id <> '{first}')", "UPDATE reader SET active = TRUE"
    )
    run(store, change.format("planned", "NULL") + "WHERE id = 'new'")
    for statement in (copy_sql("presentation", id="'q'", session_id=NEW),
                      slot.replace("'p'", "'q'")):  # fmt: skip
        assert PLAN in refusal(store, statement)
    store.close()


def test_rows_cannot_be_replaced_by_any_way_around(ruled: Store) -> None:
    if not is_sqlite(ruled):
        for table in APPEND_ONLY:
            assert f"{table}: it is never emptied" in refusal(ruled, f"TRUNCATE {table} CASCADE")
        return
    for how in ("REPLACE", "IGNORE", "FAIL", "ROLLBACK"):
        statement = f"UPDATE OR {how} rating_event SET value_num = 1"
        assert "never changed" in refusal(ruled, statement), how
    by_rowid = (
        "INSERT OR REPLACE INTO comment (rowid, id, presentation_id, reader_id, text, at) "
        "SELECT rowid, 'new', presentation_id, reader_id, 'other', at FROM comment"
    )
    assert "exists already" in refusal(ruled, by_rowid)


def test_every_rule_is_provoked_by_a_test() -> None:
    provoked = [(table, event, message) for table, event, _, message in STATEMENTS]
    provoked += [("rating_event", "INSERT", message) for _, _, message in (*RATINGS, *DRAWN)]
    provoked += [
        *(
            (table, "INSERT", message)
            for table in ("audit_event", "row_event")
            for message in ("without a gap", "continues the chain", "exists already")
        ),
        ("consent", "INSERT", "withdrawal is final"),
        ("comment", "INSERT", "not the reader's"),
        ("reader", "INSERT", PLAN),
        ("reader", "UPDATE", "stays switched off"),
        ("protocol_version", "INSERT", "while the study is frozen or open"),
        ("rating_event", "INSERT", "has not qualified"),  # tests/study/reading/test_qualification
    ]
    for rule in constraints():
        assert any(
            (table, event) == (rule.table, rule.event) and message in rule.message
            for table, event, message in provoked
        ), rule


def test_a_draft_may_change(tmp_path: Path, url: str | None) -> None:
    store = tiny_study(tmp_path / "s", pairs=2, status=Status.DRAFT, url=url)
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
    store = tiny_study(tmp_path / "s", readers=1, pairs=2, url=url)
    protocol = store.protocol()
    with store.read() as session:
        one = reader_ids(session)[0]
        token = tokens(session, one)[0]
    for number, (value, reason) in enumerate(((2, None), (None, "slipped"))):
        record(store, reader_id=one, token=token, answers=tiny_answers(protocol, value),
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
    store = tiny_study(tmp_path / "s", pairs=1, url=url)
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
