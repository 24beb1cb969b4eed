"""The blinding questionnaire, which asks how the reader thinks that images were made.

Some rated pairs are shown again, chosen so that every method is asked about and no image twice. The
choice follows from the random tokens of the plan.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from study.domain.errors import ProtocolError, WrongScreen
from study.domain.terms import Role
from study.storage.image_events import unusable_stimuli
from study.storage.models import (
    BlindingGuess,
    Presentation,
    PresentationSlot,
    RatingEvent,
    ReadingSession,
    Stimulus,
)
from study.storage.store import Store

IMAGES_PER_METHOD = 2
DO_NOT_KNOW = "do not know"


@dataclass(frozen=True)
class OpenGuess:
    """A pair of the questionnaire.

    Parameters
    ----------
    presentation_id, token : str
    stimuli : tuple of str
        Identifiers of the left and the right stimulus, or of the only one.
    """

    presentation_id: str
    token: str
    stimuli: tuple[str, ...]


def guesses(session: Session, reader_id: str) -> tuple[OpenGuess, ...]:
    """All pairs of a reader's questionnaire, in the same order at every call."""
    shown = _rated_pairs(session, reader_id)
    asked: Counter[str] = Counter()
    used: set[str] = set()
    chosen = []
    for pair, methods in shown:
        fresh = not used.intersection(pair.stimuli)
        if fresh and any(asked[method] < IMAGES_PER_METHOD for method in methods):
            chosen.append(pair)
            asked.update(methods)
            used.update(pair.stimuli)
    return tuple(chosen)


def open_guesses(session: Session, reader_id: str) -> tuple[OpenGuess, ...]:
    """The pairs of the questionnaire without an answer, if their images can be shown."""
    wanted = select(BlindingGuess.stimulus_id).where(BlindingGuess.reader_id == reader_id)
    known = set(session.scalars(wanted))
    lost = {one.id for one in unusable_stimuli(session)}
    return tuple(
        pair
        for pair in guesses(session, reader_id)
        if not known >= set(pair.stimuli) and not lost.intersection(pair.stimuli)
    )


def save_guess(
    store: Store, reader_id: str, token: str, answers: Sequence[int | None], groups: int
) -> None:
    """Store the answers about the two images of a pair.

    Parameters
    ----------
    store : Store
    reader_id, token : str
    answers : sequence of int or None
        Index of the group for the left and the right image; None for "do not know".
    groups : int
        Number of groups.

    Raises
    ------
    ProtocolError
        There is not one answer for each image, or an answer is not a group.
    WrongScreen
        This pair is not the next one of the questionnaire.
    """
    problem = ProtocolError(f"Choose one of the {groups} answers for each image.")
    if any(one is not None and not 0 <= one < groups for one in answers):
        raise problem
    with store.write() as session:
        waiting = open_guesses(session, reader_id)
        if not waiting or waiting[0].token != token:
            raise WrongScreen("This question has been answered. Nothing was changed.")
        if len(answers) != len(waiting[0].stimuli):
            raise problem
        for stimulus, answer in zip(waiting[0].stimuli, answers, strict=True):
            guess = DO_NOT_KNOW if answer is None else str(answer)
            session.add(BlindingGuess(reader_id=reader_id, stimulus_id=stimulus, guess=guess))


def _rated_pairs(session: Session, reader_id: str) -> list[tuple[OpenGuess, tuple[str, ...]]]:
    rated = exists().where(RatingEvent.presentation_id == Presentation.id)
    rows = session.execute(
        select(Presentation.id, Presentation.token, Stimulus.id, Stimulus.method_id)
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .join(PresentationSlot, PresentationSlot.presentation_id == Presentation.id)
        .join(Stimulus, Stimulus.id == PresentationSlot.stimulus_id)
        .where(ReadingSession.reader_id == reader_id, Presentation.role == Role.MAIN, rated)
        .order_by(Presentation.id, PresentationSlot.slot)
    ).all()
    halves: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for presentation_id, token, stimulus_id, method_id in rows:
        halves.setdefault((presentation_id, token), []).append((stimulus_id, method_id))
    pairs = [
        (OpenGuess(key[0], key[1], tuple(s for s, _ in both)), tuple(m for _, m in both))
        for key, both in halves.items()
    ]
    # Any fixed order that does not depend on the methods.
    return sorted(pairs, key=lambda pair: hashlib.sha256(pair[0].token.encode()).digest())
