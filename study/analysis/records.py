"""Records around the answers of a study: methods, readers, cases, decisions, times."""

from __future__ import annotations

from dataclasses import dataclass

from study.domain.terms import MethodKind
from study.storage.models import Exclusion

DO_NOT_KNOW = "do not know"
UNDONE = str(Exclusion.UNDONE)
"""The rule of a decision that undoes an exclusion."""
INCLUDED, WITHDRAWN, EXCLUDED, NEVER_JOINED = "included", "withdrawn", "excluded", "never joined"
NOT_QUALIFIED = "not qualified"
"""States of a reader in the analysis."""


@dataclass(frozen=True)
class MethodRecord:
    """A method; all fields except mask and kind are empty before unblinding."""

    mask: str
    kind: MethodKind = MethodKind.TEST
    name: str = ""
    group: str = ""
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """The label in tables: the mask, and the name after unblinding."""
        return f"{self.mask} {self.name}" if self.name else self.mask


@dataclass(frozen=True)
class ReaderRecord:
    """A reader of the study.

    Parameters
    ----------
    code : str
    state : str
        `INCLUDED`, `WITHDRAWN`, `EXCLUDED`, `NEVER_JOINED` or `NOT_QUALIFIED`.
    specialty, experience_years
        As answered by the reader; empty or None without an answer.
    simulated : bool
        Whether the reader is a program.
    display_check : str
        passed, failed or not done.
    planned, read : int
        Numbers of main pairs.
    corrections : int
        Number of pairs corrected with a reason.
    started_at, finished_at : str
        Start of the first and end of the last session; empty if there is none.
    replaces, replaced_by : str
        Codes of the readers before and after in the same plan; pairs that a replaced reader did
        not read are planned for the one after.
    attempts : tuple of AttemptRecord
        At the qualification.
    """

    code: str
    state: str = INCLUDED
    specialty: str = ""
    experience_years: int | None = None
    simulated: bool = False
    display_check: str = "not done"
    planned: int = 0
    read: int = 0
    corrections: int = 0
    started_at: str = ""
    finished_at: str = ""
    replaces: str = ""
    replaced_by: str = ""
    attempts: tuple[AttemptRecord, ...] = ()

    @property
    def qualified(self) -> bool:
        """Whether an attempt at the qualification was passed."""
        return any(one.passed for one in self.attempts)


@dataclass(frozen=True)
class AttemptRecord:
    """The result of an attempt at the qualification: right answers of those asked."""

    reader: str
    attempt: int
    correct: int
    asked: int
    passed: bool
    at: str


@dataclass(frozen=True)
class ReaderChangeRecord:
    """A decision about a reader after the freeze, such as added, switched off, attempt."""

    reader: str
    change: str
    reason: str
    decided_by: str
    decided_at: str


@dataclass(frozen=True)
class CaseRecord:
    """A case, identified by random labels; its truth (yes, no or empty) after unblinding only.

    ``slices`` is the number that readers scroll through; 1 of a single image.
    """

    case: str
    patient: str
    modality: str = ""
    training: bool = False
    truth: str = ""
    slices: int = 1


@dataclass(frozen=True)
class GuessRecord:
    """A reader's guess of the group of a method; may be `DO_NOT_KNOW`."""

    reader: str
    method: str
    guess: str


@dataclass(frozen=True)
class ExclusionRecord:
    """A logged decision to exclude a reader or a case, or to undo that (the rule is `UNDONE`)."""

    kind: str
    target: str
    rule: str
    prespecified: bool
    reason: str
    decided_by: str
    decided_at: str

    @property
    def undoes(self) -> bool:
        """Whether it undoes an exclusion."""
        return self.rule == UNDONE


@dataclass(frozen=True)
class CommentRecord:
    """A reader's comment on a pair."""

    reader: str
    pair: str
    text: str
    at: str


@dataclass(frozen=True)
class DisplayRecord:
    """A display check of a reader; see `study.domain.screens.Display`.

    `device` is a label of the computer and browser; empty in studies that did not record it.
    """

    reader: str
    at: str
    passed: bool
    patches_seen: int
    patches: int
    ends_seen: bool
    dim_room: bool
    carry_on: bool
    width: int
    height: int
    screen_width: int
    screen_height: int
    colour_depth: int
    ratio: float
    device: str = ""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An interaction of a reader with the images of a pair."""

    reader: str
    pair: str
    at_ms: int
    kind: str
    payload: str


@dataclass(frozen=True)
class StudyRecord:
    """The study itself: identity, status, hashes and recorded times."""

    code: str = "STUDY"
    status: str = "closed"
    protocol_sha256: str = ""
    seed_sha256: str = ""
    plan_sha256: str = ""
    key_sha256: str = ""
    created_at: str = ""
    frozen_at: str = ""
    opened_at: str = ""
    closed_at: str = ""
    unblinded_at: str = ""
    app_version: str = ""
