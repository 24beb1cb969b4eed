"""Pairs with a lost or damaged image are skipped, with a record, so that nobody has to stop."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.domain.errors import ImageLost
from study.domain.plan import session_label
from study.reading.session_end import end_exhausted_sessions
from study.storage.hash_chain import audit
from study.storage.image_events import add_image_event, is_unusable
from study.storage.models import Presentation, Reader, ReadingSession, Stimulus
from study.storage.store import Store

SKIPPED = "This pair cannot be shown and is skipped; the coordinator sees it. Go on with the next."


def skip(store: Store, presentation_id: str, reader_id: str, kinds: dict[str, str]) -> ImageLost:
    """Store that images of a pair cannot be used, and return the error for the reader's page.

    Parameters
    ----------
    store : Store
    presentation_id, reader_id : str
        The pair, and the reader to whom it was to be shown.
    kinds : dict
        "lost" or "damaged" by the name of the file.
    """
    with store.write() as session:
        code = session.get_one(Reader, reader_id).code
        for file, kind in kinds.items():
            stimulus = session.scalars(select(Stimulus).where(Stimulus.file == file)).one()
            known = session.scalar(select(is_unusable(stimulus.id)))
            if not known:
                add_image_event(session, stimulus.id, kind, code)
                audit(session, code, f"image {kind}", target=file)
        audit(session, code, "skip pair", target=code, detail=_label(session, presentation_id))
        end_exhausted_sessions(session, store.protocol())
    return ImageLost(SKIPPED)


def _label(session: Session, presentation_id: str) -> str:
    """Session and position of a pair in its plan."""
    number, position = session.execute(
        select(ReadingSession.number, Presentation.position)
        .join(Presentation, Presentation.session_id == ReadingSession.id)
        .where(Presentation.id == presentation_id)
    ).one()
    return f"session {session_label(number)}, position {position}"
