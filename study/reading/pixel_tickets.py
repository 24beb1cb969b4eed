"""One-time tickets for the pixels of a pair, which are raw buffers in one response.

A ticket has 128 random bits, is issued whenever a pair is shown, belongs to one reader and is valid
for one request. The length of the response does not depend on what the images show.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import bindparam, exists, func, insert, select, update
from sqlalchemy.orm import Session

from study.domain.errors import StoreError, TicketGone
from study.domain.terms import MethodKind, Status
from study.domain.windows import Listed, presets_of
from study.reading.lost_images import skip
from study.storage.models import (
    Consent,
    Item,
    Method,
    Presentation,
    PresentationSlot,
    Stimulus,
    Study,
    Ticket,
    new_token,
    now,
    stamp,
)
from study.storage.store import Store

TICKET_HOURS = 12.0

# Built once: they are executed for every pair.
_IS_SHOWN = (PresentationSlot.presentation_id == Presentation.id) & (
    PresentationSlot.stimulus_id == Stimulus.id
)
_IMAGES = (
    select(
        Stimulus.file, Stimulus.pixel_sha256, Stimulus.width, Stimulus.height, Stimulus.channels,
        func.coalesce(Stimulus.slices, 1), Item.window_json, PresentationSlot.slot.is_(None),
    )
    .select_from(Presentation)
    .join(Item, Item.id == Presentation.item_id)
    .join(Stimulus, Stimulus.item_id == Item.id)
    .join(Method, Method.id == Stimulus.method_id)
    .outerjoin(PresentationSlot, _IS_SHOWN)
    .where(
        Presentation.id == bindparam("pair_id"),
        PresentationSlot.slot.is_not(None) | (Method.kind == MethodKind.ORIGINAL),
    )
    .order_by(PresentationSlot.slot.is_(None), PresentationSlot.slot)
)  # fmt: skip
_TICKET = select(Ticket.presentation_id, Ticket.reader_id).where(Ticket.token == bindparam("name"))
_USE = (
    update(Ticket)
    .where(
        Ticket.token == bindparam("name"),
        Ticket.reader_id == bindparam("reader"),
        Ticket.used_at.is_(None),
        Ticket.issued_at > bindparam("oldest"),
        exists().where(Study.id == bindparam("study"), Study.status == Status.OPEN),
        ~exists().where(Consent.reader_id == Ticket.reader_id, Consent.action == "withdrawn"),
    )
    .values(used_at=bindparam("at"))
    .returning(Ticket.presentation_id)
    .execution_options(synchronize_session=False)
)


@dataclass(frozen=True)
class Plate:
    """The format of the images of a presentation, the same for all methods of the case.

    Parameters
    ----------
    width, height, channels : int
        Of each image; 16 bits per channel.
    display : str
        Windows and units of the case as JSON (`Item.window_json`).
    images : int
        1 for a single image, 2 for a pair, 3 to 6 for a ranking.
    original : bool
        Whether the unenhanced image is shown beside them: it comes after them.
    slices : int
        Of each image, which is a stack where there are several.
    """

    width: int
    height: int
    channels: int
    display: str
    images: int = 2
    original: bool = False
    slices: int = 1


def plate(session: Session, presentation_id: str, windows: Sequence[Listed] = ()) -> Plate:
    """The format of the images of a presentation, with the windows that the protocol lists.

    Raises
    ------
    StoreError
        The images differ in size, or there is none.
    """
    images = _images(session, presentation_id)
    shapes = {(one.width, one.height, one.channels, one.slices) for one in images}
    if len(shapes) != 1:
        raise StoreError(
            f"Presentation {presentation_id} has {len(images)} images of {len(shapes)} sizes; "
            "one size is needed. Restore the study from a backup."
        )
    rated = sum(not one.original for one in images)
    display = images[0].window_json
    if windows:
        case = json.loads(display)
        display = json.dumps({**case, "presets": presets_of(case, windows)}, ensure_ascii=False)
    width, height, channels, slices = shapes.pop()
    return Plate(width, height, channels, display, rated, rated < len(images), slices)


def issue(session: Session, reader_id: str, pair_ids: Sequence[str]) -> dict[str, str]:
    """Issue a ticket for each of some pairs, with which a reader can fetch it once."""
    tokens = {pair_id: new_token() for pair_id in pair_ids}
    if tokens:
        rows = [
            {"token": token, "presentation_id": pair_id, "reader_id": reader_id}
            for pair_id, token in tokens.items()
        ]
        session.execute(insert(Ticket), rows)
    return tokens


def holds(session: Session, token: str, presentation_id: str, reader_id: str) -> bool:
    """Whether a ticket, used or not, was issued to this reader for this pair."""
    found = session.execute(_TICKET, {"name": token}).first()
    return found is not None and tuple(found) == (presentation_id, reader_id)


def redeem(store: Store, token: str, reader_id: str) -> bytes:
    """Use a ticket and return the pixels of its pair.

    Returns
    -------
    bytes
        All images, by slot, then the unenhanced one, each slice by slice: little-endian uint16, row
        by row, RGB interleaved. The length is ``images * slices * height * width * channels * 2``.

    Raises
    ------
    TicketGone
        It was used before, has expired or is another reader's; or the study is not open, or the
        reader has withdrawn.
    ImageLost
        A file is missing or was changed: the pair is skipped, with a record.
    StoreError
        No image can be read.
    """
    oldest = stamp(datetime.now(UTC) - timedelta(hours=TICKET_HOURS))
    values = {
        "name": token, "reader": reader_id, "oldest": oldest, "study": store.study_id, "at": now()
    }  # fmt: skip
    with store.write(synced=False) as session:
        presentation_id = session.scalar(_USE, values)
        if presentation_id is None:
            raise TicketGone("These images have been fetched before, or are not yours to fetch.")
        images = _images(session, presentation_id)
    found = [_read(store.stimuli, one) for one in images]
    unusable = {
        one.file: data for one, data in zip(images, found, strict=True) if isinstance(data, str)
    }
    if unusable:
        raise skip(store, presentation_id, reader_id, unusable)
    return b"".join(data for data in found if isinstance(data, bytes))


@dataclass(frozen=True)
class _Image:
    """A stimulus as it is sent."""

    file: str
    sha256: str
    width: int
    height: int
    channels: int
    slices: int
    window_json: str
    original: bool


def _images(session: Session, presentation_id: str) -> list[_Image]:
    """By slot: left, then right, or the panels of a ranking in their order; then unenhanced."""
    return [_Image(*row) for row in session.execute(_IMAGES, {"pair_id": presentation_id})]


def _read(folder: Path, image: _Image) -> bytes | str:
    """The buffer of an image, or "lost" or "damaged"; an error where all images are away."""
    try:
        data = (folder / image.file).read_bytes()
    except OSError as error:
        # A disk that is not there is no reason to skip every pair.
        if isinstance(error, FileNotFoundError) and any(folder.glob("*.raw")):
            return "lost"
        if error.errno == errno.EIO:
            return "damaged"
        raise StoreError(f"The images in {folder} cannot be read: {error.strerror}.") from error
    size = image.slices * image.width * image.height * image.channels * 2
    whole = len(data) == size and hashlib.sha256(data).hexdigest() == image.sha256
    return data if whole else "damaged"
