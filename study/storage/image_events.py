"""Lost and damaged stimuli: found by whoever needs them, whole again after they are restored."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session, aliased

from study.storage.models import ImageEvent, PresentationSlot, Stimulus

RESTORED = "restored"


def is_unusable(stimulus_id: Any) -> ColumnElement[bool]:
    """SQL: whether a stimulus was lost or damaged by its last event."""
    event, later = aliased(ImageEvent), aliased(ImageEvent)
    return exists().where(
        event.stimulus_id == stimulus_id,
        event.kind != RESTORED,
        ~exists().where(later.stimulus_id == stimulus_id, later.at > event.at),
    )


def is_skipped(presentation_id: Any) -> ColumnElement[bool]:
    """SQL: whether a pair is not shown, because one of its images cannot be used."""
    slot = aliased(PresentationSlot)
    return exists().where(slot.presentation_id == presentation_id, is_unusable(slot.stimulus_id))


def unusable_stimuli(session: Session) -> list[Stimulus]:
    """The stimuli that were found lost or damaged and are not restored."""
    wanted = select(Stimulus).where(is_unusable(Stimulus.id)).order_by(Stimulus.file)
    return list(session.scalars(wanted))
