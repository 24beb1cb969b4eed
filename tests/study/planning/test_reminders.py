"""Who is reminded, and what mail programs and calendars get."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from study.accounts.readers import invite
from study.cli import app
from study.domain.protocol import Protocol
from study.domain.terms import Status
from study.planning.letters import calendar, invitation
from study.planning.progress_report import progress_report
from study.planning.reminders import Why, reminders
from study.reading.ratings import record
from study.storage.base import stamp
from study.storage.models import ReadingSession
from study.storage.store import Store
from tests.support.tiny_study import reader_ids, tiny_answers, tiny_study, tokens

PROTOCOL = Protocol(title="Knees, left; right", readers=4)


def reading(folder: Path, *, opens: timedelta) -> Store:
    """R01 waits for a second session or may begin it, R02 is in the first, R03 is invited."""
    store = tiny_study(folder, readers=4, pairs=2, repeats=1, protocol=PROTOCOL)
    with store.read() as session:
        readers = reader_ids(session)
        pairs = [tokens(session, reader) for reader in readers]
    for reader, token in ((0, 0), (0, 1), (1, 0)):
        key = f"answer {reader}-{token}"
        record(store, reader_id=readers[reader], token=pairs[reader][token],
               answers=tiny_answers(PROTOCOL), idempotency_key=key)  # fmt: skip
    invite(store, "R03", actor="anna")
    with store.write() as session:
        for one in session.scalars(select(ReadingSession).where(ReadingSession.number == 2)):
            if one.reader_id == readers[0]:
                one.not_before = stamp(datetime.now(UTC) + opens)
    return store


def test_who_waits_is_left_alone_and_who_may_return_is_not(tmp_path: Path) -> None:
    for name, opens, first in (("a", 1, []), ("b", -1, [("R01", Why.MAY_RETURN)])):
        store = reading(tmp_path / name, opens=timedelta(days=opens))
        found = [(one.code, one.why) for one in reminders(progress_report(store))]
        assert found == [*first, ("R03", Why.NOT_BEGUN), ("R04", Why.NOT_BEGUN)]
        store.close()


def test_days_without_an_answer_are_late(tmp_path: Path) -> None:
    store = reading(tmp_path / "s", opens=timedelta(days=1))
    in_days = {days: datetime.now(UTC) + timedelta(days=days) for days in (6, 8)}
    report = progress_report(store)
    late = {days: [one for one in reminders(report, at=at) if one.why is Why.LATE]
            for days, at in in_days.items()}  # fmt: skip
    assert late[6] == []
    assert [(one.code, one.left) for one in late[8]] == [("R02", 2)]
    assert "R02 is late (last answer 20" in late[8][0].as_text()
    with store.write() as session:
        store.set_status(session, Status.CLOSED, "anna")
    assert reminders(progress_report(store), at=in_days[8]) == ()
    store.close()


def test_the_command_writes_letters_and_dates(tmp_path: Path) -> None:
    reading(tmp_path / "s", opens=timedelta(days=1)).close()
    out = tmp_path / "letters"
    given = ["reminders", str(tmp_path / "s"), "--letters", str(out), "--url", "https://x.org/"]
    found = CliRunner().invoke(app, given)
    assert found.exit_code == 0, found.output
    assert {path.name for path in out.iterdir()} == {"R01.ics", "R03.txt", "R04.txt"}
    assert "1 date of later sessions in" in found.output
    assert "https://x.org/reader/" in (out / "R03.txt").read_text()
    assert (out / "R01.ics").stat().st_mode & 0o077 == 0


def test_an_invitation_is_a_letter_with_link_and_secret(tmp_path: Path) -> None:
    reading(tmp_path / "s", opens=timedelta(days=1)).close()
    out = tmp_path / "letters"
    given = ["invite", str(tmp_path / "s"), "R03", "--letters", str(out)]
    found = CliRunner().invoke(app, given)
    assert found.exit_code == 0, found.output
    text = (out / "R03.txt").read_text()
    assert text.startswith("Subject: Invitation to the reading study Knees, left; right\n\n")
    assert "/reader/join/" in text
    assert "secret" not in found.output
    (tmp_path / "file").write_text("")
    assert CliRunner().invoke(app, [*given[:-1], str(tmp_path / "file")]).exit_code != 0


def test_a_date_is_a_calendar_file_that_does_not_begin_too_early() -> None:
    text = calendar("Ä" * 60 + ", a; b", "R01", "2026-03-01T10:20:30.5Z", "https://x.org/reader/")
    lines = text.split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-2:] == ["END:VCALENDAR", ""]
    assert "DTSTART:20260301T102100Z" in lines
    assert max(len(line.encode()) for line in lines) <= 75
    unfolded = text.replace("\r\n ", "")
    assert "Ä" * 60 + "\\, a\\; b\r\n" in unfolded
    assert invitation("T", "R01", "S", "l", "s").count("\n\n") > 3


@pytest.mark.parametrize("status", [Status.DRAFT, Status.FROZEN])
def test_nobody_is_reminded_before_the_study_is_open(tmp_path: Path, status: Status) -> None:
    store = tiny_study(tmp_path / "s", status=status)
    assert reminders(progress_report(store)) == ()
    store.close()
