"""The answers of a store as observations: one for each question and side of the whole plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.analysis.dataset import NOT_READ, Observation
from study.domain.protocol import Protocol, Role
from study.storage.models import (
    Item,
    Presentation,
    PresentationSlot,
    RatingEvent,
    Reader,
    ReadingSession,
    Stimulus,
)
from study.storage.models import Question as QuestionRow

Cell = tuple[str, str, int]
"""Presentation, code of a question, slot."""


class CurrentAnswers:
    """The current answer of every cell.

    Attributes
    ----------
    current : dict
        The last revision of each cell that has one.
    revisions : dict
        Number of the last revision of each presentation that was answered.
    """

    def __init__(self, session: Session, study_id: str) -> None:
        questions = select(QuestionRow).where(QuestionRow.study_id == study_id)
        codes = {question.id: question.code for question in session.scalars(questions)}
        self.current: dict[Cell, RatingEvent] = {}
        for event in session.scalars(select(RatingEvent).order_by(RatingEvent.revision)):
            self.current[(event.presentation_id, codes[event.question_id], event.slot)] = event
        self.revisions: dict[str, int] = {}
        for event in self.current.values():
            found = self.revisions.get(event.presentation_id, 0)
            self.revisions[event.presentation_id] = max(found, event.revision)


@dataclass(frozen=True)
class ExclusionRules:
    """Rules by which readers and cases are left out, by their identifiers."""

    readers: Mapping[str, str]
    items: Mapping[str, str]


@dataclass(frozen=True)
class _Showing:
    """A presentation with all that its observations have in common."""

    presentation: Presentation
    sitting: ReadingSession
    item: Item
    reader: str
    pair: str
    repeat_of: str
    left: str
    right: str
    excluded: str


def pair_label(reader: str, session: int, position: int) -> str:
    """What exports call a pair: its place in the reader's plan."""
    return f"{reader}-{session}-{position:03d}"


def observations(
    session: Session,
    protocol: Protocol,
    readers: Mapping[str, Reader],
    answers: CurrentAnswers,
    masks: Mapping[str, str],
    left_out: ExclusionRules,
) -> Iterator[Observation]:
    """Every question and side of the readers' plans, answered or not.

    Parameters
    ----------
    session : Session
    protocol : Protocol
    readers : mapping
        Readers to include, by identifier.
    answers : CurrentAnswers
    masks : mapping
        Mask of each method, by identifier.
    left_out : ExclusionRules
    """
    for showing in _showings(session, readers, masks, left_out):
        for question in protocol.questions:
            for slot in question.slots:
                event = answers.current.get((showing.presentation.id, question.code, slot))
                yield _observation(showing, question.code, slot, event)


def _showings(
    session: Session,
    readers: Mapping[str, Reader],
    masks: Mapping[str, str],
    left_out: ExclusionRules,
) -> Iterator[_Showing]:
    sides = _sides(session)
    rows = session.execute(
        select(Presentation, ReadingSession, Item)
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .join(Item, Item.id == Presentation.item_id)
        .where(ReadingSession.reader_id.in_(list(readers)))
        .order_by(ReadingSession.number, Presentation.position)
    ).all()
    labels = {
        presentation.id: pair_label(readers[s.reader_id].code, s.number, presentation.position)
        for presentation, s, _ in rows
    }
    for presentation, sitting, item in rows:
        left, right = sides[presentation.id]
        rule = left_out.readers.get(sitting.reader_id) or left_out.items.get(item.id)
        yield _Showing(
            presentation,
            sitting,
            item,
            readers[sitting.reader_id].code,
            labels[presentation.id],
            labels[presentation.repeat_of] if presentation.repeat_of else "",
            masks[left],
            masks[right],
            rule or "",
        )


def _observation(
    showing: _Showing, question: str, slot: int, event: RatingEvent | None
) -> Observation:
    value, missing, seconds = None, NOT_READ, None
    if event is not None:
        value = None if event.value_num is None else int(event.value_num)
        missing = event.value_text or ""
        ms = event.client_visible_ms
        seconds = None if ms is None else ms / 1000
    return Observation(
        reader=showing.reader,
        case=showing.item.case_key,
        patient=showing.item.patient_key,
        left=showing.left,
        right=showing.right,
        question=question,
        side=slot,
        value=value,
        missing=missing,
        role=Role(showing.presentation.role),
        session=showing.sitting.number,
        position=showing.presentation.position,
        pair=showing.pair,
        repeat_of=showing.repeat_of,
        revision=0 if event is None else event.revision,
        seconds=seconds,
        at="" if event is None else event.server_at,
        excluded=showing.excluded,
    )


def _sides(session: Session) -> dict[str, list[str]]:
    """The methods on the left and right of every presentation."""
    found: dict[str, list[str]] = defaultdict(list)
    rows = session.execute(
        select(PresentationSlot.presentation_id, Stimulus.method_id)
        .join(Stimulus, Stimulus.id == PresentationSlot.stimulus_id)
        .order_by(PresentationSlot.presentation_id, PresentationSlot.slot)
    )
    for presentation_id, method_id in rows:
        found[presentation_id].append(method_id)
    return found
