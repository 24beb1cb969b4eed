"""Blinded progress of each reader: counts, times and missing answers, nothing by method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from study.domain.formatting import plural
from study.domain.protocol import Protocol
from study.domain.terms import Phase, Status
from study.planning.answer_counts import AnswerCounts, answer_counts
from study.storage.image_events import is_skipped
from study.storage.models import (
    Consent,
    ImageEvent,
    Presentation,
    RatingEvent,
    Reader,
    ReaderChange,
    ReadingSession,
    Study,
    now,
)
from study.storage.qualification_results import qualifications


@dataclass(frozen=True)
class ReaderProgress:
    """Progress of one reader.

    Parameters
    ----------
    code : str
    state : str
        not invited, invited, joined, reading, not qualified, waiting, finished, withdrawn, replaced
        or switched off; not finished after the study is closed.
    done, planned : int
        Pairs of the reading sessions, of all roles; of a replaced reader those that were read.
    training_done, training_planned : int
        Training pairs.
    answers, missing : int
        Current answers to reading pairs, and the "cannot judge" among them.
    seconds : float or None
        Median time that a reading pair was visible.
    corrections : int
        Corrected pairs.
    last_at : str
        Time of the latest answer; empty before the first.
    waits_until : str
        When the next session opens; empty where it is open.
    opened_at : str
        When the session opened that has not been begun, after a time of waiting; empty elsewhere.
    simulated : bool
    replaces, replaced_by : str
        Codes of the readers before and after in the same plan.
    note : str
        The latest note of a coordinator.
    skipped : int
        Pairs that are not shown, because an image is lost or damaged.
    qualification : str
        How far the reader is in the qualification; empty where there is none.
    """

    code: str
    state: str
    done: int = 0
    planned: int = 0
    training_done: int = 0
    training_planned: int = 0
    answers: int = 0
    missing: int = 0
    seconds: float | None = None
    corrections: int = 0
    last_at: str = ""
    waits_until: str = ""
    opened_at: str = ""
    simulated: bool = False
    replaces: str = ""
    replaced_by: str = ""
    note: str = ""
    skipped: int = 0
    qualification: str = ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Phrases about replacements and skipped pairs, and the note."""
        said = (
            f"in place of {self.replaces}" if self.replaces else "",
            f"replaced by {self.replaced_by}" if self.replaced_by else "",
            f"{plural(self.skipped, 'pair')} skipped" if self.skipped else "",
            f"qualification: {self.qualification}" if self.qualification else "",
            self.note,
        )
        return tuple(filter(None, said))


def readers_progress(
    session: Session, study_id: str, protocol: Protocol
) -> tuple[ReaderProgress, ...]:
    """The progress of every reader, in order of their codes."""
    planned = _counted(session, _pairs())
    counted = answer_counts(session)
    consents = defaultdict(set)
    for reader_id, action in session.execute(select(Consent.reader_id, Consent.action)):
        consents[reader_id].add(action)
    over = session.get_one(Study, study_id).status in (Status.CLOSED, Status.UNBLINDED)
    opens = {} if over else _opens(session)
    skipped: Mapping[tuple[str, bool], int] = {}
    if session.scalar(select(exists().select_from(ImageEvent))):
        skipped = _counted(session, _pairs().where(is_skipped(Presentation.id), ~_is_answered()))
    found = []
    rows = select(Reader).where(Reader.study_id == study_id).order_by(Reader.code)
    readers = session.scalars(rows).all()
    before, after, notes = _changes(session, {one.id: one.code for one in readers})
    attempts = qualifications(session, study_id, protocol)
    for reader in readers:
        read = counted.get(reader.id, AnswerCounts())
        done, trained, wanted = read.done, read.trained, planned.get((reader.id, False), 0)
        due = opens.get(reader.id, "")
        waits = due if due > now() else ""
        hidden, replaced = skipped.get((reader.id, False), 0), reader.id in after
        if replaced:
            wanted, hidden, waits = done, 0, ""
        begun = done + trained + read.qualifying
        own = attempts.get(reader.id)
        state = _state(reader, consents[reader.id], begun, done + hidden == wanted, waits)
        if state == "reading" and over:
            state = "not finished"
        if state in ("reading", "not finished") and own is not None and own.failed:
            state = "not qualified"
        found.append(
            ReaderProgress(
                code=reader.code,
                state="replaced" if replaced and state != "withdrawn" else state,
                done=done,
                planned=wanted,
                training_done=trained,
                training_planned=planned.get((reader.id, True), 0),
                answers=read.answers,
                missing=read.missing,
                seconds=read.seconds,
                corrections=read.corrections,
                last_at=read.last_at,
                waits_until=waits,
                opened_at=due if not waits and not replaced else "",
                simulated=reader.simulated,
                replaces=before.get(reader.id, ""),
                replaced_by=after.get(reader.id, ""),
                note=notes.get(reader.id, ""),
                skipped=hidden,
                qualification="" if own is None else own.as_text(),
            )
        )
    return tuple(found)


def _changes(
    session: Session, codes: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Codes of the reader before and after, and the latest note, by reader."""
    before, after, notes = {}, {}, {}
    wanted = select(ReaderChange).where(ReaderChange.reader_id.in_(list(codes)))
    for one in session.scalars(wanted.order_by(ReaderChange.at)):
        if one.other_id is not None:
            before[one.reader_id] = codes[one.other_id]
            after[one.other_id] = codes[one.reader_id]
        elif one.kind == "note":
            notes[one.reader_id] = one.text
    return before, after, notes


def _state(reader: Reader, consent: set[str], begun: int, finished: bool, waits: str) -> str:
    if "withdrawn" in consent:
        return "withdrawn"
    if not reader.active:
        return "switched off"
    if begun:
        return "finished" if finished else "waiting" if waits else "reading"
    if "accepted" in consent:
        return "joined"
    return "not invited" if reader.secret_hash is None else "invited"


def _is_training() -> Any:
    return ReadingSession.phase == Phase.TRAINING


def _is_answered() -> Any:
    return Presentation.id.in_(select(RatingEvent.presentation_id))


def _pairs() -> Select[str, str, int]:
    return (
        select(ReadingSession.reader_id, ReadingSession.phase, func.count())
        .join(Presentation, Presentation.session_id == ReadingSession.id)
        .where(ReadingSession.phase != Phase.QUALIFICATION)
        .group_by(ReadingSession.reader_id, ReadingSession.phase)
    )


def _counted(session: Session, wanted: Select[str, str, int]) -> Mapping[tuple[str, bool], int]:
    """Numbers of pairs, by reader and whether they are training pairs."""
    found: dict[tuple[str, bool], int] = defaultdict(int)
    for reader, phase, count in session.execute(wanted):
        found[reader, phase == Phase.TRAINING] += count
    return found


def _opens(session: Session) -> Mapping[str, str]:
    """When the next session opens or has opened, by reader who had to wait and has not begun it."""
    rows = session.execute(
        select(ReadingSession.reader_id, func.min(ReadingSession.not_before))
        .where(ReadingSession.started_at.is_(None), ReadingSession.not_before.is_not(None))
        .group_by(ReadingSession.reader_id)
    )
    return {reader: opens or "" for reader, opens in rows}
