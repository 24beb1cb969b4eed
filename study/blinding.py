"""Tickets and pixels: all that a browser gets of a pair is two raw buffers in one answer.

A ticket is 128 random bits, issued at every showing, bound to a reader and good for one fetch. The
answer has the same length whatever the images show, and nothing else in it depends on them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from study.errors import StoreError, TicketGone
from study.models import Consent, Item, Presentation, PresentationSlot, Stimulus, Ticket, now, stamp
from study.protocol import Status
from study.store import Store

TICKET_HOURS = 12.0


@dataclass(frozen=True)
class Plate:
    """What the browser must know to draw a pair; the same for all methods of the case.

    Parameters
    ----------
    width, height, channels : int
        Of each of the two images; 16 bits a channel.
    display : str
        The case's windows and units as JSON (`Item.window_json`).
    """

    width: int
    height: int
    channels: int
    display: str


def plate(session: Session, presentation_id: str) -> Plate:
    """Size and windows of a pair.

    Raises
    ------
    StoreError
        The two images differ in size, or there are not two.
    """
    stimuli = _stimuli(session, presentation_id)
    shapes = {(one.width, one.height, one.channels) for one in stimuli}
    if len(stimuli) != 2 or len(shapes) != 1:
        raise StoreError(
            f"Presentation {presentation_id} has {len(stimuli)} images of {len(shapes)} sizes; "
            "two of one size are needed. Restore the study from a backup."
        )
    item = session.get_one(Item, session.get_one(Presentation, presentation_id).item_id)
    return Plate(*shapes.pop(), display=item.window_json)


def issue(session: Session, presentation_id: str, reader_id: str) -> str:
    """Give a reader a new right to fetch a pair once."""
    ticket = Ticket(presentation_id=presentation_id, reader_id=reader_id)
    session.add(ticket)
    session.flush()
    return ticket.token


def holds(session: Session, token: str, presentation_id: str, reader_id: str) -> bool:
    """Whether a ticket, used or not, was issued to this reader for this pair."""
    ticket = session.get(Ticket, token)
    return (
        ticket is not None
        and ticket.presentation_id == presentation_id
        and ticket.reader_id == reader_id
    )


def redeem(store: Store, token: str, reader_id: str) -> bytes:
    """Use up a ticket.

    Returns
    -------
    bytes
        The left image, then the right one: little-endian uint16, row by row, RGB interleaved.
        The length is ``2 * height * width * channels * 2``.

    Raises
    ------
    TicketGone
        It was used before, has expired, or was issued to somebody else; or the study is not open,
        or the reader has withdrawn.
    StoreError
        A file is missing or is not the one that was frozen.
    """
    with store.write() as session:
        oldest = datetime.now(UTC) - timedelta(hours=TICKET_HOURS)
        used = session.execute(
            update(Ticket)
            .where(
                Ticket.token == token,
                Ticket.reader_id == reader_id,
                Ticket.used_at.is_(None),
                Ticket.issued_at > stamp(oldest),
            )
            .values(used_at=now())
        )
        if cast(CursorResult[Any], used).rowcount != 1 or not _may_look(store, session, reader_id):
            raise TicketGone("These images have been fetched before, or are not yours to fetch.")
        presentation_id = session.get_one(Ticket, token).presentation_id
        stimuli = _stimuli(session, presentation_id)
        files = [(one.file, one.pixel_sha256, _length(one)) for one in stimuli]
    return b"".join(_read(store.stimuli / name, digest, size) for name, digest, size in files)


def _may_look(store: Store, session: Session, reader_id: str) -> bool:
    gone = select(Consent.id).where(Consent.reader_id == reader_id, Consent.action == "withdrawn")
    return store.status_in(session) is Status.OPEN and session.scalar(gone.limit(1)) is None


def _stimuli(session: Session, presentation_id: str) -> list[Stimulus]:
    return list(
        session.scalars(
            select(Stimulus)
            .join(PresentationSlot, PresentationSlot.stimulus_id == Stimulus.id)
            .where(PresentationSlot.presentation_id == presentation_id)
            .order_by(PresentationSlot.slot)
        )
    )


def _length(stimulus: Stimulus) -> int:
    return stimulus.width * stimulus.height * stimulus.channels * 2


def _read(path: Path, digest: str, size: int) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoreError(f"The stimulus {path.name} cannot be read: {error.strerror}.") from error
    if len(data) != size or hashlib.sha256(data).hexdigest() != digest:
        raise StoreError(
            f"The stimulus {path.name} is not the one that was frozen. Restore it from a backup."
        )
    return data
