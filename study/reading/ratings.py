"""Storing answers: validated, in one transaction, and never twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, bindparam, exists, func, select
from sqlalchemy.orm import Session

from study.domain.answers import Answer, StoredAnswer, check_answers, check_submission
from study.domain.drawings import ImageFrame, frame_of
from study.domain.errors import (
    AlreadyAnswered,
    AnswerError,
    ConsentError,
    NotOpen,
    NotYourPresentation,
    WrongScreen,
)
from study.domain.protocol import Protocol
from study.domain.terms import Status
from study.reading.next_pair import Turn, is_due, is_shown_and_skipped, previous, upcoming
from study.reading.qualification import has_result
from study.reading.session_end import end_session, is_left
from study.storage.hash_chain import append
from study.storage.models import (
    Comment,
    Consent,
    Item,
    Presentation,
    PresentationSlot,
    Question,
    RatingEvent,
    Reader,
    ReadingSession,
    Stimulus,
    Study,
    now,
)
from study.storage.protocol_versions import CURRENT_JSON, CURRENT_NUMBER
from study.storage.store import Store, parsed

_AMENDED = "The questions of this study have changed. Look at them again; nothing was stored."


@dataclass(frozen=True)
class Receipt:
    """Confirmation of stored answers.

    Parameters
    ----------
    presentation_id : str
    revision : int
        1 for the first answers, more for corrections.
    repeated : bool
        Whether the submission had been stored before, so that nothing was written.
    """

    presentation_id: str
    revision: int
    repeated: bool


@dataclass(frozen=True)
class Submission:
    """Answers to a pair as received.

    Parameters
    ----------
    token : str
        Of the presentation.
    answers : sequence of Answer
        One for each question and slot of the protocol.
    idempotency_key : str
        Random key of the browser for this submission; repeating it changes nothing.
    visible_ms, first_ms : int, optional
        Time that the pair was visible, and until the first answer, in milliseconds.
    comment : str
        At most 2000 characters.
    reason : str, optional
        Reason of a correction.
    version : int, optional
        Number of the protocol whose questions were shown; None where the page did not say.
    """

    token: str
    answers: Sequence[Answer]
    idempotency_key: str
    visible_ms: int | None = None
    first_ms: int | None = None
    comment: str = ""
    reason: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class _RatedPair:
    """A presentation with everything that decides whether it may be rated."""

    id: str
    position: int
    session_id: str
    number: int
    started_at: str | None
    reader_id: str
    active: bool
    study_id: str
    status: str
    protocol_json: str
    version: int
    is_last: bool
    revision: int | None
    consents: bool


def _pair_query() -> Select[*tuple[Any, ...]]:
    revision = select(func.max(RatingEvent.revision)).where(
        RatingEvent.presentation_id == Presentation.id
    )
    agreed = exists().where(Consent.reader_id == Reader.id, Consent.action == "accepted")
    gone = exists().where(Consent.reader_id == Reader.id, Consent.action == "withdrawn")
    return (
        select(
            Presentation.id,
            Presentation.position,
            Presentation.session_id,
            ReadingSession.number,
            ReadingSession.started_at,
            Reader.id,
            Reader.active,
            Study.id,
            Study.status,
            CURRENT_JSON,
            CURRENT_NUMBER,
            ~is_left(Presentation.session_id, Presentation),
            revision.scalar_subquery(),
            and_(agreed, ~gone),
        )
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .join(Reader, Reader.id == ReadingSession.reader_id)
        .join(Study, Study.id == Reader.study_id)
        .where(Presentation.token == bindparam("token"))
    )


_PAIR = _pair_query()
_STORED = (
    select(RatingEvent.presentation_id, RatingEvent.revision)
    .where(RatingEvent.idempotency_key == bindparam("key"))
    .limit(1)
)
_FRAME = (
    select(Stimulus.width, Stimulus.height, Item.window_json, func.coalesce(Stimulus.slices, 1))
    .join(PresentationSlot, PresentationSlot.stimulus_id == Stimulus.id)
    .join(Item, Item.id == Stimulus.item_id)
    .where(PresentationSlot.presentation_id == bindparam("pair_id"))
    .limit(1)
)
_QUESTIONS = select(Question.code, Question.id).where(Question.study_id == bindparam("study_id"))


def record(store: Store, *, reader_id: str, **given: Any) -> Receipt:
    """Store the fields of a `Submission` in a transaction; see `record_in`."""
    submission = Submission(**given)
    with store.write() as session:
        return record_in(session, reader_id, submission, upcoming(session, reader_id))


def record_in(session: Session, reader_id: str, given: Submission, due: Turn | None) -> Receipt:
    """Store the answers about a pair; they are on the disk when the transaction has ended.

    Without a reason the pair must be the reader's current one; with a reason it must be the one
    answered last, and all its answers are given again.

    Parameters
    ----------
    session : Session
        Of `Store.write`.
    reader_id : str
    given : Submission
    due : (Presentation, ReadingSession), optional
        The reader's first pair without answers, from `study.reading.next_pair.upcoming`.

    Raises
    ------
    NotYourPresentation
        The token is unknown or another reader's, or other pairs come first.
    AlreadyAnswered
        The pair has answers, and no reason is given or another pair was answered since.
    NotOpen
        The study is not open, or the session not yet.
    ConsentError
        The reader has not agreed, or has withdrawn.
    AnswerError
        An answer is missing, double, outside the scale, or a text is too long.
    WrongScreen
        The protocol was amended while the questions were on the page.
    """
    check_submission(
        given.idempotency_key, given.visible_ms, given.first_ms, given.comment, given.reason
    )
    pair = _pair(session, reader_id, given.token)
    if (receipt := _repeated(session, pair, given.idempotency_key)) is not None:
        return receipt
    _may_rate(pair)
    if given.version not in (None, pair.version):
        raise WrongScreen(_AMENDED)
    protocol = parsed(pair.protocol_json)
    answers = check_answers(protocol, given.answers, frame_shown(session, pair.id))
    revision = _revision(session, pair, given, due)
    append(session, RatingEvent, _rows(session, pair, given, answers, revision))
    if comment := given.comment.strip():
        session.add(Comment(presentation_id=pair.id, reader_id=reader_id, text=comment))
    if revision == 1:
        _keep_times(session, pair, protocol)
    return Receipt(pair.id, revision, repeated=False)


def frame_shown(session: Session, presentation_id: str) -> ImageFrame:
    """Size of the images of a presentation and of their pixels."""
    found = session.execute(_FRAME, {"pair_id": presentation_id}).first()
    return frame_of(*found) if found else ImageFrame(0, 0)


def is_stored(session: Session, key: str) -> bool:
    """Whether answers were stored under this idempotency key."""
    return session.execute(_STORED, {"key": key}).first() is not None


def _pair(session: Session, reader_id: str, token: str) -> _RatedPair:
    """The reader's presentation with this token."""
    found: Any = session.execute(_PAIR, {"token": token}).first()
    pair = _RatedPair(*found) if found else None
    if pair is None or pair.reader_id != reader_id:
        raise NotYourPresentation("This pair is not yours to answer. Nothing was stored.")
    return pair


def _repeated(session: Session, pair: _RatedPair, key: str) -> Receipt | None:
    stored = session.execute(_STORED, {"key": key}).first()
    if stored is None:
        return None
    if stored.presentation_id != pair.id:
        raise AlreadyAnswered("This submission was stored for another pair. Reload the page.")
    return Receipt(pair.id, stored.revision, repeated=True)


def _may_rate(pair: _RatedPair) -> None:
    if pair.status != Status.OPEN or not pair.active:
        raise NotOpen("The study does not take ratings from you now. Nothing was stored.")
    if not pair.consents:
        raise ConsentError("Ratings need your consent, and it is missing or was withdrawn.")


def _rows(
    session: Session,
    pair: _RatedPair,
    given: Submission,
    answers: Sequence[StoredAnswer],
    revision: int,
) -> list[dict[str, Any]]:
    questions = dict(session.execute(_QUESTIONS, {"study_id": pair.study_id}).all())
    common = {
        "presentation_id": pair.id,
        "revision": revision,
        "reason": given.reason.strip() if given.reason else None,
        "idempotency_key": given.idempotency_key,
        "client_visible_ms": given.visible_ms,
        "client_first_ms": given.first_ms,
        "actor_id": pair.reader_id,
        "protocol_version": pair.version,
    }
    return [
        common
        | {
            "question_id": questions[answer.question],
            "slot": answer.slot,
            "value_num": answer.number,
            "value_text": answer.text,
        }
        for answer in answers
    ]


def _revision(session: Session, pair: _RatedPair, given: Submission, due: Turn | None) -> int:
    """1 for the current pair, one more for a correction of the one before."""
    reason = given.reason
    if pair.revision is None:
        if reason is not None:
            raise AnswerError("This pair has no answers yet: there is nothing to correct.")
        if due is None or due[0].id != pair.id:
            if not is_shown_and_skipped(session, given.token):
                raise NotYourPresentation("The turn of this pair has not come. Nothing was stored.")
        elif not is_due(due[1]):
            raise NotOpen(f"This session opens at {due[1].not_before}. Nothing was stored.")
        return 1
    if reason is None:
        raise AlreadyAnswered("This pair has been answered already. Nothing was changed.")
    before = previous(session, pair.reader_id)
    if before is None or before.id != pair.id:
        raise AlreadyAnswered("Only the pair answered last can be corrected. Nothing was changed.")
    if has_result(session, pair.session_id):
        raise AlreadyAnswered("This attempt has its result. Nothing was changed.")
    return pair.revision + 1


def _keep_times(session: Session, pair: _RatedPair, protocol: Protocol) -> None:
    """Store start and end of a session, its result, and when the one after a washout opens."""
    if pair.started_at is None:
        session.get_one(ReadingSession, pair.session_id).started_at = now()
    if pair.is_last:
        end_session(session, session.get_one(ReadingSession, pair.session_id), protocol)
