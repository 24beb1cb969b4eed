"""Pairs for the browser, and the answers that come back.

The next pair is sent only after the answers to this one are committed. Its pixels may be prefetched
with a separate ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Session

from study.domain.answers import Answer
from study.domain.errors import NotYourPresentation, WrongScreen
from study.domain.protocol import Protocol
from study.domain.question_kinds import Value, restored, slice_of
from study.domain.questions import CANNOT_JUDGE
from study.domain.screens import Device, Screen, ScreenKind
from study.domain.terms import MethodKind, Phase
from study.reading import next_pair, ratings
from study.reading.blinding_questionnaire import open_guesses
from study.reading.next_pair import is_shown_and_skipped
from study.reading.pixel_tickets import Plate, holds, issue, plate
from study.reading.ratings import Receipt, Submission
from study.reading.reader_state import (
    NOT_NEXT,
    NOTHING_TO_CORRECT,
    correctable,
    correction,
    position,
    require,
    screen_of,
)
from study.storage.image_events import is_skipped
from study.storage.models import (
    InteractionEvent,
    Item,
    Method,
    Presentation,
    PresentationSlot,
    Question,
    RatingEvent,
    ReadingSession,
    Stimulus,
)
from study.storage.store import Store

EVENT_KINDS = ("window", "zoom", "pan", "scroll", "reset", "flicker", "pause")
MOST_EVENTS = 500
"""Most interaction events that are stored for a pair."""

_PURPOSE = (
    select(ReadingSession.phase, Item.training)
    .join(Presentation, Presentation.session_id == ReadingSession.id)
    .join(Item, Item.id == Presentation.item_id)
    .where(Presentation.id == bindparam("pair_id"))
)
_NEXT = (
    select(Presentation)
    .where(
        Presentation.session_id == bindparam("session_id"),
        Presentation.position > bindparam("position"),
        ~exists().where(RatingEvent.presentation_id == Presentation.id),
        ~is_skipped(Presentation.id),
    )
    .order_by(Presentation.position)
    .limit(1)
)


@dataclass(frozen=True)
class PairView:
    """A pair for the browser.

    Parameters
    ----------
    token : str
        Of the presentation.
    ticket : str
        For the pixels of this pair.
    next_ticket : str
        For prefetching the pixels of the next pair; empty where there is none.
    plate : Plate
    answers : tuple of Answer
        The stored answers, where they are to be corrected.
    correcting : bool
    """

    token: str
    ticket: str
    next_ticket: str
    plate: Plate
    answers: tuple[Answer, ...] = ()
    correcting: bool = False


@dataclass(frozen=True)
class Following:
    """What comes after a pair.

    Parameters
    ----------
    screen : Screen
    pair : PairView, optional
        On a screen with a pair.
    feedback : tuple of str, optional
        What a training pair showed on the left and right, or a training image; see `feedback`.
    """

    screen: Screen
    pair: PairView | None
    feedback: tuple[str, ...] | None


def proceed(
    store: Store,
    reader_id: str,
    *,
    device: Device | None = None,
    held: str = "",
    answered: str | None = None,
) -> Following:
    """The next screen with its pair, after answers that are committed.

    One transaction finds all of it, because every reader waits for this at every pair; it only
    reads, so that readers do not wait for each other.

    Parameters
    ----------
    store : Store
    reader_id : str
    device : Device, optional
        See `study.reading.reader_state.position`.
    held : str
        See `show`.
    answered : str, optional
        Identifier of the pair that was answered, for feedback.
    """
    with store.read() as session:
        here = position(session, reader_id, device=device)
        said = None if answered is None else _feedback(session, here.protocol, answered)
        found = None
        if here.kind is ScreenKind.GUESS:
            found = _guess_showing(session, reader_id, here.protocol)
        elif here.kind is ScreenKind.PAIR and here.upcoming is not None:
            found = _showing(session, here.upcoming[0], reader_id, held, here.protocol)
        screen = screen_of(session, here)
    return Following(screen, None if found is None else found.with_tickets(store, reader_id), said)


def show(store: Store, reader_id: str, *, held: str = "", screen: Screen | None = None) -> PairView:
    """The pair to be answered now, with new tickets.

    Parameters
    ----------
    store : Store
    reader_id : str
    held : str
        A ticket that the browser used for prefetching; kept if it is for this pair.
    screen : Screen, optional
        The reader's screen, if it is known already.

    Raises
    ------
    WrongScreen
        The reader is not on a screen with a pair.
    """
    screen = screen or require(store, reader_id, ScreenKind.PAIR, ScreenKind.GUESS)
    with store.read() as session:
        protocol = store.protocol_in(session)
        if screen.kind is ScreenKind.GUESS:
            found = _guess_showing(session, reader_id, protocol)
        else:
            pair = next_pair.current(session, reader_id)
            if pair is None:
                raise WrongScreen("There is no pair to show now.")
            found = _showing(session, pair, reader_id, held, protocol)
    return found.with_tickets(store, reader_id)


def show_previous(store: Store, reader_id: str) -> tuple[Screen, PairView]:
    """The screen for correcting the latest answers, and the pair with its answers.

    Raises
    ------
    WrongScreen
        There are no answers, or they are too old.
    """
    with store.read() as session:
        screen, pair_id = correction(session, reader_id)
        protocol = store.protocol_in(session)
        found = _Showing(
            pair_id, "", session.get_one(Presentation, pair_id).token,
            plate(session, pair_id, protocol.windows),
            _answers(session, protocol, pair_id), correcting=True,
        )  # fmt: skip
    return screen, found.with_tickets(store, reader_id)


def submit(store: Store, reader_id: str, given: Submission) -> Receipt:
    """Store answers; they are committed when this returns.

    Raises
    ------
    WrongScreen
        The reader is not on a screen with a pair, or there is nothing to correct.
    NotYourPresentation, AlreadyAnswered, AnswerError
        See `study.reading.ratings.record`.
    """
    with store.write() as session:
        here = position(session, reader_id)
        if given.reason is None:
            shown = here.kind is ScreenKind.PAIR or is_shown_and_skipped(session, given.token)
            problem = "" if shown else NOT_NEXT
        else:
            problem = "" if correctable(session, here) else NOTHING_TO_CORRECT
        # A submission that is sent again after the last pair of a session gets its first receipt.
        if problem and not ratings.is_stored(session, given.idempotency_key):
            raise WrongScreen(problem)
        return ratings.record_in(session, reader_id, given, here.upcoming)


def feedback(store: Store, presentation_id: str) -> tuple[str, ...] | None:
    """What a training pair showed on the left and right, or an image; None for other pairs.

    A case that is not kept for training is rated later, and nothing is said about it.
    """
    protocol = store.protocol()
    with store.read() as session:
        return _feedback(session, protocol, presentation_id)


def _feedback(session: Session, protocol: Protocol, presentation_id: str) -> tuple[str, ...] | None:
    if not protocol.feedback:
        return None
    purpose = session.execute(_PURPOSE, {"pair_id": presentation_id}).one()
    if tuple(purpose) != (Phase.TRAINING, True):
        return None
    kinds = session.scalars(
        select(Method.kind)
        .join(Stimulus, Stimulus.method_id == Method.id)
        .join(PresentationSlot, PresentationSlot.stimulus_id == Stimulus.id)
        .where(PresentationSlot.presentation_id == presentation_id)
        .order_by(PresentationSlot.slot)
    ).all()
    texts = protocol.reader_texts
    return tuple(texts[f"shown.{MethodKind(kind).value}"] for kind in kinds)


def note(store: Store, reader_id: str, token: str, events: Sequence[tuple[str, str, int]]) -> int:
    """Store interactions with the images of a pair up to a limit, and return their number.

    Parameters
    ----------
    store : Store
    reader_id, token : str
    events : sequence of (kind, payload, milliseconds the pair had been visible)

    Raises
    ------
    NotYourPresentation
        The token is unknown or another reader's.
    """
    with store.write(synced=False) as session:
        pair = session.scalar(
            select(Presentation)
            .join(ReadingSession, ReadingSession.id == Presentation.session_id)
            .where(Presentation.token == token, ReadingSession.reader_id == reader_id)
        )
        if pair is None:
            raise NotYourPresentation("This pair is not one of yours. Nothing was stored.")
        kept = select(InteractionEvent.id).where(InteractionEvent.presentation_id == pair.id)
        room = MOST_EVENTS - len(session.scalars(kept).all())
        fitting = [event for event in events if event[0] in EVENT_KINDS][: max(0, room)]
        session.add_all(
            InteractionEvent(presentation_id=pair.id, kind=kind, payload=payload[:80], at_ms=at)
            for kind, payload, at in fitting
        )
        return len(fitting)


@dataclass(frozen=True)
class _Showing:
    """A pair that is shown next, before it has tickets; empty where there is no next pair."""

    pair_id: str
    next_id: str
    token: str
    plate: Plate
    answers: tuple[Answer, ...] = ()
    correcting: bool = False
    held: str = ""

    def with_tickets(self, store: Store, reader_id: str) -> PairView:
        """The pair for the browser."""
        wanted = ["" if self.held else self.pair_id, self.next_id]
        with store.write(synced=False) as session:
            new = issue(session, reader_id, [one for one in wanted if one])
        this, following = (new.get(one, "") for one in wanted)
        return PairView(
            self.token, self.held or this, following, self.plate, self.answers, self.correcting
        )


def _showing(
    session: Session, pair: Presentation, reader_id: str, held: str, protocol: Protocol
) -> _Showing:
    kept = held if held and holds(session, held, pair.id, reader_id) else ""
    following = _following(session, pair)
    next_id = following.id if following else ""
    shown = plate(session, pair.id, protocol.windows)
    return _Showing(pair.id, next_id, pair.token, shown, held=kept)


def _guess_showing(session: Session, reader_id: str, protocol: Protocol) -> _Showing:
    pair, *later = open_guesses(session, reader_id)
    next_id = later[0].presentation_id if later else ""
    shown = plate(session, pair.presentation_id, protocol.windows)
    return _Showing(pair.presentation_id, next_id, pair.token, shown)


def _following(session: Session, pair: Presentation) -> Presentation | None:
    """The next pair of the same session; pairs of later sessions are not prefetched."""
    place = {"session_id": pair.session_id, "position": pair.position}
    return session.scalar(_NEXT, place)


def _answers(session: Session, protocol: Protocol, presentation_id: str) -> tuple[Answer, ...]:
    rows = session.execute(
        select(Question.code, RatingEvent.slot, RatingEvent.value_num, RatingEvent.value_text)
        .join(Question, Question.id == RatingEvent.question_id)
        .where(RatingEvent.presentation_id == presentation_id)
        .order_by(RatingEvent.revision)
    )
    # Later revisions replace earlier ones.
    latest = {(code, slot): (number, text) for code, slot, number, text in rows}
    return tuple(
        Answer(code, slot, _value(protocol, code, number, text), slice_of(text))
        for (code, slot), (number, text) in latest.items()
    )


def _value(protocol: Protocol, code: str, number: float | None, text: str | None) -> Value:
    if text is None or text == CANNOT_JUDGE:
        return None if number is None else int(number)
    return restored(protocol.question(code), text)
