"""Tables of what happens: consent, tickets, ratings, comments, guesses, audit, analyses."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from study.storage.base import SINCE, Base, new_id, new_token, now


class Consent(Base):
    """Consent to a text, or its withdrawal; append-only."""

    __tablename__ = "consent"
    __table_args__ = (CheckConstraint("action IN ('accepted', 'withdrawn')", name="action"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    reader_id: Mapped[str] = mapped_column(ForeignKey("reader.id"), index=True)
    action: Mapped[str]
    text_sha256: Mapped[str]
    at: Mapped[str] = mapped_column(default=now)


class DisplayCheck(Base):
    """A display check before reading; append-only."""

    SKIPPED: ClassVar = "skipped"
    """Key in the detail of a check that was skipped, as in a demonstration."""
    __tablename__ = "display_check"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    reader_id: Mapped[str] = mapped_column(ForeignKey("reader.id"), index=True)
    passed: Mapped[bool]
    detail_json: Mapped[str]
    at: Mapped[str] = mapped_column(default=now)


class Ticket(Base):
    """A one-time permission to fetch the pixels of a presentation."""

    __tablename__ = "ticket"
    token: Mapped[str] = mapped_column(primary_key=True, default=new_token)
    presentation_id: Mapped[str] = mapped_column(ForeignKey("presentation.id"), index=True)
    reader_id: Mapped[str] = mapped_column(ForeignKey("reader.id"))
    issued_at: Mapped[str] = mapped_column(default=now)
    used_at: Mapped[str | None]


class RatingEvent(Base):
    """An answer; append-only, with hash chain. A correction is a new row with a reason."""

    __tablename__ = "rating_event"
    __table_args__ = (
        UniqueConstraint("presentation_id", "question_id", "slot", "revision"),
        UniqueConstraint("idempotency_key", "question_id", "slot"),
        CheckConstraint("slot BETWEEN 0 AND 6", name="slot"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("(value_num IS NULL) <> (value_text IS NULL)", name="one_value"),
        CheckConstraint(
            "revision = 1 OR (reason IS NOT NULL AND length(trim(reason)) > 0)", name="reason"
        ),
    )
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1, 2, 3, ... without a gap; `study.storage.hash_chain.append` gives the next one."""
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    presentation_id: Mapped[str] = mapped_column(ForeignKey("presentation.id"))
    question_id: Mapped[str] = mapped_column(ForeignKey("question.id"))
    slot: Mapped[int]
    value_num: Mapped[float | None]
    value_text: Mapped[str | None]
    revision: Mapped[int] = mapped_column(default=1)
    reason: Mapped[str | None]
    idempotency_key: Mapped[str]
    client_visible_ms: Mapped[int | None]
    client_first_ms: Mapped[int | None]
    server_at: Mapped[str] = mapped_column(default=now)
    actor_id: Mapped[str] = mapped_column(ForeignKey("reader.id"))
    prev_hash: Mapped[str]
    row_hash: Mapped[str] = mapped_column(unique=True)
    protocol_version: Mapped[int | None] = mapped_column(info={SINCE: 6})
    """Number of the version of the protocol that it was given under; null is the first."""


class Comment(Base):
    """A comment of a reader about a pair; append-only."""

    __tablename__ = "comment"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    presentation_id: Mapped[str] = mapped_column(ForeignKey("presentation.id"), index=True)
    reader_id: Mapped[str] = mapped_column(ForeignKey("reader.id"))
    text: Mapped[str]
    at: Mapped[str] = mapped_column(default=now)


class BlindingGuess(Base):
    """An answer to the blinding question about a stimulus; append-only."""

    __tablename__ = "blinding_guess"
    __table_args__ = (UniqueConstraint("reader_id", "stimulus_id"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    reader_id: Mapped[str] = mapped_column(ForeignKey("reader.id"))
    stimulus_id: Mapped[str] = mapped_column(ForeignKey("stimulus.id"))
    guess: Mapped[str]
    """Index of the chosen group as the reader saw it, or "do not know"."""
    at: Mapped[str] = mapped_column(default=now)


class InteractionEvent(Base):
    """Sampled interactions with the images: windowing, zoom, flicker, pauses."""

    __tablename__ = "interaction_event"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    presentation_id: Mapped[str] = mapped_column(ForeignKey("presentation.id"), index=True)
    kind: Mapped[str]
    payload: Mapped[str]
    at_ms: Mapped[int]


class AuditEvent(Base):
    """An entry of the audit log; append-only, with hash chain."""

    __tablename__ = "audit_event"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1, 2, 3, ... without a gap; `study.storage.hash_chain.append` gives the next one."""
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("study.id"))
    actor: Mapped[str]
    action: Mapped[str]
    target: Mapped[str] = mapped_column(default="")
    detail: Mapped[str] = mapped_column(default="")
    server_at: Mapped[str] = mapped_column(default=now)
    prev_hash: Mapped[str]
    row_hash: Mapped[str] = mapped_column(unique=True)


class RowEvent(Base):
    """Rows of another table as one transaction left them; append-only, with hash chain.

    From the freeze on, every row that an analysis reads is in the chain of ratings, of audit events
    or of these (`study.storage.row_log`).
    """

    __tablename__ = "row_event"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """1, 2, 3, ... without a gap; `study.storage.hash_chain.append` gives the next one."""
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    table_name: Mapped[str]
    rows_json: Mapped[str]
    """The rows as a list of objects."""
    server_at: Mapped[str] = mapped_column(default=now)
    prev_hash: Mapped[str]
    row_hash: Mapped[str] = mapped_column(unique=True)


class Exclusion(Base):
    """A logged decision to exclude a reader or a case from the analyses, or to undo that."""

    UNDONE: ClassVar = "counts again"
    """Rule code of a record that undoes the exclusion of its target."""
    __tablename__ = "exclusion"
    __table_args__ = (CheckConstraint("target_kind IN ('reader', 'item')", name="target_kind"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("study.id"))
    target_kind: Mapped[str]
    target_id: Mapped[str]
    rule_code: Mapped[str]
    prespecified: Mapped[bool]
    reason: Mapped[str]
    decided_by: Mapped[str]
    decided_at: Mapped[str] = mapped_column(default=now)


class ReaderChange(Base):
    """A decision about a reader after the freeze; append-only."""

    __tablename__ = "reader_change"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('added', 'replaces', 'planned', 'switched off', 'switched on', 'ended', "
            "'renamed', 'note', 'attempt', 'extended')",
            name="kind",
        ),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    reader_id: Mapped[str] = mapped_column(ForeignKey("reader.id"), index=True)
    kind: Mapped[str]
    """"added" or "replaces" begins the plan of a new reader, "extended" a session that an amendment
    adds, and "planned" fixes it; "attempt" allows another attempt at the qualification."""
    other_id: Mapped[str | None] = mapped_column(ForeignKey("reader.id"))
    """For "replaces": the reader whose plan is taken over."""
    text: Mapped[str]
    """The reason or the note; for "planned" what the plan holds."""
    decided_by: Mapped[str]
    at: Mapped[str] = mapped_column(default=now)


class QualificationResult(Base):
    """The outcome of an attempt at the qualification; append-only."""

    __tablename__ = "qualification_result"
    __table_args__ = (
        UniqueConstraint("session_id"),
        CheckConstraint("correct BETWEEN 0 AND asked", name="correct"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    session_id: Mapped[str] = mapped_column(ForeignKey("reading_session.id"))
    correct: Mapped[int]
    asked: Mapped[int]
    """Answers with a known right one."""
    passed: Mapped[bool]
    at: Mapped[str] = mapped_column(default=now)


class ImageEvent(Base):
    """A stimulus was found lost or damaged, or is whole again; append-only."""

    __tablename__ = "image_event"
    __table_args__ = (CheckConstraint("kind IN ('lost', 'damaged', 'restored')", name="kind"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    stimulus_id: Mapped[str] = mapped_column(ForeignKey("stimulus.id"), index=True)
    kind: Mapped[str]
    noticed_by: Mapped[str]
    at: Mapped[str] = mapped_column(default=now)


class AnalysisRun(Base):
    """A logged analysis, with everything needed to repeat it."""

    __tablename__ = "analysis_run"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("study.id"))
    kind: Mapped[str]
    data_sha256: Mapped[str]
    protocol_sha256: Mapped[str]
    code_version: Mapped[str]
    libraries_json: Mapped[str]
    seed: Mapped[int]
    """As a signed number of 32 bits."""
    unblinded: Mapped[bool]
    result_json: Mapped[str]
    at: Mapped[str] = mapped_column(default=now)
