"""A clock that is set back signs nobody out, loses no answer, and turns no decision around."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from study.accounts.readers import ReaderSignIn, invite
from study.domain.screens import ScreenKind
from study.planning.exclusions import exclude, reinstate
from study.reading.next_pair import is_due
from study.reading.progress import sitting_minutes
from study.storage.exclusion_log import decisions, in_force
from study.storage.image_events import add_image_event, unusable_stimuli
from study.storage.models import (
    Exclusion,
    ImageEvent,
    ReaderChange,
    ReadingSession,
    Stimulus,
    now,
    now_after,
    stamp,
)
from study.storage.reader_rows import add_change, existing_reader
from tests.support.http_visitor import Visitor
from tests.support.open_study import QUICK, Small, small_study

DAYS = 3
LATER = stamp(datetime.now(UTC) + timedelta(days=DAYS))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    made = small_study(tmp_path_factory.mktemp("clock") / "s", QUICK, cases=1)
    yield made
    made.store.close()


def test_nobody_is_signed_out(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = ReaderSignIn(small.store)
    secret = invite(small.store, "R01", actor="anna").secret
    account = accounts.sign_in("R01", secret, address="here")

    def cookie_of(days: float) -> str:
        moment = int(time.time() + 86400 * days)
        with monkeypatch.context() as patch:
            patch.setattr("itsdangerous.TimestampSigner.get_timestamp", lambda self: moment)
            return accounts.cookie(account)

    assert accounts.account_of_cookie(cookie_of(DAYS)) == account
    assert accounts.account_of_cookie(cookie_of(-29)) == account
    assert accounts.account_of_cookie(cookie_of(-31)) is None
    forged = cookie_of(DAYS)[:-2] + "xx"
    assert accounts.account_of_cookie(forged) is None


def test_a_session_that_has_begun_stays_open(small: Small) -> None:
    """It opened at a time that lies in the future once more."""
    visitor = Visitor(small).join("R02").sit_down()
    given = visitor.pair()
    with small.store.write() as session:
        wanted = select(ReadingSession).where(ReadingSession.reader_id == small.reader("R02"))
        for sitting in session.scalars(wanted).all():
            sitting.not_before = LATER
            assert is_due(sitting) == (sitting.started_at is not None)
            assert is_due(sitting, stamp(datetime.now(UTC) + timedelta(days=DAYS + 1)))
    assert visitor.screen["kind"] == ScreenKind.PAIR
    answer = visitor.post("rate", visitor.rating(given))
    assert answer.status_code == 200, answer.text


def test_a_sitting_is_never_of_negative_length(small: Small) -> None:
    with small.store.read() as session:
        reader, before = small.reader("R02"), datetime.now(UTC) - timedelta(days=DAYS)
        assert sitting_minutes(session, reader, before) == 0.0


def test_the_last_record_about_an_image_counts(small: Small) -> None:
    with small.store.write() as session:
        stimulus = session.scalars(select(Stimulus.id)).first()
        assert stimulus is not None
        session.add(ImageEvent(stimulus_id=stimulus, kind="lost", noticed_by="R01", at=LATER))
        session.flush()
        assert len(unusable_stimuli(session)) == 1
        add_image_event(session, stimulus, "restored", "anna")
        assert unusable_stimuli(session) == []


def test_the_last_decisions_about_a_reader_count(small: Small) -> None:
    with small.store.write() as session:
        reader = existing_reader(session, small.store.study_id, "R01")
        session.add(
            ReaderChange(reader_id=reader.id, kind="note", text="x", decided_by="a", at=LATER)
        )
        add_change(session, reader, "note", "latest", "anna")
        notes = session.scalars(select(ReaderChange.text).order_by(ReaderChange.at)).all()
        assert notes[-1] == "latest"
        exclude(session, "R01", rule="first", reason="x", actor="anna")
        for one in session.scalars(select(Exclusion)):
            assert one.decided_at < LATER
        session.add(
            Exclusion(study_id=small.store.study_id, target_kind="reader", target_id=reader.id,
                      rule_code=Exclusion.UNDONE, prespecified=False, reason="x", decided_by="a",
                      decided_at=LATER)
        )  # fmt: skip
        session.flush()
        exclude(session, "R01", rule="second", reason="x", actor="anna")
        held = in_force(decisions(session, small.store.study_id))
        assert [one.rule_code for one in held.values()] == ["second"]
        reinstate(session, "R01", reason="x", actor="anna")
        assert not in_force(decisions(session, small.store.study_id))


def test_a_time_after_another_is_now_or_just_after_it() -> None:
    assert now_after(None)[:10] == now()[:10]
    assert now_after("2001-01-01T00:00:00.000000Z") > "2020"
    assert now_after("2999-12-31T00:00:00.999999Z") == "2999-12-31T00:00:01.000000Z"
