"""Which screen a reader sees next, from the database alone.

The order is consent, profile, display check, the sessions of the plan, blinding questionnaire; who
does not qualify gets no further than that.
Nothing is kept in memory: after a crash, on another machine or in a second window the reader goes
on where the stored answers end.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import bindparam, exists, func, select
from sqlalchemy.orm import Session

from study.domain.errors import WrongScreen
from study.domain.protocol import Protocol
from study.domain.screens import (
    PATCHES,
    BlindingForm,
    Body,
    ConsentText,
    Device,
    DisplayForm,
    Notice,
    ProfileForm,
    Progress,
    Reading,
    Ready,
    Screen,
    ScreenKind,
    Wait,
)
from study.domain.terms import Phase, Status
from study.reading.blinding_questionnaire import guesses, open_guesses
from study.reading.consent import consent_digest
from study.reading.next_pair import Turn, is_due, previous, upcoming
from study.reading.progress import READING, progress, sitting_minutes
from study.reading.qualification import attempt_of, has_result, is_barred
from study.storage.image_events import is_skipped
from study.storage.models import (
    BlindingGuess,
    Consent,
    DisplayCheck,
    Item,
    Presentation,
    RatingEvent,
    Reader,
    ReadingSession,
    Stimulus,
    Study,
    stamp,
)
from study.storage.protocol_versions import CURRENT_JSON, CURRENT_NUMBER
from study.storage.store import Store, parsed

CHECK_HOURS = 12.0
"""How long a display check is valid on its device: the next day's room may be another one."""
CORRECTION_MINUTES = 30.0
"""How long the latest answers may be corrected."""
NOT_NEXT = "This step is not the next one. Nothing was changed."
NOTHING_TO_CORRECT = "There is no answer to correct now. Nothing was changed."

_NOTICES = {
    ScreenKind.WITHDRAWN: "withdrawn.text",
    ScreenKind.UNQUALIFIED: "unqualified.text",
    ScreenKind.DONE: "done.text",
}
_CLOSED = {
    Status.DRAFT: "closed.draft",
    Status.FROZEN: "closed.frozen",
    Status.CLOSED: "closed.closed",
    Status.UNBLINDED: "closed.closed",
}

# Built once: they are executed at every answer.
_CHECKS = (
    select(DisplayCheck)
    .where(DisplayCheck.reader_id == bindparam("reader_id"), DisplayCheck.at > bindparam("oldest"))
    .order_by(DisplayCheck.at.desc())
)
_ANSWERED_AT = select(
    func.min(RatingEvent.server_at), func.coalesce(func.max(RatingEvent.protocol_version), 1)
).where(
    RatingEvent.presentation_id == bindparam("pair_id"),
    ~exists().where(BlindingGuess.reader_id == bindparam("reader_id")),
)
_HAS_STACKS = select(exists().where(Stimulus.slices > 1))
_IS_SKIPPED = select(is_skipped(bindparam("pair_id")))
_WITHDRAWALS = exists().where(Consent.reader_id == Reader.id, Consent.action == "withdrawn")
_AGREED = (
    select(Consent.text_sha256)
    .where(Consent.reader_id == Reader.id, Consent.action == "accepted")
    .order_by(Consent.at.desc())
    .limit(1)
    .scalar_subquery()
)
_READER = (
    select(Reader.id, Reader.code, Reader.specialty, Study.status, CURRENT_JSON,
           CURRENT_NUMBER, _WITHDRAWALS, _AGREED)
    .join(Study, Study.id == Reader.study_id)
    .where(Reader.id == bindparam("reader_id"))
)  # fmt: skip


@dataclass(frozen=True)
class _ReaderRow:
    """A reader and the study; `agreed` is the digest of the consent text that was accepted."""

    id: str
    code: str
    specialty: str | None
    status: str
    protocol_json: str
    version: int
    withdrawn: bool
    agreed: str | None


@dataclass(frozen=True)
class Position:
    """Which screen a reader is on, and what that was decided from.

    Parameters
    ----------
    kind : ScreenKind
    code : str
        Of the reader.
    reader_id : str
    protocol : Protocol
    version : int
        Its number.
    status : Status
    at : datetime
        The time it was decided for.
    upcoming : (Presentation, ReadingSession), optional
        The first pair without answers, and its session.
    check_failed : bool
        Whether the latest display check on this device within `CHECK_HOURS` was not passed.
    open_guesses : int
        Pairs of the blinding questionnaire without an answer.
    """

    kind: ScreenKind
    code: str
    reader_id: str
    protocol: Protocol
    version: int
    status: Status
    at: datetime
    upcoming: Turn | None = None
    check_failed: bool = False
    open_guesses: int = 0


def position(
    session: Session,
    reader_id: str,
    at: datetime | None = None,
    *,
    device: Device | None = None,
) -> Position:
    """Find out which screen a reader is on, now or at another time.

    Parameters
    ----------
    session : sqlalchemy.orm.Session
    reader_id : str
    at : datetime, optional
    device : Device, optional
        Where the reader sits: the display check must have been done there. Without it a check on
        any device counts, as for the answers to a pair that is shown already.
    """
    at = at or datetime.now(UTC)
    reader = _ReaderRow(*session.execute(_READER, {"reader_id": reader_id}).one())
    protocol, status = parsed(reader.protocol_json), Status(reader.status)
    found = partial(Position, code=reader.code, reader_id=reader_id, protocol=protocol,
                    version=reader.version, status=status, at=at)  # fmt: skip
    if reader.withdrawn:
        return found(ScreenKind.WITHDRAWN)
    if status in _CLOSED:
        return found(ScreenKind.CLOSED)
    if reader.agreed != consent_digest(protocol):
        return found(ScreenKind.CONSENT)
    if reader.specialty is None:
        return found(ScreenKind.PROFILE)
    pair = upcoming(session, reader_id)
    if pair is None:
        left = len(open_guesses(session, reader_id)) if protocol.ask_blinding else 0
        return found(ScreenKind.GUESS if left else ScreenKind.DONE, open_guesses=left)
    sitting = pair[1]
    if is_barred(session, sitting, protocol):
        return found(ScreenKind.UNQUALIFIED)
    if not is_due(sitting, stamp(at)):
        return found(ScreenKind.WAIT, upcoming=pair)
    # A demonstration is looked at, not analysed: its check was made with it.
    valid, failed = _display_check(session, reader_id, at, None if protocol.demo else device)
    if not valid:
        return found(ScreenKind.DISPLAY, upcoming=pair, check_failed=failed)
    return found(ScreenKind.READY if sitting.started_at is None else ScreenKind.PAIR, upcoming=pair)


def state(
    store: Store, reader_id: str, *, at: datetime | None = None, device: Device | None = None
) -> Screen:
    """The reader's screen on a device, now or at another time; see `position`."""
    with store.read() as session:
        return screen_of(session, position(session, reader_id, at, device=device))


def screen_of(session: Session, here: Position) -> Screen:
    """The screen of a reader whose position is known."""
    body, counts = _body(session, here)
    return _screen(here, here.kind, body, counts, correctable(session, here) is not None)


def require(
    store: Store, reader_id: str, *kinds: ScreenKind, device: Device | None = None
) -> Screen:
    """The reader's screen, which must be one of these.

    Raises
    ------
    WrongScreen
        It is another one: an old tab, the back button, or a replay.
    """
    screen = state(store, reader_id, device=device)
    if screen.kind not in kinds:
        raise WrongScreen(NOT_NEXT)
    return screen


def correction(session: Session, reader_id: str) -> tuple[Screen, str]:
    """The screen on which the latest answers are corrected, and the identifier of their pair.

    Raises
    ------
    WrongScreen
        There are none, or their time is over.
    """
    here = position(session, reader_id)
    pair = correctable(session, here)
    if pair is None:
        raise WrongScreen(NOTHING_TO_CORRECT)
    counts = progress(session, session.get_one(ReadingSession, pair.session_id))
    return _screen(here, ScreenKind.PAIR, _reading(here, 0.0), counts, False), pair.id


def correctable(session: Session, here: Position) -> Presentation | None:
    """The pair answered last, while its answers may be corrected.

    That is for `CORRECTION_MINUTES`, and until the blinding questionnaire has an answer, an attempt
    at the qualification its result, or the protocol is amended.
    """
    if here.kind not in {
        ScreenKind.PAIR,
        ScreenKind.READY,
        ScreenKind.WAIT,
        ScreenKind.GUESS,
        ScreenKind.DONE,
    }:
        return None
    pair = previous(session, here.reader_id)
    if pair is None or session.scalar(_IS_SKIPPED, {"pair_id": pair.id}):
        return None
    if has_result(session, pair.session_id):
        return None
    answered, version = session.execute(
        _ANSWERED_AT, {"pair_id": pair.id, "reader_id": here.reader_id}
    ).one()
    if version != here.version:
        return None
    oldest = stamp(here.at - timedelta(minutes=CORRECTION_MINUTES))
    return pair if answered is not None and answered > oldest else None


def _screen(
    here: Position, kind: ScreenKind, body: Body, counts: Progress | None, can_correct: bool
) -> Screen:
    protocol = here.protocol
    return Screen(kind, protocol.title, here.code, protocol.demo, counts, can_correct, body)


def _body(session: Session, here: Position) -> tuple[Body, Progress | None]:
    """What a screen shows, and how far the reader has come."""
    protocol = here.protocol
    if here.upcoming is not None:
        sitting = here.upcoming[1]
        return _session_body(session, here, sitting), progress(session, sitting)
    if here.kind is ScreenKind.GUESS:
        total = len(guesses(session, here.reader_id))
        asking = BlindingForm(protocol.blinding_groups, protocol.least_width, protocol.least_height)
        return asking, Progress(READING, total - here.open_guesses, total)
    if here.kind is ScreenKind.CONSENT:
        return ConsentText(protocol.consent, consent_digest(protocol)), None
    if here.kind is ScreenKind.PROFILE:
        return ProfileForm(), None
    name = _NOTICES.get(here.kind) or _CLOSED[here.status]
    return Notice(protocol.reader_texts[name]), None


def _session_body(session: Session, here: Position, sitting: ReadingSession) -> Body:
    protocol = here.protocol
    if sitting.not_before is not None and here.kind is ScreenKind.WAIT:
        return Wait(sitting.not_before)
    if here.kind is ScreenKind.DISPLAY:
        least = (protocol.least_width, protocol.least_height)
        return DisplayForm(*least, PATCHES, here.check_failed)
    if here.kind is ScreenKind.READY:
        return _ready(session, protocol, sitting)
    return _reading(here, sitting_minutes(session, here.reader_id, here.at))


def _ready(session: Session, protocol: Protocol, sitting: ReadingSession) -> Ready:
    for_training = func.count().filter(Item.training)
    pairs, kept = session.execute(
        select(func.count(), for_training)
        .select_from(Presentation)
        .join(Item, Item.id == Presentation.item_id)
        .where(Presentation.session_id == sitting.id)
    ).one()
    minutes = round(pairs * protocol.seconds_per_pair / 60)
    feedback = protocol.feedback and kept == pairs and sitting.phase == Phase.TRAINING
    attempt = attempt_of(sitting)
    return Ready(
        protocol.instructions, pairs, minutes, feedback, protocol.questions, attempt,
        protocol.show_original, bool(session.scalar(_HAS_STACKS)),
    )  # fmt: skip


def _reading(here: Position, minutes: float) -> Reading:
    protocol = here.protocol
    return Reading(
        protocol.questions,
        protocol.least_width,
        protocol.least_height,
        protocol.break_minutes,
        minutes,
        here.version,
    )


def _display_check(
    session: Session, reader_id: str, at: datetime, device: Device | None
) -> tuple[bool, bool]:
    """Whether there is a valid check on this device, and whether the latest was not passed."""
    oldest = stamp(at - timedelta(hours=CHECK_HOURS))
    rows = session.scalars(_CHECKS, {"reader_id": reader_id, "oldest": oldest})
    checks = [(row.passed, json.loads(row.detail_json)) for row in rows]
    if device is not None:
        here = asdict(device)
        checks = [(passed, found) for passed, found in checks if found.get("device") == here]
    valid = any(passed or found["carry_on"] for passed, found in checks)
    return valid, bool(checks) and not checks[0][0]
