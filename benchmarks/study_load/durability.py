"""Whether acknowledged ratings survive when processes are killed while they submit."""

from __future__ import annotations

import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import select

from study.domain.answers import Answer
from study.domain.errors import StudyError
from study.reading.next_pair import current
from study.reading.ratings import record
from study.storage.integrity import verify
from study.storage.models import Presentation, RatingEvent, new_token
from study.storage.store import Store
from tests.support.tiny_study import reader_ids, tiny_answers, tiny_study

LONGEST_LIFE = 0.25
"""Longest time in seconds that a process submits before its kill is due: about ten submissions."""
_ANY_MOMENT = 0.2
"""Share of the kills that fall at any moment; the others fall within a submission."""
_KILLS_PER_READER = 10
_MESSAGES_TO_FOLLOW = 6
_PAIRS = 200
_START_SECONDS = 600.0


@dataclass(frozen=True)
class Durability:
    """The state of the study after the kills.

    Parameters
    ----------
    kills : int
    acknowledged : int
        Submissions that the server acknowledged.
    lost : int
        Acknowledged submissions that are not stored completely.
    doubled : int
        Pairs with more than one set of answers.
    partial : int
        Pairs with some of their answers.
    resent : int
        Submissions in flight at a kill that were sent again with their key.
    resent_known : int
        Resent submissions that had been stored.
    whole : bool
        Whether hash chains and log are intact.
    """

    kills: int
    acknowledged: int
    lost: int
    doubled: int
    partial: int
    resent: int
    resent_known: int
    whole: bool

    @property
    def ok(self) -> bool:
        """Whether nothing was lost or doubled and the study is intact."""
        return self.whole and not (self.lost or self.doubled or self.partial)

    def as_text(self) -> str:
        """The result as a line of text."""
        return (
            f"{self.kills} kill -9, {self.acknowledged} submissions acknowledged: "
            f"{self.lost} lost, {self.doubled} doubled, {self.partial} partial; "
            f"{self.resent} sent again, {self.resent_known} of them known; chains and mirror "
            f"{'whole' if self.whole else 'broken'}"
        )


@dataclass(frozen=True)
class _Submission:
    reader_id: str
    token: str
    key: str


@dataclass
class _Heard:
    """The messages of the processes before they were killed."""

    acknowledged: list[_Submission] = field(default_factory=list)
    in_flight: _Submission | None = None
    resent: int = 0
    resent_known: int = 0


def durability(
    kills: int = 200,
    *,
    folder: Path | None = None,
    url: str | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Durability:
    """Kill a submitting process many times, and count lost and doubled submissions.

    Parameters
    ----------
    kills : int
    folder : Path, optional
        Of the study; by default a temporary one.
    url : str, optional
        SQLAlchemy URL of an empty database; the default is SQLite in the folder.
    seed : int
        Of the times of the kills: four of five fall within a submission.
    progress : callable, optional
        Called with the number of kills so far and in total.
    """
    with tempfile.TemporaryDirectory() as temporary:
        place = (folder or Path(temporary)) / "durability"
        readers_needed = 1 + kills // _KILLS_PER_READER
        store = tiny_study(place, readers=readers_needed, pairs=_PAIRS, url=url)
        with store.read() as session:
            readers = reader_ids(session)
        # As after a crash, no other process holds the database open.
        store.close()
        heard, moments = _Heard(), random.Random(seed)
        for number in range(kills):
            _kill_one((place, url), readers[number // _KILLS_PER_READER], moments, heard)
            if progress:
                progress(number + 1, kills)
        if heard.in_flight is not None:
            _resend(store, heard)
        return _count(Store.open(place, url=url), kills, heard)


def _kill_one(
    study: tuple[Path, str | None], reader_id: str, moments: random.Random, heard: _Heard
) -> None:
    # A fork server has the modules in memory, so that processes start in milliseconds.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.study_load.durability"])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_submit, args=(*study, reader_id, heard.in_flight, theirs))
    process.start()
    theirs.close()
    if not ours.poll(_START_SECONDS):
        raise StudyError("A submitting process did not start.")
    time.sleep(moments.uniform(0, LONGEST_LIFE))
    if moments.random() >= _ANY_MOMENT:
        _await_submission(ours, moments, heard)
    process.kill()
    process.join()
    try:
        while True:
            _hear(heard, *ours.recv())
    except EOFError:
        ours.close()


def _await_submission(told: Connection, moments: random.Random, heard: _Heard) -> None:
    """Return at a random moment of a submission, as long as the one before it took."""
    while told.poll():
        _hear(heard, *told.recv())
    took, word = 0.0, ""
    for _ in range(_MESSAGES_TO_FOLLOW):
        sent = time.monotonic() if word == "sends" else None
        if not told.poll(LONGEST_LIFE):
            return  # Nothing is left to submit.
        word, submission = told.recv()
        _hear(heard, word, submission)
        if sent is not None:
            took = time.monotonic() - sent
        elif word == "sends" and took:
            break
    time.sleep(moments.uniform(0, took))


def _submit(
    folder: Path,
    url: str | None,
    reader_id: str,
    in_flight: _Submission | None,
    told: Connection,
) -> None:
    """Submit until killed; report each submission before it is sent and when acknowledged."""
    store = Store.open(folder, url=url)
    answers = tiny_answers(store.protocol())
    told.send(("ready", None))
    if in_flight is not None:
        known = _send(store, in_flight, answers)
        told.send(("known" if known else "stored", in_flight))
    while True:
        with store.read() as session:
            pair = current(session, reader_id)
        if pair is None:
            time.sleep(LONGEST_LIFE)
            continue
        submission = _Submission(reader_id, pair.token, new_token())
        told.send(("sends", submission))
        _send(store, submission, answers)
        told.send(("acknowledged", submission))


def _send(store: Store, submission: _Submission, answers: Sequence[Answer]) -> bool:
    receipt = record(
        store,
        reader_id=submission.reader_id,
        token=submission.token,
        answers=answers,
        idempotency_key=submission.key,
    )
    return receipt.repeated


def _hear(heard: _Heard, word: str, submission: _Submission | None) -> None:
    if submission is None:
        return
    heard.in_flight = submission if word == "sends" else None
    if word != "sends":
        heard.acknowledged.append(submission)
    if word in {"known", "stored"}:
        heard.resent += 1
        heard.resent_known += word == "known"


def _resend(store: Store, heard: _Heard) -> None:
    assert heard.in_flight is not None
    known = _send(store, heard.in_flight, tiny_answers(store.protocol()))
    _hear(heard, "known" if known else "stored", heard.in_flight)


def _count(store: Store, kills: int, heard: _Heard) -> Durability:
    each = len(tiny_answers(store.protocol()))
    with store.read() as session:
        events = session.execute(
            select(Presentation.token, RatingEvent.idempotency_key).join(
                Presentation, Presentation.id == RatingEvent.presentation_id
            )
        )
        by_key = Counter((token, key) for token, key in events)
    by_pair = Counter(token for token, _ in by_key)
    whole = verify(store).ok
    store.close()
    return Durability(
        kills=kills,
        acknowledged=len(heard.acknowledged),
        lost=sum(by_key[one.token, one.key] != each for one in heard.acknowledged),
        doubled=sum(count > 1 for count in by_pair.values()),
        partial=sum(count != each for count in by_key.values()),
        resent=heard.resent,
        resent_known=heard.resent_known,
        whole=whole,
    )
