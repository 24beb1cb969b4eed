"""All tables of a study; constraints between rows are in `study.storage.constraints`."""

from study.storage.base import Base, new_id, new_token, now, now_after, stamp
from study.storage.design_tables import (
    Item,
    Method,
    Presentation,
    PresentationSlot,
    Question,
    Reader,
    ReadingSession,
    SchemaVersion,
    Staff,
    Stimulus,
    Study,
)
from study.storage.event_tables import (
    AnalysisRun,
    AuditEvent,
    BlindingGuess,
    Comment,
    Consent,
    DisplayCheck,
    Exclusion,
    ImageEvent,
    InteractionEvent,
    RatingEvent,
    ReaderChange,
    RowEvent,
    Ticket,
)

SCHEMA_VERSION = 5
"""Older databases are brought to this version by `study.storage.migrations` when opened."""

__all__ = [
    "SCHEMA_VERSION",
    "AnalysisRun",
    "AuditEvent",
    "Base",
    "BlindingGuess",
    "Comment",
    "Consent",
    "DisplayCheck",
    "Exclusion",
    "ImageEvent",
    "InteractionEvent",
    "Item",
    "Method",
    "Presentation",
    "PresentationSlot",
    "Question",
    "RatingEvent",
    "Reader",
    "ReaderChange",
    "ReadingSession",
    "RowEvent",
    "SchemaVersion",
    "Staff",
    "Stimulus",
    "Study",
    "Ticket",
    "new_id",
    "new_token",
    "now",
    "now_after",
    "stamp",
]
