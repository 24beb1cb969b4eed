"""What a reader submits is stored once, whole, in its turn, or not at all."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from study import ratings
from study.errors import (
    AlreadyAnswered,
    AnswerError,
    ConsentError,
    NotOpen,
    NotYourPresentation,
    StudyError,
)
from study.models import Comment, Presentation, RatingEvent, ReadingSession, stamp
from study.protocol import LEFT, PAIR, RIGHT, Protocol, Status
from study.ratings import Answer, Receipt, record
from study.store import Store
from study.toy import reader_ids, tokens, toy_answers, toy_study
from study.verify import verify
from tests.study.outside import run

PROTOCOL = Protocol(readers=2)
ANSWERS = toy_answers(PROTOCOL)
KEY = "a random key"


class Desk:
    """A study with two readers and short ways to submit."""

    def __init__(self, store: Store) -> None:
        self.store = store
        with store.read() as session:
            self.readers = reader_ids(session)
            self.tokens = [tokens(session, reader) for reader in self.readers]

    def submit(self, pair: int = 0, reader: int = 0, **changes: Any) -> Receipt:
        given = {
            "reader_id": self.readers[reader],
            "token": self.tokens[reader][pair],
            "answers": ANSWERS,
            "idempotency_key": f"submission {reader} {pair}",
        }
        return record(self.store, **(given | changes))

    def rows(self) -> list[RatingEvent]:
        with self.store.read() as session:
            return list(session.scalars(select(RatingEvent).order_by(RatingEvent.seq)))

    def refuses(self, error: type[StudyError], match: str | None = None, **changes: Any) -> None:
        """A submission is refused and changes nothing."""
        before = [row.row_hash for row in self.rows()]
        with pytest.raises(error, match=match):
            self.submit(**changes)
        assert [row.row_hash for row in self.rows()] == before

    def turn(self, reader: int = 0) -> str | None:
        with self.store.read() as session:
            pair = ratings.current(session, self.readers[reader])
            return pair.token if pair else None

    def session(self, number: int, reader: int = 0) -> ReadingSession:
        with self.store.read() as session:
            return session.scalars(
                select(ReadingSession).where(
                    ReadingSession.reader_id == self.readers[reader],
                    ReadingSession.number == number,
                )
            ).one()


@pytest.fixture
def desk(tmp_path: Path, url: str | None) -> Any:
    store = toy_study(tmp_path / "s", readers=2, pairs=3, protocol=PROTOCOL, url=url)
    yield Desk(store)
    store.close()


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
    assert desk.submit(answers=toy_answers(PROTOCOL, 5)).repeated
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
    better = toy_answers(PROTOCOL, 4)
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
    "too high": (toy_answers(PROTOCOL, 6), "6 is not on the scale of quality: 1 to 5"),
    "too low": (toy_answers(PROTOCOL, 0), "0 is not on the scale"),
    "a fraction": (toy_answers(PROTOCOL, 3.0), "3.0 is not on the scale"),  # type: ignore[arg-type]
    "a truth": (toy_answers(PROTOCOL, True), "True is not on the scale"),
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
    desk = Desk(toy_study(tmp_path / "s", readers=2, pairs=1, protocol=must))
    desk.refuses(AnswerError, "quality must be judged", answers=toy_answers(must, None))


@pytest.mark.parametrize("status", [Status.FROZEN, Status.CLOSED, Status.UNBLINDED])
def test_ratings_need_an_open_study(tmp_path: Path, status: Status) -> None:
    desk = Desk(toy_study(tmp_path / "s", pairs=1, protocol=PROTOCOL, status=status))
    desk.refuses(NotOpen, "does not take ratings")


def test_ratings_need_an_active_reader(desk: Desk) -> None:
    run(desk.store, "UPDATE reader SET active = FALSE WHERE code = 'R01'")
    desk.refuses(NotOpen, "from you")
    desk.submit(reader=1)


def test_ratings_need_consent(tmp_path: Path, url: str | None) -> None:
    desk = Desk(toy_study(tmp_path / "s", pairs=2, consent=False, protocol=PROTOCOL, url=url))
    desk.refuses(ConsentError)
    with desk.store.write() as session:
        ratings.accept(session, desk.readers[0], "c" * 64)
    desk.submit()
    with desk.store.write() as session:
        ratings.withdraw(session, desk.readers[0], "c" * 64)
    desk.refuses(ConsentError, pair=1)
    with pytest.raises(StudyError, match="withdrawal is final"), desk.store.write() as session:
        ratings.accept(session, desk.readers[0], "c" * 64)
    desk.store.close()


def test_sessions_follow_one_another(tmp_path: Path) -> None:
    desk = Desk(toy_study(tmp_path / "s", pairs=2, training=1, repeats=1, protocol=PROTOCOL))
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
    desk = Desk(toy_study(tmp_path / "s", pairs=1, repeats=1, protocol=protocol))
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


def together(count: int, work: Any) -> list[Any]:
    """What several threads return or raise that start at one moment."""
    barrier, found = threading.Barrier(count), [None] * count

    def run_one(number: int) -> None:
        barrier.wait()
        try:
            found[number] = work(number)
        except StudyError as error:
            found[number] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run_one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_double_click_is_stored_once(desk: Desk) -> None:
    found = together(6, lambda _: desk.submit())
    assert Counter(receipt.repeated for receipt in found) == {False: 1, True: 5}
    assert len(desk.rows()) == len(ANSWERS)


def test_of_two_windows_one_wins(desk: Desk) -> None:
    found = together(4, lambda number: desk.submit(idempotency_key=f"window {number}"))
    assert Counter(type(one) for one in found) == {Receipt: 1, AlreadyAnswered: 3}
    assert len(desk.rows()) == len(ANSWERS)


def test_readers_rate_at_once_through_two_servers(tmp_path: Path, url: str | None) -> None:
    store = toy_study(tmp_path / "s", readers=4, pairs=4, protocol=PROTOCOL, url=url)
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


def test_a_submission_costs_few_statements(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import event

    told: list[str] = []
    desk.submit()
    event.listen(
        desk.store.engine, "before_cursor_execute",
        lambda *given: told.append(given[2]),
    )  # fmt: skip
    desk.submit(1)
    inserts = [statement for statement in told if "INSERT INTO rating_event" in statement]
    assert len(inserts) == 1
    assert len(told) <= 9, told
