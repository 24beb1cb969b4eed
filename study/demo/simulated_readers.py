"""Simulated readers answer the pairs of a study as a `ReaderModel` draws them from a seed.

`read` takes a reader's place and answers in this process; a `SimulatedReader` answers for a client
that reads over HTTP. Both know which method is on which side, as nobody else in the study does.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.demo.reader_model import ReaderModel, ShownPair
from study.domain.answers import Answer
from study.domain.errors import StoreError
from study.domain.question_kinds import IMAGE_SLOTS
from study.domain.questions import Question
from study.reading import next_pair, ratings
from study.reading.blinding_questionnaire import open_guesses, save_guess
from study.reading.consent import accept, consent_digest, last_consent
from study.storage.models import (
    Presentation,
    PresentationSlot,
    Reader,
    ReadingSession,
    Stimulus,
    new_token,
)
from study.storage.store import Store

SPECIALTY = "Simulated reader"


class SimulatedReader:
    """Answers of one simulated reader, by the tokens of presentations.

    Parameters
    ----------
    store : Store
    model : ReaderModel
        With strengths by the identifiers of the methods.
    """

    def __init__(self, store: Store, model: ReaderModel) -> None:
        self.store = store
        self.model = model

    def answers(self, token: str, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """The answers to every question about a pair."""
        shown = self.shown(token)
        images = IMAGE_SLOTS[: len(shown.methods)]
        return tuple(
            Answer(question.code, slot, self._answer(question, shown, slot))
            for question in questions
            for slot in (question.slots if question.of_pair else images)
        )

    def _answer(self, question: Question, shown: ShownPair, slot: int) -> int | None:
        if question.of_pair:
            return self.model.prefer(question, shown)
        if question.ranks:
            return self.model.rank(question, shown, slot)
        return self.model.score(question, shown, slot)

    def guesses(self, token: str, groups: Sequence[str]) -> tuple[int | None, ...]:
        """Indices of different groups, which follow from the place of the pair in the plan."""
        shown = self.shown(token)
        place = int(shown.presentation.rpartition("-")[2])
        return tuple((place + slot) % len(groups) for slot in range(len(shown.methods)))

    def shown(self, token: str) -> ShownPair:
        """Case and methods of a presentation."""
        with self.store.read() as session:
            pair, sitting = session.execute(
                select(Presentation, ReadingSession)
                .join(ReadingSession, ReadingSession.id == Presentation.session_id)
                .where(Presentation.token == token)
            ).one()
            left, *others = session.scalars(
                select(Stimulus.method_id)
                .join(PresentationSlot, PresentationSlot.stimulus_id == Stimulus.id)
                .where(PresentationSlot.presentation_id == pair.id)
                .order_by(PresentationSlot.slot)
            ).all()
        right, *others = others or [""]
        name = f"{sitting.number}-{pair.position}"
        return ShownPair(pair.item_id, left, right, name, tuple(others))


def read(store: Store, code: str, model: ReaderModel, *, most: int | None = None) -> int:
    """Let a simulated reader take a place and read, and return the pairs that were answered.

    The place is marked as simulated for good. The reader agrees to the consent text, reads what may
    be read now, and answers the blinding question.

    Parameters
    ----------
    store : Store
        Of an open study.
    code : str
        Of the reader's place, such as R02.
    model : ReaderModel
        With strengths by the identifiers of the methods.
    most : int, optional
        Number of pairs to read; all by default.

    Raises
    ------
    StoreError
        There is no such place, or a person has taken it.
    """
    protocol, simulated = store.protocol(), SimulatedReader(store, model)
    with store.write() as session:
        reader_id = _take_place(session, code, consent_digest(protocol))
    done = 0
    while (pair := _current(store, reader_id)) is not None and done != most:
        ratings.record(
            store,
            reader_id=reader_id,
            token=pair.token,
            answers=simulated.answers(pair.token, protocol.questions),
            idempotency_key=new_token(),
            visible_ms=round(1000 * model.seconds(simulated.shown(pair.token))),
        )
        done += 1
    if pair is None and protocol.ask_blinding:
        _guess(simulated, reader_id, protocol.blinding_groups)
    return done


def _current(store: Store, reader_id: str) -> Presentation | None:
    with store.read() as session:
        return next_pair.current(session, reader_id)


def _take_place(session: Session, code: str, digest: str) -> str:
    reader = session.scalar(select(Reader).where(Reader.code == code))
    if reader is None:
        raise StoreError(f"This study has no reader {code!r}.")
    last = last_consent(session, reader.id)
    if not reader.simulated and (last is not None or reader.specialty is not None):
        raise StoreError(f"{code} is a person's place: choose one that nobody has taken.")
    reader.simulated = True
    reader.specialty, reader.experience_years = SPECIALTY, 0
    if last is None:
        accept(session, reader.id, digest)
    return reader.id


def _guess(simulated: SimulatedReader, reader_id: str, groups: Sequence[str]) -> None:
    while True:
        with simulated.store.read() as session:
            waiting = open_guesses(session, reader_id)
        if not waiting:
            return
        answers = simulated.guesses(waiting[0].token, groups)
        save_guess(simulated.store, reader_id, waiting[0].token, answers, len(groups))
