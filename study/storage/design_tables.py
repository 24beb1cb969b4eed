"""Tables of the design: study, people, methods, cases, stimuli, questions and the plan."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from study.storage.base import SINCE, Base, new_id, new_token, now


class SchemaVersion(Base):
    """The version of the tables, in a single row."""

    __tablename__ = "schema_version"
    version: Mapped[int] = mapped_column(primary_key=True)
    app_version: Mapped[str]
    created_at: Mapped[str] = mapped_column(default=now)


class Study(Base):
    """A study; the protocol and the hash of the seed cannot change once it is frozen."""

    __tablename__ = "study"
    __table_args__ = (
        CheckConstraint(
            "status IN ('draft', 'frozen', 'open', 'closed', 'unblinded')", name="status"
        ),
        CheckConstraint("(status = 'draft') = (frozen_at IS NULL)", name="frozen_at"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(default="draft")
    protocol_json: Mapped[str]
    protocol_sha256: Mapped[str]
    seed_sha256: Mapped[str]
    """Of the master seed, which is in the key file only."""
    key_sha256: Mapped[str | None]
    """Of the method names in the key file, set at freeze."""
    plan_sha256: Mapped[str | None]
    created_at: Mapped[str] = mapped_column(default=now)
    frozen_at: Mapped[str | None]
    app_version: Mapped[str]


class ProtocolVersion(Base):
    """An amended protocol; the first version is that of `Study`. Append-only."""

    __tablename__ = "protocol_version"
    __table_args__ = (
        UniqueConstraint("study_id", "number"),
        CheckConstraint("number >= 2", name="number"),
        CheckConstraint("length(trim(reason)) > 0", name="reason"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("study.id"))
    number: Mapped[int]
    protocol_json: Mapped[str]
    protocol_sha256: Mapped[str]
    questions: Mapped[int]
    """Number of questions: an amendment may add some."""
    changes: Mapped[str]
    """What differs from the version before, a line for each field."""
    reason: Mapped[str]
    decided_by: Mapped[str]
    at: Mapped[str] = mapped_column(default=now)


class Reader(Base):
    """A reader, without a real name."""

    __tablename__ = "reader"
    __table_args__ = (UniqueConstraint("study_id", "code"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("study.id"))
    code: Mapped[str]
    secret_hash: Mapped[str | None]
    """Of the secret that goes with the code; none before an invitation."""
    invite_hash: Mapped[str | None]
    """Of the one-time invite link; cleared when it is used."""
    generation: Mapped[int] = mapped_column(default=0)
    """Incremented to invalidate older cookies of the reader."""
    specialty: Mapped[str | None]
    experience_years: Mapped[int | None]
    profile_json: Mapped[str | None]
    active: Mapped[bool] = mapped_column(default=True)
    simulated: Mapped[bool] = mapped_column(default=False)


class Staff(Base):
    """The account of a coordinator."""

    __tablename__ = "staff"
    __table_args__ = (
        UniqueConstraint("study_id", "code"),
        CheckConstraint("role IN ('admin', 'monitor')", name="role"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("study.id"))
    code: Mapped[str]
    """Name of this person in the audit log."""
    secret_hash: Mapped[str]
    role: Mapped[str]
    generation: Mapped[int] = mapped_column(default=0)
    """Incremented to invalidate older cookies."""
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[str] = mapped_column(default=now)


class Method(Base):
    """A method without its name, which is in the key file."""

    __tablename__ = "method"
    __table_args__ = (
        CheckConstraint("kind IN ('test', 'reference', 'anchor', 'original')", name="kind"),
        UniqueConstraint("study_id", "mask"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("study.id"))
    kind: Mapped[str] = mapped_column(default="test")
    mask: Mapped[str | None]
    """M1, M2, ... in random order, assigned at the freeze: the name in masked exports. The
    unenhanced image, which is never rated, has none."""


class Item(Base):
    """A case."""

    __tablename__ = "item"
    __table_args__ = (UniqueConstraint("study_id", "case_key"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("study.id"))
    case_key: Mapped[str]
    """Random label C001, C002, ...; the name of the case is in the key file."""
    patient_key: Mapped[str]
    """Random label of the patient: the cluster of the bootstrap."""
    modality: Mapped[str]
    training: Mapped[bool] = mapped_column(default=False)
    """Used for training and dummies only, and not analysed."""
    window_json: Mapped[str]
    """Display windows and units of the case, the same for all methods."""


class Stimulus(Base):
    """The image of one method for one case: a raw buffer of gray levels or RGB, 16 bits each.

    A stack is its slices one after another.
    """

    __tablename__ = "stimulus"
    __table_args__ = (
        UniqueConstraint("item_id", "method_id"),
        CheckConstraint("width > 0 AND height > 0 AND channels IN (1, 3)", name="shape"),
        CheckConstraint("slices > 0", name="slices"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    item_id: Mapped[str] = mapped_column(ForeignKey("item.id"))
    method_id: Mapped[str] = mapped_column(ForeignKey("method.id"))
    file: Mapped[str] = mapped_column(unique=True)
    """Name below the stimuli folder, random."""
    pixel_sha256: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    channels: Mapped[int]
    deid_check: Mapped[str]
    slices: Mapped[int | None] = mapped_column(info={SINCE: 8})
    """Number of slices of a stack; none for a single image."""


class Question(Base):
    """A question of the frozen protocol."""

    __tablename__ = "question"
    __table_args__ = (
        UniqueConstraint("study_id", "code"),
        CheckConstraint("kind IN ('likert', 'preference')", name="kind"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("study.id"))
    code: Mapped[str]
    text: Mapped[str]
    kind: Mapped[str]
    """What it is asked about: "likert" for each image, "preference" for the pair. The protocol has
    the kind itself, so that the tables stay as they are when there are more."""
    minimum: Mapped[int]
    maximum: Mapped[int]
    """Equal to `minimum` where answers are JSON objects."""
    anchors_json: Mapped[str]
    cannot_judge: Mapped[bool]
    is_primary: Mapped[bool]
    display_order: Mapped[int]


class ReadingSession(Base):
    """A session of a reader, which may have pauses."""

    __tablename__ = "reading_session"
    __table_args__ = (
        UniqueConstraint("reader_id", "number"),
        CheckConstraint("phase IN ('training', 'qualification', 'main', 'repeat')", name="phase"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    reader_id: Mapped[str] = mapped_column(ForeignKey("reader.id"))
    number: Mapped[int]
    phase: Mapped[str]
    not_before: Mapped[str | None]
    started_at: Mapped[str | None]
    finished_at: Mapped[str | None]


class Presentation(Base):
    """A pair in the plan of a reader, immutable after the freeze."""

    __tablename__ = "presentation"
    __table_args__ = (
        UniqueConstraint("session_id", "position"),
        CheckConstraint("length(token) >= 22", name="token"),
        CheckConstraint(
            "role IN ('training', 'qualification', 'dummy', 'main', 'repeat', 'null')", name="role"
        ),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    session_id: Mapped[str] = mapped_column(ForeignKey("reading_session.id"), index=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("item.id"))
    position: Mapped[int]
    role: Mapped[str]
    repeat_of: Mapped[str | None] = mapped_column(ForeignKey("presentation.id"))
    token: Mapped[str] = mapped_column(unique=True, default=new_token)
    """Identifier of the presentation for the browser."""


class PresentationSlot(Base):
    """Which stimulus is on which side."""

    __tablename__ = "presentation_slot"
    __table_args__ = (CheckConstraint("slot IN (0, 1, 3, 4, 5, 6)", name="slot"),)
    presentation_id: Mapped[str] = mapped_column(ForeignKey("presentation.id"), primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True)
    stimulus_id: Mapped[str] = mapped_column(ForeignKey("stimulus.id"))
