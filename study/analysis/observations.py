"""Observations from a store: one for each question and side of every planned pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
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

_EVENT, _SHOWN, _SLOT, _SITTING, _ITEM = (
    one.__table__ for one in (RatingEvent, Presentation, PresentationSlot, ReadingSession, Item)
)
"""Tables in place of their classes, of which a million rows take twice the time."""
_AT_ONCE = 2000
"""Rows that are fetched at a time."""


class ShownPair(NamedTuple):
    """A presentation of a reader's plan, as it is stored."""

    id: str
    position: int
    role: str
    repeat_of: str | None
    item_id: str
    session: int
    phase: str


def shown_pairs(session: Session, reader_id: str) -> list[ShownPair]:
    """The plan of a reader in the order in which it is shown, with qualifications."""
    rows = session.execute(
        select(
            _SHOWN.c.id, _SHOWN.c.position, _SHOWN.c.role, _SHOWN.c.repeat_of, _SHOWN.c.item_id,
            _SITTING.c.number, _SITTING.c.phase,
        )
        .join(_SITTING, _SITTING.c.id == _SHOWN.c.session_id)
        .where(_SITTING.c.reader_id == reader_id)
        .order_by(_SITTING.c.number, _SHOWN.c.position)
    )  # fmt: skip
    return list(map(ShownPair._make, rows))


class CurrentAnswers:
    """The current answers of a reader to all presentations.

    Of one reader, because those of all may be a million.

    Attributes
    ----------
    current : dict
        By presentation id: the last revision of each answer, by question id and slot.
    corrected : set of str
        Identifiers of presentations with an answer that was corrected.
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
            .execution_options(yield_per=_AT_ONCE)
        )  # fmt: skip
        self.current: dict[str, dict[tuple[str, int], _Answer]] = {}
        self.corrected: set[str] = set()
        times: dict[str, str] = {}
        for row in chain.from_iterable(rows.partitions()):
            pair, question, slot, number, text, revision, ms, at, version = row
            if revision > 1:
                self.corrected.add(pair)
            own = self.current.setdefault(pair, {})
            known = own.get((question, slot))
            if known is None or known.revision < revision:
                # The answers to a pair share the text of their time.
                shared = times.setdefault(at, at)
                own[question, slot] = _Answer(number, text, revision, ms, shared, version or 1)


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


class _Item(NamedTuple):
    id: str
    case: str
    patient: str
    window_json: str


class _PlannedPair(NamedTuple):
    """A presentation with the fields that its observations share."""

    id: str
    position: int
    role: Role
    session: int
    item: _Item
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
        self._session, self._exclusions = session, exclusions
        rows = session.execute(
            select(QuestionRow.code, QuestionRow.id).where(QuestionRow.study_id == study_id)
        )
        ids = dict(rows.all())
        self._asked = [
            (question, slot, (ids[question.code], slot))
            for question in protocol.questions
            for slot in protocol.slots(question)
        ]
        items = session.execute(
            select(_ITEM.c.id, _ITEM.c.case_key, _ITEM.c.patient_key, _ITEM.c.window_json)
            .where(_ITEM.c.study_id == study_id)
        )  # fmt: skip
        self._items = {one.id: one for one in map(_Item._make, items)}
        stimuli = session.execute(select(Stimulus.id, Stimulus.method_id))
        self._shown = {stimulus: masks[method] for stimulus, method in stimuli if method in masks}
        self._lost = skipped_pairs(session, closed_at)

    def observations(
        self, reader: Reader, plan: Sequence[ShownPair], answers: CurrentAnswers, *, replaced: bool
    ) -> Iterator[Observation]:
        """Observations for every question and side of a reader's plan, answered or not.

        Parameters
        ----------
        reader : Reader
        plan : sequence of ShownPair
        answers : CurrentAnswers
            Of this reader.
        replaced : bool
            Whether the unread pairs are another reader's now.
        """
        for pair in self._pairs(reader, plan):
            given = answers.current.get(pair.id)
            if given is None and replaced:
                continue
            unread = pair.unread if given is None else NOT_ASKED
            for question, slot, key in self._asked:
                answer = None if given is None else given.get(key)
                yield _observation(pair, question, slot, answer, unread)

    def _pairs(self, reader: Reader, plan: Sequence[ShownPair]) -> Iterator[_PlannedPair]:
        sides = self._sides(reader)
        pairs = [one for one in plan if one.phase != Phase.QUALIFICATION]
        labels = {one.id: pair_label(reader.code, one.session, one.position) for one in pairs}
        by_reader = self._exclusions.readers.get(reader.id)
        for one in pairs:
            item = self._items[one.item_id]
            shown = placed(sides[one.id])
            yield _PlannedPair(
                one.id,
                one.position,
                Role(one.role),
                max(one.session, TRAINING_SESSION),
                item,
                reader.code,
                labels[one.id],
                labels[one.repeat_of] if one.repeat_of else "",
                shown["left"],
                shown["right"],
                shown["others"],
                by_reader or self._exclusions.items.get(one.item_id) or "",
                IMAGE_LOST if one.id in self._lost else NOT_READ,
            )

    def _sides(self, reader: Reader) -> dict[str, list[str]]:
        """The masks of the methods of every presentation, by slot."""
        found: dict[str, list[str]] = defaultdict(list)
        rows = self._session.execute(
            select(_SLOT.c.presentation_id, _SLOT.c.stimulus_id)
            .join(_SHOWN, _SHOWN.c.id == _SLOT.c.presentation_id)
            .join(_SITTING, _SITTING.c.id == _SHOWN.c.session_id)
            .where(_SITTING.c.reader_id == reader.id)
            .order_by(_SLOT.c.slot)
        )
        for presentation_id, stimulus_id in rows.all():
            found[presentation_id].append(self._shown[stimulus_id])
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
        planned.reader, planned.item.case, planned.item.patient, planned.left, planned.right,
        question.code, slot, value, missing, planned.role, planned.session, planned.position,
        planned.pair, planned.repeat_of, revision, seconds, at, planned.excluded, answer, unit,
        planned.others, version,
    )  # fmt: skip
