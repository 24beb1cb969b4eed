"""Lost and damaged stimuli: found by whoever needs them, whole again after they are restored."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased

from study.storage.models import (
    ImageEvent,
    Method,
    Presentation,
    PresentationSlot,
    Stimulus,
    now_after,
)

RESTORED = "restored"
ORIGINAL = "original"
"""Kind of the method of the unenhanced image (`study.domain.terms.MethodKind`)."""
END = "9999"
"""After any time that is stored."""


def is_unusable(stimulus_id: Any, at: str = END) -> ColumnElement[bool]:
    """SQL: whether a stimulus was lost or damaged by its last event up to a time."""
    event, later = aliased(ImageEvent), aliased(ImageEvent)
    return exists().where(
        event.stimulus_id == stimulus_id,
        event.kind != RESTORED,
        event.at <= at,
        # Not the argument again: two levels up it would be correlated with nothing.
        ~exists().where(
            later.stimulus_id == event.stimulus_id, later.at > event.at, later.at <= at
        ),
    )


def add_image_event(session: Session, stimulus_id: str, kind: str, noticed_by: str) -> None:
    """Store that a stimulus is lost, damaged or restored, after its earlier events."""
    latest = select(func.max(ImageEvent.at)).where(ImageEvent.stimulus_id == stimulus_id)
    at = now_after(session.scalar(latest))
    session.add(ImageEvent(stimulus_id=stimulus_id, kind=kind, noticed_by=noticed_by, at=at))
    session.flush()


def is_skipped(presentation_id: Any, at: str = END) -> ColumnElement[bool]:
    """SQL: whether a pair is not shown at a time, because one of its images cannot be used.

    The unenhanced image of its case is one of them, where it is shown.
    """
    slot = aliased(PresentationSlot)
    pair, original, method = aliased(Presentation), aliased(Stimulus), aliased(Method)
    return exists().where(
        slot.presentation_id == presentation_id, is_unusable(slot.stimulus_id, at)
    ) | exists().where(
        pair.id == presentation_id,
        original.item_id == pair.item_id,
        method.id == original.method_id,
        method.kind == ORIGINAL,
        is_unusable(original.id, at),
    )


def skipped_pairs(session: Session, at: str) -> frozenset[str]:
    """Identifiers of the presentations that could not be shown at a time."""
    # Most studies have lost none, and to look at every pair takes a while.
    if session.scalar(select(ImageEvent.id).limit(1)) is None:
        return frozenset()
    return frozenset(
        session.scalars(select(Presentation.id).where(is_skipped(Presentation.id, at)))
    )


def unusable_stimuli(session: Session) -> list[Stimulus]:
    """The stimuli that were found lost or damaged and are not restored."""
    wanted = select(Stimulus).where(is_unusable(Stimulus.id)).order_by(Stimulus.file)
    return list(session.scalars(wanted))
