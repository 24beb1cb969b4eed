"""How far a study is, blind: counts, times and missing answers by reader, nothing by method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from study.domain.protocol import MethodKind, Phase, Protocol, Status
from study.stimuli.roster import PENDING
from study.storage.models import (
    Consent,
    Item,
    Method,
    Presentation,
    RatingEvent,
    Reader,
    ReadingSession,
    Stimulus,
    Study,
    now,
)
from study.storage.store import Store, parsed


@dataclass(frozen=True)
class ReaderProgress:
    """One reader's place.

    Parameters
    ----------
    code : str
    state : str
        not invited, invited, joined, reading, waiting, finished, withdrawn or switched off.
    done, planned : int
        Pairs of the reading sessions, all roles alike.
    training_done, training_planned : int
        Pairs of the training.
    answers, missing : int
        Current answers to reading pairs, and those of them that say "cannot judge".
    seconds : float or None
        Median visible time of a reading pair.
    corrections : int
        Pairs that were answered again.
    last_at : str
        Of the last answer; empty before the first.
    waits_until : str
        When the next session opens, where it has not yet.
    simulated : bool
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
    simulated: bool = False


@dataclass(frozen=True)
class ImageCounts:
    """What is built, without names.

    Parameters
    ----------
    cases, training, patients : int
        Cases to be read, cases for training and dummies only, patients of the former.
    kinds : tuple of (MethodKind, int)
        Methods of each kind.
    stimuli, pending : int
        Images that were rendered, and those of them that have not passed all gates.
    """

    cases: int
    training: int
    patients: int
    kinds: tuple[tuple[MethodKind, int], ...]
    stimuli: int
    pending: int

    @property
    def methods(self) -> int:
        """Methods of all kinds."""
        return sum(number for _, number in self.kinds)

    @property
    def complete(self) -> bool:
        """Whether every case has a checked image of every method."""
        wanted = (self.cases + self.training) * self.methods
        return wanted > 0 and self.stimuli == wanted and not self.pending


@dataclass(frozen=True)
class ProgressReport:
    """A study from outside.

    Parameters
    ----------
    code : str
    status : Status
    protocol : Protocol
    created_at, frozen_at : str
    protocol_sha256, seed_sha256, plan_sha256, key_sha256 : str
        The latter two are empty before the freeze.
    images : ImageCounts
    readers : tuple of ReaderProgress
    """

    code: str
    status: Status
    protocol: Protocol
    created_at: str
    frozen_at: str
    protocol_sha256: str
    seed_sha256: str
    plan_sha256: str
    key_sha256: str
    images: ImageCounts
    readers: tuple[ReaderProgress, ...]

    @property
    def done(self) -> int:
        """Reading pairs that were answered, of all readers who take part."""
        return sum(reader.done for reader in self._counting)

    @property
    def planned(self) -> int:
        """Reading pairs of all readers who take part."""
        return sum(reader.planned for reader in self._counting)

    @property
    def _counting(self) -> tuple[ReaderProgress, ...]:
        return tuple(r for r in self.readers if r.state not in ("withdrawn", "switched off"))


def progress_report(store: Store) -> ProgressReport:
    """Read how far a study is."""
    with store.read() as session:
        study = session.get_one(Study, store.study_id)
        return ProgressReport(
            code=study.code,
            status=Status(study.status),
            protocol=parsed(study.protocol_json),
            created_at=study.created_at,
            frozen_at=study.frozen_at or "",
            protocol_sha256=study.protocol_sha256,
            seed_sha256=study.seed_sha256,
            plan_sha256=study.plan_sha256 or "",
            key_sha256=study.key_sha256 or "",
            images=_images(session, store.study_id),
            readers=_readers(session, store.study_id),
        )


def _images(session: Session, study_id: str) -> ImageCounts:
    of_study = Item.study_id == study_id
    counted = select(Method.kind, func.count()).where(Method.study_id == study_id)
    kinds = {row.kind: row[1] for row in session.execute(counted.group_by(Method.kind))}
    stimuli, pending = session.execute(
        select(func.count(), func.sum(case((Stimulus.deid_check == PENDING, 1), else_=0)))
        .select_from(Stimulus)
        .join(Item, Item.id == Stimulus.item_id)
        .where(of_study)
    ).one()
    main = select(func.count(), func.count(Item.patient_key.distinct())).where(
        of_study, ~Item.training
    )
    cases, patients = session.execute(main).one()
    training = session.scalar(select(func.count()).where(of_study, Item.training)) or 0
    return ImageCounts(
        cases, training, patients,
        tuple((kind, kinds[kind]) for kind in MethodKind if kind in kinds),
        stimuli, pending or 0,
    )  # fmt: skip


def _readers(session: Session, study_id: str) -> tuple[ReaderProgress, ...]:
    planned = _counted(session, _pairs())
    answered = _counted(session, _pairs().where(_is_answered()))
    values = _values(session)
    times = _times(session)
    consents = defaultdict(set)
    for reader_id, action in session.execute(select(Consent.reader_id, Consent.action)):
        consents[reader_id].add(action)
    opens = _opens(session)
    found = []
    rows = select(Reader).where(Reader.study_id == study_id).order_by(Reader.code)
    for reader in session.scalars(rows):
        answers, missing, corrections, last = values.get(reader.id, (0, 0, 0, ""))
        done, wanted = answered.get((reader.id, False), 0), planned.get((reader.id, False), 0)
        trained = answered.get((reader.id, True), 0)
        waits = opens.get(reader.id, "")
        found.append(
            ReaderProgress(
                code=reader.code,
                state=_state(reader, consents[reader.id], done + trained, done == wanted, waits),
                done=done,
                planned=wanted,
                training_done=trained,
                training_planned=planned.get((reader.id, True), 0),
                answers=answers,
                missing=missing,
                seconds=times.get(reader.id),
                corrections=corrections,
                last_at=last,
                waits_until=waits,
                simulated=reader.simulated,
            )
        )
    return tuple(found)


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
        .group_by(ReadingSession.reader_id, ReadingSession.phase)
    )


def _counted(session: Session, wanted: Select[str, str, int]) -> Mapping[tuple[str, bool], int]:
    """Pairs by reader and whether they are of the training."""
    found: dict[tuple[str, bool], int] = defaultdict(int)
    for reader, phase, count in session.execute(wanted):
        found[reader, phase == Phase.TRAINING] += count
    return found


def _values(session: Session) -> Mapping[str, tuple[int, int, int, str]]:
    """Answers, missing ones, corrected pairs and the last time, by reader."""
    latest = (
        select(RatingEvent.presentation_id, func.max(RatingEvent.revision).label("revision"))
        .group_by(RatingEvent.presentation_id)
        .subquery()
    )
    corrected = case((RatingEvent.revision > 1, RatingEvent.presentation_id))
    rows = session.execute(
        select(
            ReadingSession.reader_id,
            func.count(),
            func.count(RatingEvent.value_text),
            func.count(corrected.distinct()),
            func.max(RatingEvent.server_at),
        )
        .join(Presentation, Presentation.id == RatingEvent.presentation_id)
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .join(
            latest,
            (latest.c.presentation_id == RatingEvent.presentation_id)
            & (latest.c.revision == RatingEvent.revision),
        )
        .where(~_is_training())
        .group_by(ReadingSession.reader_id)
    )
    return {reader: (n, missing, again, last) for reader, n, missing, again, last in rows}


def _times(session: Session) -> Mapping[str, float]:
    """Median visible seconds of a reading pair, by reader."""
    rows = session.execute(
        select(ReadingSession.reader_id, func.max(RatingEvent.client_visible_ms))
        .join(Presentation, Presentation.id == RatingEvent.presentation_id)
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .where(~_is_training(), RatingEvent.revision == 1)
        .group_by(ReadingSession.reader_id, RatingEvent.presentation_id)
    )
    visible: dict[str, list[float]] = defaultdict(list)
    for reader, milliseconds in rows:
        if milliseconds is not None:
            visible[reader].append(milliseconds / 1000)
    return {reader: median(seconds) for reader, seconds in visible.items()}


def _opens(session: Session) -> Mapping[str, str]:
    """When the next session opens, of readers who have to wait."""
    rows = session.execute(
        select(ReadingSession.reader_id, func.min(ReadingSession.not_before))
        .where(ReadingSession.finished_at.is_(None), ReadingSession.not_before > now())
        .group_by(ReadingSession.reader_id)
    )
    return {reader: opens or "" for reader, opens in rows}
