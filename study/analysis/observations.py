"""Observations from a store: one for each question and side of every planned pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.analysis.dataset import IMAGE_LOST, NOT_READ, Observation
from study.domain.drawings import ImageFrame, frame_of
from study.domain.protocol import Protocol, Role
from study.domain.question_kinds import measured, unit_of
from study.domain.questions import CANNOT_JUDGE, Question
from study.storage.image_events import skipped_pairs
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
"""(presentation id, question code, slot)."""


class CurrentAnswers:
    """The current answer to every question and side of every presentation.

    Attributes
    ----------
    current : dict
        The last revision of each answered `Cell`.
    revisions : dict
        Number of the last revision of each answered presentation.
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
    """Codes of the rules by which readers and cases are excluded, by identifier."""

    readers: Mapping[str, str]
    items: Mapping[str, str]


@dataclass(frozen=True)
class _PlannedPair:
    """A presentation with the fields that its observations share."""

    presentation: Presentation
    sitting: ReadingSession
    item: Item
    reader: str
    pair: str
    repeat_of: str
    left: str
    right: str
    excluded: str
    unread: str

    @property
    def frame(self) -> ImageFrame:
        """Size of its pixels; that of the image does not matter for what is measured."""
        return frame_of(0, 0, self.item.window_json)


def pair_label(reader: str, session: int, position: int) -> str:
    """The label of a pair in exports: its position in the reader's plan."""
    return f"{reader}-{session}-{position:03d}"


def observations(
    session: Session,
    protocol: Protocol,
    readers: Mapping[str, Reader],
    answers: CurrentAnswers,
    masks: Mapping[str, str],
    exclusions: ExclusionRules,
    replaced: Collection[str] = (),
    *,
    closed_at: str,
) -> Iterator[Observation]:
    """Observations for every question and side of the readers' plans, answered or not.

    Parameters
    ----------
    session : Session
    protocol : Protocol
    readers : mapping
        Readers to include, by identifier.
    answers : CurrentAnswers
    masks : mapping
        Mask of each method, by identifier.
    exclusions : ExclusionRules
    replaced : collection of str
        Identifiers of readers whose unread pairs are another reader's now.
    closed_at : str
        When the study was closed: what could not be shown until then was lost.
    """
    lost = skipped_pairs(session, closed_at)
    for planned in _planned_pairs(session, readers, masks, exclusions, lost):
        left = planned.presentation.id not in answers.revisions
        if left and planned.sitting.reader_id in replaced:
            continue
        for question in protocol.questions:
            for slot in protocol.slots(question):
                event = answers.current.get((planned.presentation.id, question.code, slot))
                yield _observation(planned, question, slot, event)


def _planned_pairs(
    session: Session,
    readers: Mapping[str, Reader],
    masks: Mapping[str, str],
    exclusions: ExclusionRules,
    lost: Collection[str],
) -> Iterator[_PlannedPair]:
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
        left, *others = sides[presentation.id]
        rule = exclusions.readers.get(sitting.reader_id) or exclusions.items.get(item.id)
        yield _PlannedPair(
            presentation,
            sitting,
            item,
            readers[sitting.reader_id].code,
            labels[presentation.id],
            labels[presentation.repeat_of] if presentation.repeat_of else "",
            masks[left],
            masks[others[0]] if others else "",
            rule or "",
            IMAGE_LOST if presentation.id in lost else NOT_READ,
        )


def _observation(
    planned: _PlannedPair, question: Question, slot: int, event: RatingEvent | None
) -> Observation:
    value: float | None = None
    missing, answer, unit, seconds = planned.unread, "", "", None
    if event is not None:
        value = None if event.value_num is None else int(event.value_num)
        missing = event.value_text or ""
        if missing and missing != CANNOT_JUDGE:
            missing, answer = "", missing
            value = measured(question, answer, planned.frame)
            unit = unit_of(question, planned.frame)
        ms = event.client_visible_ms
        seconds = None if ms is None else ms / 1000
    return Observation(
        reader=planned.reader,
        case=planned.item.case_key,
        patient=planned.item.patient_key,
        left=planned.left,
        right=planned.right,
        question=question.code,
        side=slot,
        value=value,
        missing=missing,
        answer=answer,
        unit=unit,
        role=Role(planned.presentation.role),
        session=planned.sitting.number,
        position=planned.presentation.position,
        pair=planned.pair,
        repeat_of=planned.repeat_of,
        revision=0 if event is None else event.revision,
        seconds=seconds,
        at="" if event is None else event.server_at,
        excluded=planned.excluded,
    )


def _sides(session: Session) -> dict[str, list[str]]:
    """The method ids on the left and right of every presentation."""
    found: dict[str, list[str]] = defaultdict(list)
    rows = session.execute(
        select(PresentationSlot.presentation_id, Stimulus.method_id)
        .join(Stimulus, Stimulus.id == PresentationSlot.stimulus_id)
        .order_by(PresentationSlot.presentation_id, PresentationSlot.slot)
    )
    for presentation_id, method_id in rows:
        found[presentation_id].append(method_id)
    return found
