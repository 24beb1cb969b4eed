"""Ratings are taken when it is their turn, and once whoever else submits at that moment."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from study.domain.errors import AlreadyAnswered, ConsentError, NotOpen, StudyError
from study.domain.terms import Status
from study.reading import consent
from study.reading.ratings import Receipt
from study.storage.integrity import verify
from study.storage.models import Presentation, RatingEvent, stamp
from study.storage.store import Store
from tests.support.submissions import ANSWERS, KEY, PROTOCOL, Desk, together
from tests.support.tampering import run
from tests.support.tiny_study import tiny_study


@pytest.mark.parametrize("status", [Status.FROZEN, Status.CLOSED, Status.UNBLINDED])
def test_ratings_need_an_open_study(tmp_path: Path, status: Status) -> None:
    desk = Desk(tiny_study(tmp_path / "s", pairs=1, protocol=PROTOCOL, status=status))
    desk.refuses(NotOpen, "does not take ratings")


def test_ratings_need_an_active_reader(desk: Desk) -> None:
    run(desk.store, "UPDATE reader SET active = FALSE WHERE code = 'R01'")
    desk.refuses(NotOpen, "from you")
    desk.submit(reader=1)


def test_ratings_need_consent(tmp_path: Path, url: str | None) -> None:
    desk = Desk(tiny_study(tmp_path / "s", pairs=2, consent=False, protocol=PROTOCOL, url=url))
    desk.refuses(ConsentError)
    with desk.store.write() as session:
        consent.accept(session, desk.readers[0], "c" * 64)
    desk.submit()
    with desk.store.write() as session:
        consent.withdraw(session, desk.readers[0], "c" * 64)
    desk.refuses(ConsentError, pair=1)
    with pytest.raises(StudyError, match="withdrawal is final"), desk.store.write() as session:
        consent.accept(session, desk.readers[0], "c" * 64)
    desk.store.close()


def test_sessions_follow_one_another(tmp_path: Path) -> None:
    desk = Desk(tiny_study(tmp_path / "s", pairs=2, training=1, repeats=1, protocol=PROTOCOL))
    assert desk.session(0).started_at is None
    desk.submit(0)
    training, main = desk.session(0), desk.session(1)
    assert training.started_at is not None
    assert training.finished_at is not None
    assert main.started_at is None
    desk.submit(1)
    assert (desk.session(1).started_at, desk.session(1).finished_at) != (None, None)
    assert desk.session(1).finished_at is None
    desk.submit(2)
    assert desk.session(1).finished_at is not None
    # Without a washout the repeats follow at once.
    assert desk.session(2).not_before is None
    desk.submit(3)
    assert desk.turn() is None
    assert desk.turn(1) == desk.tokens[1][0]


def test_repeats_wait_for_the_washout(tmp_path: Path) -> None:
    protocol = PROTOCOL.with_(washout_days=14)
    desk = Desk(tiny_study(tmp_path / "s", pairs=1, repeats=1, protocol=protocol))
    before = datetime.now(UTC) + timedelta(days=14)
    desk.submit(0)
    opens = desk.session(2).not_before
    assert opens is not None
    assert stamp(before) <= opens <= stamp(datetime.now(UTC) + timedelta(days=14))
    assert desk.turn() is None
    desk.refuses(NotOpen, f"opens at {opens}", pair=1)
    # The last answers before the wait may still be corrected, and the wait stays.
    desk.submit(0, reason="slipped", idempotency_key=KEY)
    assert desk.session(2).not_before == opens
    run(desk.store, "UPDATE reading_session SET not_before = '2026-01-01T00:00:00.000000Z' "
        "WHERE not_before IS NOT NULL")  # fmt: skip
    assert desk.turn() == desk.tokens[0][1]
    desk.submit(1)


def test_a_double_click_is_stored_once(desk: Desk) -> None:
    found = together(6, lambda _: desk.submit())
    assert Counter(receipt.repeated for receipt in found) == {False: 1, True: 5}
    assert len(desk.rows()) == len(ANSWERS)


def test_of_two_windows_one_wins(desk: Desk) -> None:
    found = together(4, lambda number: desk.submit(idempotency_key=f"window {number}"))
    assert Counter(type(one) for one in found) == {Receipt: 1, AlreadyAnswered: 3}
    assert len(desk.rows()) == len(ANSWERS)


def test_readers_rate_at_once_through_two_servers(tmp_path: Path, url: str | None) -> None:
    store = tiny_study(tmp_path / "s", readers=4, pairs=4, protocol=PROTOCOL, url=url)
    desks = [Desk(store), Desk(Store.open(tmp_path / "s", url=url))]

    def read_all(reader: int) -> int:
        return [desks[reader % 2].submit(pair, reader).revision for pair in range(4)].count(1)

    assert together(4, read_all) == [4] * 4
    verdict = verify(store)
    assert verdict.ok, verdict
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(RatingEvent)) == 16 * len(ANSWERS)
        each = select(func.count()).select_from(RatingEvent).group_by(RatingEvent.presentation_id)
        assert set(session.scalars(each)) == {len(ANSWERS)}
        assert session.scalar(select(func.count()).select_from(Presentation)) == 16
    for desk in desks:
        desk.store.close()


def test_a_submission_costs_few_statements(desk: Desk) -> None:
    statements: list[str] = []
    desk.submit()
    event.listen(
        desk.store.engine, "before_cursor_execute",
        lambda *given: statements.append(given[2]),
    )  # fmt: skip
    desk.submit(1)
    inserts = [statement for statement in statements if "INSERT INTO rating_event" in statement]
    assert len(inserts) == 1
    # PostgreSQL sets its time limits and locks the study, where SQLite begins a transaction.
    beginning = 2 if desk.store.engine.dialect.name == "postgresql" else 0
    assert len(statements) <= 10 + beginning, statements
