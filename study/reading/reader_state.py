"""Where a reader stands, from the database alone: what is to be shown next.

Consent, profile, display check, then the sessions of the plan one after the other, then the
question about the blinding. Nothing is kept in memory: after a crash, on another machine or in a
second window the reader is where the stored answers end.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, exists, func, select
from sqlalchemy.orm import Session

from study.domain.errors import WrongScreen
from study.domain.protocol import Protocol, Status
from study.domain.screens import (
    PATCHES,
    Body,
    ConsentText,
    DisplayForm,
    Guessing,
    Kind,
    Notice,
    ProfileForm,
    Progress,
    Reading,
    Ready,
    Screen,
    Wait,
)
from study.reading.blinding_questionnaire import guesses, open_guesses
from study.reading.next_pair import previous, upcoming
from study.reading.progress import READING, progress, sitting_minutes
from study.storage.models import (
    BlindingGuess,
    Consent,
    DisplayCheck,
    Presentation,
    RatingEvent,
    Reader,
    ReadingSession,
    Study,
    stamp,
)
from study.storage.store import Store, parsed

CHECK_HOURS = 12.0
"""How long a display check holds: on a new day it is likely another room or another screen."""
CORRECTION_MINUTES = 30.0
"""How long the answers given last may be corrected."""

_CLOSED = {
    Status.DRAFT: "This study is being prepared. You will be told when it opens.",
    Status.FROZEN: "This study has not opened yet. You will be told when it does.",
    Status.CLOSED: "This study is closed. Thank you for reading.",
    Status.UNBLINDED: "This study is closed. Thank you for reading.",
}
_WITHDRAWN = "Your answers are left out of every analysis. Thank you for the time you gave."
_DONE = "You have read everything. All your answers are stored; you may close this page."

# Asked at every answer, so they are made once.
_CONSENT = (
    select(Consent)
    .where(Consent.reader_id == bindparam("reader_id"))
    .order_by((Consent.action == "withdrawn").desc(), Consent.at.desc())
    .limit(1)
)
_CHECKS = (
    select(DisplayCheck)
    .where(DisplayCheck.reader_id == bindparam("reader_id"), DisplayCheck.at > bindparam("oldest"))
    .order_by(DisplayCheck.at.desc())
)
_ANSWERED_AT = select(func.min(RatingEvent.server_at)).where(
    RatingEvent.presentation_id == bindparam("pair_id"),
    ~exists().where(BlindingGuess.reader_id == bindparam("reader_id")),
)
_WITHDRAWALS = exists().where(Consent.reader_id == Reader.id, Consent.action == "withdrawn")
_AGREED = (
    select(Consent.text_sha256)
    .where(Consent.reader_id == Reader.id, Consent.action == "accepted")
    .order_by(Consent.at.desc())
    .limit(1)
    .scalar_subquery()
)
_STANDING = (
    select(Reader.id, Reader.code, Reader.specialty, Study.status, Study.protocol_json,
           _WITHDRAWALS, _AGREED)
    .join(Study, Study.id == Reader.study_id)
    .where(Reader.id == bindparam("reader_id"))
)  # fmt: skip


@dataclass(frozen=True)
class _Standing:
    """What is known of a reader before the plan is looked at; `agreed` is the digest of a text."""

    reader_id: str
    code: str
    specialty: str | None
    status: str
    protocol_json: str
    withdrawn: bool
    agreed: str | None


@dataclass(frozen=True)
class _Found:
    kind: Kind
    body: Body
    progress: Progress | None = None


def state(
    store: Store, reader_id: str, *, at: datetime | None = None, brief: bool = False
) -> Screen:
    """The reader's screen.

    Parameters
    ----------
    store : Store
    reader_id : str
    at : datetime, optional
        Instead of the time now.
    brief : bool
        Leave out counts, times and corrections while reading: which screen it is, is enough.
    """
    at = at or datetime.now(UTC)
    with store.read() as session:
        standing = _Standing(*session.execute(_STANDING, {"reader_id": reader_id}).one())
        protocol = parsed(standing.protocol_json)
        found = _find(session, protocol, standing, at, brief)
        can_correct = not brief and correctable(session, found.kind, reader_id, at) is not None
        return _screen(protocol, standing.code, found, can_correct)


def require(store: Store, reader_id: str, *kinds: Kind, brief: bool = False) -> Screen:
    """The reader's screen, which must be one of these; `brief` as in `state`.

    Raises
    ------
    WrongScreen
        It is another one: an old tab, the back button, or a replay.
    """
    screen = state(store, reader_id, brief=brief)
    if screen.kind not in kinds:
        raise WrongScreen("This step is not the next one. Nothing was changed.")
    return screen


def correction(store: Store, reader_id: str) -> tuple[Screen, str]:
    """The screen on which the answers given last are corrected, and their presentation.

    Raises
    ------
    WrongScreen
        There are none, or their time is over.
    """
    at = datetime.now(UTC)
    protocol = store.protocol()
    now_at = state(store, reader_id, at=at)
    with store.read() as session:
        pair = correctable(session, now_at.kind, reader_id, at)
        if pair is None:
            raise WrongScreen("There is no answer to correct now. Nothing was changed.")
        sitting = session.get_one(ReadingSession, pair.session_id)
        found = _Found(Kind.PAIR, _reading(protocol, 0.0), progress(session, sitting))
        return _screen(protocol, now_at.reader, found, False), pair.id


def correctable(session: Session, kind: Kind, reader_id: str, at: datetime) -> Presentation | None:
    """The pair answered last, while its answers may be corrected.

    Not for long, and no more once the question about the blinding has an answer.
    """
    if kind not in {Kind.PAIR, Kind.READY, Kind.WAIT, Kind.GUESS, Kind.DONE}:
        return None
    pair = previous(session, reader_id)
    if pair is None:
        return None
    answered = session.scalar(_ANSWERED_AT, {"pair_id": pair.id, "reader_id": reader_id})
    oldest = stamp(at - timedelta(minutes=CORRECTION_MINUTES))
    return pair if answered is not None and answered > oldest else None


def consent_digest(protocol: Protocol) -> str:
    """SHA-256 of the consent text, as hex."""
    return hashlib.sha256(protocol.consent.encode()).hexdigest()


def last_consent(session: Session, reader_id: str) -> Consent | None:
    """The reader's latest consent or withdrawal; a withdrawal is final."""
    return session.scalar(_CONSENT, {"reader_id": reader_id})


def _screen(protocol: Protocol, code: str, found: _Found, can_correct: bool) -> Screen:
    return Screen(
        found.kind,
        protocol.title,
        code,
        protocol.demo,
        found.progress,
        can_correct,
        found.body,
    )


def _find(
    session: Session, protocol: Protocol, standing: _Standing, at: datetime, brief: bool
) -> _Found:
    status = Status(standing.status)
    if standing.withdrawn:
        return _Found(Kind.WITHDRAWN, Notice(_WITHDRAWN))
    if status in _CLOSED:
        return _Found(Kind.CLOSED, Notice(_CLOSED[status]))
    digest = consent_digest(protocol)
    if standing.agreed != digest:
        return _Found(Kind.CONSENT, ConsentText(protocol.consent, digest))
    if standing.specialty is None:
        return _Found(Kind.PROFILE, ProfileForm())
    following = upcoming(session, standing.reader_id)
    if following is None:
        return _after_reading(session, protocol, standing.reader_id)
    return _at_session(session, protocol, following[1], at, brief)


def _at_session(
    session: Session, protocol: Protocol, sitting: ReadingSession, at: datetime, brief: bool
) -> _Found:
    counts = None if brief else progress(session, sitting)
    if sitting.not_before is not None and sitting.not_before > stamp(at):
        return _Found(Kind.WAIT, Wait(sitting.not_before), counts)
    holds, failed = _display(session, sitting.reader_id, at)
    if not holds:
        least = (protocol.least_width, protocol.least_height)
        return _Found(Kind.DISPLAY, DisplayForm(*least, PATCHES, failed))
    if sitting.started_at is None:
        here = select(func.count()).where(Presentation.session_id == sitting.id)
        return _Found(Kind.READY, _ready(protocol, session.scalar(here) or 0), counts)
    minutes = 0.0 if brief else sitting_minutes(session, sitting.reader_id, at)
    return _Found(Kind.PAIR, _reading(protocol, minutes), counts)


def _after_reading(session: Session, protocol: Protocol, reader_id: str) -> _Found:
    left = len(open_guesses(session, reader_id)) if protocol.ask_blinding else 0
    if not left:
        return _Found(Kind.DONE, Notice(_DONE))
    total = len(guesses(session, reader_id))
    asking = Guessing(protocol.blinding_groups, protocol.least_width, protocol.least_height)
    return _Found(Kind.GUESS, asking, Progress(READING, total - left, total))


def _ready(protocol: Protocol, pairs: int) -> Ready:
    minutes = round(pairs * protocol.seconds_per_pair / 60)
    return Ready(protocol.instructions, pairs, minutes, protocol.feedback, protocol.questions)


def _reading(protocol: Protocol, minutes: float) -> Reading:
    return Reading(
        protocol.questions,
        protocol.least_width,
        protocol.least_height,
        protocol.break_minutes,
        minutes,
    )


def _display(session: Session, reader_id: str, at: datetime) -> tuple[bool, bool]:
    """Whether there is a check that holds, and whether the last of the day was not passed."""
    oldest = stamp(at - timedelta(hours=CHECK_HOURS))
    checks = session.scalars(_CHECKS, {"reader_id": reader_id, "oldest": oldest}).all()
    holds = any(check.passed or json.loads(check.detail_json)["carry_on"] for check in checks)
    return holds, bool(checks) and not checks[0].passed
