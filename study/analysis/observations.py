"""Observations from a store: one for each question and side of every planned pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.analysis.dataset import IMAGE_LOST, NOT_ASKED, NOT_READ, Observation
from study.domain.drawings import ImageFrame, frame_of
from study.domain.plan import TRAINING_SESSION, session_label
from study.domain.plan import sides as placed
from study.domain.protocol import Protocol
from study.domain.question_kinds import measured, unit_of
from study.domain.questions import CANNOT_JUDGE, Question
from study.domain.terms import Phase, Role
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

_EVENT, _SHOWN, _SLOT = (one.__table__ for one in (RatingEvent, Presentation, PresentationSlot))
_SITTING, _STIMULUS = ReadingSession.__table__, Stimulus.__table__
"""Tables in place of their classes, of which a million rows take twice the time."""


class CurrentAnswers:
    """The current answer of a reader to every question and side of every presentation.

    Of one reader, because those of all may be a million.

    Attributes
    ----------
    current : dict
        The last revision of each answer, by presentation id, question id and slot.
    revisions : dict
        Number of the last revision of each answered presentation.
    """

    def __init__(self, session: Session, reader_id: str) -> None:
        rows = session.execute(
            select(
                _EVENT.c.presentation_id, _EVENT.c.question_id, _EVENT.c.slot,
                _EVENT.c.value_num, _EVENT.c.value_text, _EVENT.c.revision,
                _EVENT.c.client_visible_ms, _EVENT.c.server_at, _EVENT.c.protocol_version,
            )
            .join(_SHOWN, _SHOWN.c.id == _EVENT.c.presentation_id)
            .join(_SITTING, _SITTING.c.id == _SHOWN.c.session_id)
            .where(_SITTING.c.reader_id == reader_id)
        )  # fmt: skip
        self.current: dict[tuple[str, str, int], _Answer] = {}
        self.revisions: dict[str, int] = {}
        times: dict[str, str] = {}
        for pair, question, slot, number, text, revision, ms, at, version in rows:
            self.revisions[pair] = max(self.revisions.get(pair, 0), revision)
            key = (pair, question, slot)
            if key not in self.current or self.current[key].revision < revision:
                # The answers to a pair share the text of their time.
                shared = times.setdefault(at, at)
                self.current[key] = _Answer(number, text, revision, ms, shared, version or 1)


class _Answer(NamedTuple):
    value_num: float | None
    value_text: str | None
    revision: int
    client_visible_ms: int | None
    server_at: str
    version: int


@dataclass(frozen=True)
class ExclusionRules:
    """Codes of the rules by which readers and cases are excluded, by identifier."""

    readers: Mapping[str, str]
    items: Mapping[str, str]


class _PlannedPair(NamedTuple):
    """A presentation with the fields that its observations share."""

    id: str
    position: int
    role: Role
    session: int
    item: Item
    case: str
    patient: str
    reader: str
    pair: str
    repeat_of: str
    left: str
    right: str
    others: tuple[str, ...]
    excluded: str
    unread: str

    @property
    def frame(self) -> ImageFrame:
        """Size of its pixels; that of the image does not matter for what is measured."""
        return frame_of(0, 0, self.item.window_json)


def pair_label(reader: str, session: int, position: int) -> str:
    """The label of a pair in exports: its position in the reader's plan."""
    return f"{reader}-{session_label(session)}-{position:03d}"


class PlanReader:
    """Reads the plans of readers as observations, of one reader at a time; no qualification.

    Parameters
    ----------
    session : Session
    study_id : str
    protocol : Protocol
    masks : mapping
        Mask of each method, by identifier.
    exclusions : ExclusionRules
    closed_at : str
        When the study was closed: what could not be shown until then was lost.
    """

    def __init__(
        self,
        session: Session,
        study_id: str,
        protocol: Protocol,
        masks: Mapping[str, str],
        exclusions: ExclusionRules,
        *,
        closed_at: str,
    ) -> None:
        self._session, self._masks, self._exclusions = session, masks, exclusions
        rows = session.execute(
            select(QuestionRow.code, QuestionRow.id).where(QuestionRow.study_id == study_id)
        )
        ids = dict(rows.all())
        self._asked = [
            (question, ids[question.code], slot)
            for question in protocol.questions
            for slot in protocol.slots(question)
        ]
        items = session.scalars(select(Item).where(Item.study_id == study_id))
        self._items = {one.id: one for one in items}
        self._lost = skipped_pairs(session, closed_at)

    def observations(
        self, reader: Reader, answers: CurrentAnswers, *, replaced: bool
    ) -> Iterator[Observation]:
        """Observations for every question and side of a reader's plan, answered or not.

        Parameters
        ----------
        reader : Reader
        answers : CurrentAnswers
            Of this reader.
        replaced : bool
            Whether the unread pairs are another reader's now.
        """
        for planned in self._planned_pairs(reader):
            if replaced and planned.id not in answers.revisions:
                continue
            read = planned.id in answers.revisions
            unread = NOT_ASKED if read else planned.unread
            for question, question_id, slot in self._asked:
                answer = answers.current.get((planned.id, question_id, slot))
                yield _observation(planned, question, slot, answer, unread)

    def _planned_pairs(self, reader: Reader) -> Iterator[_PlannedPair]:
        sides = self._sides(reader)
        rows = self._session.execute(
            select(
                _SHOWN.c.id, _SHOWN.c.position, _SHOWN.c.role, _SHOWN.c.repeat_of,
                _SHOWN.c.item_id, _SITTING.c.number,
            )
            .join(_SITTING, _SITTING.c.id == _SHOWN.c.session_id)
            .where(
                _SITTING.c.reader_id == reader.id, _SITTING.c.phase != Phase.QUALIFICATION
            )
            .order_by(_SITTING.c.number, _SHOWN.c.position)
        ).all()  # fmt: skip
        labels = {row.id: pair_label(reader.code, row.number, row.position) for row in rows}
        by_reader = self._exclusions.readers.get(reader.id)
        for row in rows:
            item = self._items[row.item_id]
            shown = placed(sides[row.id])
            yield _PlannedPair(
                row.id,
                row.position,
                Role(row.role),
                max(row.number, TRAINING_SESSION),
                item,
                item.case_key,
                item.patient_key,
                reader.code,
                labels[row.id],
                labels[row.repeat_of] if row.repeat_of else "",
                shown["left"],
                shown["right"],
                shown["others"],
                by_reader or self._exclusions.items.get(row.item_id) or "",
                IMAGE_LOST if row.id in self._lost else NOT_READ,
            )

    def _sides(self, reader: Reader) -> dict[str, list[str]]:
        """The masks of the methods of every presentation, by slot."""
        found: dict[str, list[str]] = defaultdict(list)
        rows = self._session.execute(
            select(_SLOT.c.presentation_id, _STIMULUS.c.method_id)
            .join(_STIMULUS, _STIMULUS.c.id == _SLOT.c.stimulus_id)
            .join(_SHOWN, _SHOWN.c.id == _SLOT.c.presentation_id)
            .join(_SITTING, _SITTING.c.id == _SHOWN.c.session_id)
            .where(_SITTING.c.reader_id == reader.id)
            .order_by(_SLOT.c.presentation_id, _SLOT.c.slot)
        )
        for presentation_id, method_id in rows:
            found[presentation_id].append(self._masks[method_id])
        return found


def _observation(
    planned: _PlannedPair, question: Question, slot: int, given: _Answer | None, unread: str
) -> Observation:
    value: float | None = None
    missing, answer, unit, seconds, revision, at, version = unread, "", "", None, 0, "", 1
    if given is not None:
        number, text, revision, ms, at, version = given
        value = None if number is None else int(number)
        missing = text or ""
        if missing and missing != CANNOT_JUDGE:
            missing, answer = "", missing
            value = measured(question, answer, planned.frame)
            unit = unit_of(question, planned.frame)
        seconds = None if ms is None else ms / 1000
    return Observation(
        planned.reader, planned.case, planned.patient, planned.left, planned.right, question.code,
        slot, value, missing, planned.role, planned.session, planned.position, planned.pair,
        planned.repeat_of, revision, seconds, at, planned.excluded, answer, unit, planned.others,
        version,
    )  # fmt: skip
