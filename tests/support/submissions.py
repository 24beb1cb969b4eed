"""Short ways to submit in a study, one after the other or at one moment."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select

from study.domain.errors import StudyError
from study.domain.protocol import Protocol
from study.reading import next_pair
from study.reading.ratings import Receipt, record
from study.storage.models import RatingEvent, ReadingSession
from study.storage.store import Store
from tests.support.tiny_study import reader_ids, tiny_answers, tokens

PROTOCOL = Protocol(readers=2)
ANSWERS = tiny_answers(PROTOCOL)
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
            pair = next_pair.current(session, self.readers[reader])
            return pair.token if pair else None

    def session(self, number: int, reader: int = 0) -> ReadingSession:
        with self.store.read() as session:
            return session.scalars(
                select(ReadingSession).where(
                    ReadingSession.reader_id == self.readers[reader],
                    ReadingSession.number == number,
                )
            ).one()


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
