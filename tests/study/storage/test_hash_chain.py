"""A change of what was written shows, and the first broken row is named."""

from __future__ import annotations

import json
import math
import shutil
import threading
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from study.domain.errors import LogConflict, StoreError
from study.domain.terms import Status
from study.reading.presentation import note
from study.reading.ratings import record
from study.storage import integrity
from study.storage.hash_chain import (
    GENESIS,
    TABLES,
    ChainHead,
    audit,
    canonical,
    chain_head,
    row_hash,
)
from study.storage.integrity import require_intact, verify
from study.storage.models import RatingEvent, Reader, Stimulus
from study.storage.store import Store
from tests.support.tampering import new_chain, new_mirror, run, tamper
from tests.support.tiny_study import reader_ids, tiny_answers, tiny_study, tokens

ROWS_A_PAIR = 5


def rated(
    folder: Path, url: str | None = None, pairs: int = 4, mirror: Path | None = None
) -> Store:
    """A study in which the first reader has answered all but the last pair."""
    store = tiny_study(folder, readers=2, pairs=pairs, url=url, mirror=mirror)
    rate(store, pairs - 1)
    return store


def rate(store: Store, count: int) -> None:
    """Let the first reader answer so many pairs."""
    with store.read() as session:
        one = reader_ids(session)[0]
        every = tokens(session, one)
        done = len(set(session.scalars(select(RatingEvent.presentation_id))))
    answers = tiny_answers(store.protocol())
    for token in every[done : done + count]:
        record(store, reader_id=one, token=token, answers=answers, idempotency_key=f"key {token}")


TABLE = TABLES[0]
_NO_LIFE = "UPDATE audit_event SET detail = 'none' WHERE action IN ('frozen', 'open')"


def test_a_row_hash_depends_on_every_column_and_the_row_before() -> None:
    row = {"prev_hash": GENESIS, "seq": 1, "value_num": 3.0, "text": "µ"}
    changes = ({"prev_hash": "1" * 64}, {"seq": 2}, {"value_num": 3.5}, {"text": "u"}, {"x": None})
    assert len({row_hash(TABLE, row), *(row_hash(TABLE, row | one) for one in changes)}) == 6
    reverse = dict(reversed(row.items()))
    assert canonical(TABLE, row | {"row_hash": "x"}) == canonical(TABLE, reverse)


def test_an_untouched_study_is_intact(tmp_path: Path, url: str | None) -> None:
    store = rated(tmp_path / "s", url)
    verdict = verify(store)
    assert verdict.ok, verdict
    assert verdict.first_broken is None
    assert verdict.head.startswith(f"{3 * ROWS_A_PAIR}-3-")
    assert verdict == require_intact(store)
    assert "are intact" in verdict.as_text()
    store.close()
    again = Store.open(tmp_path / "s", url=url)
    assert verify(again) == verdict
    again.close()


TAMPERED = {
    "a value": (("UPDATE rating_event SET value_num = 5 WHERE seq = 7",), "rating_event row 7"),
    "a side": (("UPDATE rating_event SET slot = 2 WHERE seq = 6",), "rating_event row 6"),
    "a time": (("UPDATE rating_event SET server_at = 'x' WHERE seq = 9",), "rating_event row 9"),
    "a row less": (("DELETE FROM rating_event WHERE seq = 8",), "rating_event row 8"),
    "the end": (("DELETE FROM rating_event WHERE seq > 10",), "rating_event row 11"),
    "an exchange": (
        ("UPDATE rating_event SET seq = 99 WHERE seq = 3",
         "UPDATE rating_event SET seq = 3 WHERE seq = 4",
         "UPDATE rating_event SET seq = 4 WHERE seq = 99"),
        "rating_event row 3",
    ),
    "an event": (("UPDATE audit_event SET actor = 'you' WHERE seq = 2",), "audit_event row 2"),
    "the last event": (("DELETE FROM audit_event WHERE seq = 3",), "audit_event row 3"),
    "a hash": (("UPDATE rating_event SET row_hash = 'x' WHERE seq = 5",), "rating_event row 5"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_changed_is_named(tmp_path: Path, url: str | None, name: str) -> None:
    store = rated(tmp_path / "s", url)
    statements, place = TAMPERED[name]
    tamper(store, *statements)
    verdict = verify(store)
    assert not verdict.ok
    assert verdict.first_broken == place, verdict
    assert verdict.problems[0].startswith(place)
    assert place in verdict.as_text()
    with pytest.raises(StoreError, match=place):
        require_intact(store)
    store.close()


def test_a_chain_computed_anew_shows_against_the_mirror(tmp_path: Path, url: str | None) -> None:
    store = rated(tmp_path / "s", url)
    tamper(store, "UPDATE rating_event SET value_num = 5 WHERE seq = 7")
    new_chain(store)
    verdict = verify(store)
    assert verdict.first_broken == "rating_event row 7"
    assert "mirror" in verdict.problems[0]
    store.close()
    # A new mirror does not replace one that knows better.
    with pytest.raises(LogConflict, match="rating_event row"):
        Store.open(tmp_path / "s", url=url, mirror=tmp_path / "fresh.jsonl")
    assert not (tmp_path / "fresh.jsonl").exists()


def test_a_changed_mirror_shows(tmp_path: Path) -> None:
    store = rated(tmp_path / "s")
    lines = store.mirror.read_text().splitlines(keepends=True)
    place = next(n for n, text in enumerate(lines) if '"seq":4,' in text and "rating" in text)
    lines[place] = lines[place].replace('"value_num":3.0', '"value_num":1.0')
    store.mirror.write_text("".join(["not a line\n", *lines]))
    verdict = verify(Store.open(tmp_path / "s"))
    assert verdict.first_broken == "rating_event row 4"
    assert any("Line 1 of the mirror" in problem for problem in verdict.problems)


def test_a_gap_in_the_mirror_shows(tmp_path: Path) -> None:
    store = rated(tmp_path / "s")
    lines = store.mirror.read_text().splitlines(keepends=True)
    store.mirror.write_text("".join(line for line in lines if '"seq":4,' not in line[:60]))
    assert verify(Store.open(tmp_path / "s")).first_broken == "rating_event row 4"


def test_rules_protocol_and_images_are_checked_too(tmp_path: Path) -> None:
    store = rated(tmp_path / "s")
    run(store, "DROP TRIGGER keep_comment_delete")
    tamper(store, "UPDATE study SET protocol_json = replace(protocol_json, 'Reader', 'Other')")
    tamper(store, "INSERT INTO consent VALUES ('c', 'nobody', 'accepted', 'x', 'now')")
    with store.read() as session:
        files = session.scalars(select(Stimulus.file)).all()
    (store.stimuli / files[0]).write_bytes(b"other pixels")
    verdict = verify(store, images=True)
    problems = "\n".join(verdict.problems)
    assert verdict.first_broken is None
    assert "keep_comment_delete" in problems
    assert "The protocol was changed" in problems
    assert "consent belongs to a row of reader that is not there" in problems
    assert f"{files[0]} is not the one" in problems
    assert f"{files[1]} cannot be read" in problems


def test_the_mirror_has_every_row_and_is_read_without_this_program(tmp_path: Path) -> None:
    store = rated(tmp_path / "s")
    lines = [json.loads(line) for line in store.mirror.read_text().splitlines()]
    with store.read() as session:
        for table in TABLES:
            rows = session.execute(select(table).order_by(table.c.seq)).mappings().all()
            mine = [line for line in lines if line["table"] == table.name]
            assert [line["row"] | {"row_hash": line["row_hash"]} for line in mine] == [
                dict(row) for row in rows
            ]


@pytest.mark.parametrize("kept", [1000, -1, -30])
def test_a_mirror_cut_off_anywhere_is_completed_and_the_audit_log_says_so(
    tmp_path: Path, kept: int
) -> None:
    store = rated(tmp_path / "s")
    store.close()
    whole = store.mirror.read_bytes()
    store.mirror.write_bytes(whole[:kept])
    again = Store.open(tmp_path / "s")
    assert again.log_problem == ""
    more = set(again.mirror.read_bytes().splitlines()) - set(whole.splitlines())
    assert len(more) == 1
    assert b"complete mirror" in more.pop()
    assert set(again.mirror.read_bytes().splitlines()) > set(whole.splitlines())
    verdict = verify(again)
    assert verdict.ok
    assert "lacked was copied from the database on 20" in verdict.as_text()
    again.close()
    assert "lacked" in verify(Store.open(tmp_path / "s")).as_text()


def test_lines_that_are_cut_off_while_the_program_runs_are_noticed(tmp_path: Path) -> None:
    store = rated(tmp_path / "s", pairs=6)
    lines = store.mirror.read_bytes().splitlines(keepends=True)
    store.mirror.write_bytes(b"".join(lines[:-ROWS_A_PAIR]))
    rate(store, 1)
    verdict = verify(store)
    assert verdict.ok
    assert "lines that were cut off" in verdict.as_text()
    assert set(store.mirror.read_bytes().splitlines(keepends=True)) > set(lines)


def test_two_programs_write_one_mirror(tmp_path: Path, url: str | None) -> None:
    one = rated(tmp_path / "s", url)
    two = Store.open(tmp_path / "s", url=url)
    for store in (one, two, two, one, two):
        with store.write() as session:
            audit(session, "me", "turn")
    assert verify(one).ok
    assert verify(two).ok
    assert sum("turn" in line for line in one.mirror.read_text().splitlines()) == 5
    one.close()
    two.close()


def test_ratings_go_on_while_the_disk_of_the_mirror_is_away(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    store = rated(tmp_path / "s", pairs=6, mirror=disk / "log.jsonl")
    shutil.move(disk, tmp_path / "away")
    with store.write() as session:
        audit(session, "me", "while away")
    assert "cannot be written" in store.log_problem
    assert not verify(store).ok
    shutil.move(tmp_path / "away", disk)
    rate(store, 1)
    assert store.log_problem == ""
    assert "while away" in store.mirror.read_text()
    assert Store.open(tmp_path / "s").log_problem == ""
    assert verify(store).ok


def test_an_older_state_put_back_is_noticed_and_nothing_more_is_written(tmp_path: Path) -> None:
    store = rated(tmp_path / "s", pairs=6)
    store.close()
    shutil.copy(tmp_path / "s" / "study.sqlite", tmp_path / "old.sqlite")
    rate(store, 1)
    store.close()
    shutil.copy(tmp_path / "old.sqlite", tmp_path / "s" / "study.sqlite")
    put_back = Store.open(tmp_path / "s")
    assert "5 ratings and 1 other record are in" in put_back.log_problem
    assert f"restore {tmp_path / 's'} --from {store.mirror}" in put_back.log_problem
    with pytest.raises(LogConflict):
        rate(put_back, 1)
    verdict = verify(put_back)
    assert verdict.first_broken == f"rating_event row {5 * ROWS_A_PAIR + 1}"
    put_back.close()
    # A new mirror would hide the loss.
    with pytest.raises(LogConflict, match="is behind its mirror"):
        Store.open(tmp_path / "s", mirror=tmp_path / "new.jsonl")


def test_verify_agrees_while_rows_are_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = rated(tmp_path / "s", pairs=8)

    def rate_meanwhile(session: Session) -> ChainHead:
        monkeypatch.setattr(integrity, "chain_head", chain_head)
        found = chain_head(session)
        rate(store, 1)
        return found

    monkeypatch.setattr(integrity, "chain_head", rate_meanwhile)
    verdict = verify(store)
    assert verdict.ok, verdict
    assert verdict.head.startswith(f"{7 * ROWS_A_PAIR}-3-")
    assert verify(store).head.startswith(f"{8 * ROWS_A_PAIR}-3-")


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("rating_event SET reason = {} WHERE seq = 2", "rating_event row 2"),
        ("audit_event SET row_hash = {} WHERE seq = 3", "audit_event row 3"),
        ("audit_event SET detail = {} WHERE action = 'open'", "audit_event row 3"),
        ("study SET protocol_json = {}", "The protocol was changed"),
        ("presentation SET item_id = {} WHERE position = 2", "The plan of the readers was changed"),
    ],
)
def test_a_value_of_another_kind_is_a_finding_and_no_failure(
    tmp_path: Path, place: str, named: str
) -> None:
    store = rated(tmp_path / "s")
    tamper(store, "UPDATE " + place.format("x'00ff'"))
    verdict = verify(store)
    assert any(one.startswith(named) for one in verdict.problems), verdict.problems


@pytest.mark.parametrize(
    "value", [1e-7, 0.1 + 0.2, 1e22, -2.5, 123456789.123456789, 5.0, 4503599627370497.5]
)
def test_numbers_that_sqlite_writes_otherwise_are_no_change(
    tmp_path: Path, url: str | None, value: float
) -> None:
    store = rated(tmp_path / "s", url)
    tamper(store, f"UPDATE rating_event SET value_num = {value!r} WHERE seq IN (2, 7)")
    new_chain(store)
    new_mirror(store)
    tamper(store, _NO_LIFE)
    new_chain(store, TABLES[1])
    new_mirror(store)
    assert verify(store).ok, verify(store)
    near = math.nextafter(value, 9e99)
    tamper(store, f"UPDATE rating_event SET value_num = {near!r} WHERE seq = 7")
    assert verify(store).first_broken == "rating_event row 7"
    store.close()


@pytest.mark.parametrize(
    "text", ['\n\t\x01\x1f\x7f\\"', "\u2028 \u2029", "\U0001f600 µ", '{"a":1}']
)
def test_text_that_databases_write_otherwise_is_no_change(
    tmp_path: Path, url: str | None, text: str
) -> None:
    store = rated(tmp_path / "s", url)
    with store.write() as session:
        audit(session, "me", "note", detail=text)
    assert verify(store).ok
    tamper(store, "UPDATE audit_event SET detail = detail || ' ' WHERE action = 'note'")
    assert verify(store).first_broken == "audit_event row 4"
    store.close()


def test_text_after_a_zero_byte_is_a_change(tmp_path: Path) -> None:
    store = rated(tmp_path / "s")
    tamper(store, "UPDATE rating_event SET actor_id = actor_id || char(0) || 'x' WHERE seq = 3")
    assert verify(store).first_broken == "rating_event row 3"


def test_all_changes_are_named_beside_a_row_of_another_kind(tmp_path: Path) -> None:
    store = rated(tmp_path / "s")
    tamper(
        store,
        "UPDATE rating_event SET value_num = 5 WHERE seq = 3",
        "UPDATE rating_event SET reason = x'00ff' WHERE seq = 7",
        "DELETE FROM rating_event WHERE seq = 11",
    )
    verdict = verify(store)
    named = {one.split(" row ")[1].split()[0] for one in verdict.problems if "event row" in one}
    assert {"3", "7", "11"} <= named, verdict.problems
    assert verdict.checked == verify(store).checked


def test_a_row_set_back_to_an_earlier_copy_shows(tmp_path: Path) -> None:
    store = rated(tmp_path / "s")
    with store.write() as session:
        session.get_one(Reader, reader_ids(session)[0]).specialty = "Radiology"
    assert verify(store).ok
    tamper(store, "UPDATE reader SET specialty = NULL")
    found = [one for one in verify(store).problems if one.startswith("reader ")]
    assert len(found) == 1
    assert "was changed" in found[0]


def test_the_orm_cannot_change_a_rating_either(tmp_path: Path, url: str | None) -> None:
    store = rated(tmp_path / "s", url)
    with pytest.raises(StoreError, match="never changed or deleted"), store.write() as session:
        session.execute(update(RatingEvent).values(value_num=1.0))
    store.close()


def test_commands_beside_a_busy_server_find_nothing_late(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=40)
    thread = threading.Thread(target=rate, args=(store, 40))
    thread.start()
    opened = 0
    while thread.is_alive():
        Store.open(tmp_path / "s").close()
        opened += 1
    thread.join()
    assert opened > 1
    assert b"complete mirror" not in store.mirror.read_bytes()
    assert verify(store).ok
    store.close()


def test_what_readers_did_with_the_images_may_follow_with_the_next_rating(tmp_path: Path) -> None:
    store = rated(tmp_path / "s", pairs=6)
    with store.read() as session:
        one = reader_ids(session)[0]
        token = tokens(session, one)[-1]
    note(store, one, token, [("zoom", "2", 1)])
    assert b"interaction_event" not in store.mirror.read_bytes()
    verdict = verify(store)
    assert verdict.ok, verdict.as_text()
    assert "1 record of what readers did with the images is not in the mirror" in verdict.as_text()
    Store.open(tmp_path / "s").close()
    assert b"complete mirror" not in store.mirror.read_bytes()
    rate(store, 1)
    assert b"interaction_event" in store.mirror.read_bytes()
    note(store, one, token, [("zoom", "3", 1)])
    with store.write() as session:
        store.set_status(session, Status.CLOSED, "anna")
    assert store.mirror.read_bytes().count(b"interaction_event") == 2
    assert "not in the mirror yet" not in verify(store).as_text()
    store.close()
