"""Amending the protocol of a frozen or open study: a new version, with its reason.

What may change is how the study is explained and run. What the freeze has fixed for the analysis
never does: methods, images, plans and seed, the primary comparison, the scales.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.domain.errors import ProtocolError, StudyError
from study.domain.protocol import Protocol
from study.domain.qualification import SPARE_ATTEMPTS
from study.domain.questions import Question, QuestionKind
from study.domain.terms import Status
from study.planning.added_sessions import add_repeat_session, ended_before
from study.planning.freeze import CONFIRM
from study.planning.late_readers import LateReader, add_reader_in
from study.planning.plan_rows import question_row
from study.planning.readiness import doubtful_texts, reloaded_key, revealing_texts
from study.storage.hash_chain import audit
from study.storage.key import Key
from study.storage.models import ProtocolVersion, ReadingSession, Study, stamp
from study.storage.protocol_versions import amendments
from study.storage.store import Store, parsed

WORDING = ("title", "instructions", "consent", "notes", "language", "texts")
RUNNING = ("break_minutes", "seconds_per_pair", "least_width", "least_height")
_MORE = ("readers", "attempts")
_FIXED = {
    "which methods are compared": ("pairs", "control"),
    "the primary comparison and its analysis": (
        "primary_pair", "hypothesis", "margin", "alpha", "random", "kappa_rule",
    ),
    "the plans of the readers, which were drawn from the seed": (
        "presentation", "crossover", "block", "training", "dummies", "repeats", "nulls",
        "repeat_distance", "randomise_sides", "randomise_order",
    ),
    "the qualification": ("qualification", "pass_mark"),
    "which images are shown, and in which windows": ("show_original", "windows"),
    "what readers are told and asked about how images were made": (
        "feedback", "ask_blinding", "blinding_groups", "demo",
    ),
}  # fmt: skip
"""What never changes after the freeze, with the fields that say it."""
_WORDS = ("text", "anchors")
"""What may change of a question."""


@dataclass(frozen=True)
class Amendment:
    """An amended protocol.

    Parameters
    ----------
    number : int
        Of the version.
    changes : tuple of str
        What differs from the version before.
    readers : tuple of LateReader
        Who was added.
    """

    number: int
    changes: tuple[str, ...]
    readers: tuple[LateReader, ...] = ()

    def as_text(self) -> str:
        """The amendment as text."""
        lines = [f"Version {self.number} of the protocol: {'; '.join(self.changes)}."]
        return "\n".join([*lines, *(one.as_text() for one in self.readers)])


def amend(
    store: Store,
    key: Key,
    wanted: Protocol,
    *,
    reason: str,
    actor: str,
    words_confirmed: bool = False,
) -> Amendment:
    """Store an amended protocol as a new version, which holds from the next answer on.

    A new consent text is asked for from every reader. A changed washout holds for those who wait.

    Parameters
    ----------
    store : Store
    key : Key
        Of the study: texts must not tell its names, and added readers get plans from its seed.
    wanted : Protocol
    reason : str
        Printed in the report.
    actor : str
        Who decides.
    words_confirmed : bool
        As for `study.planning.freeze.freeze`.

    Raises
    ------
    KeyFileError
        The key is not that of the study.
    ProtocolError
        Nothing changes, the reason is missing, a text names a method, case or patient, or what
        changes is fixed; the error lists everything.
    StudyError
        The study is not frozen or open.
    """
    if not reason.strip():
        raise ProtocolError("Say why the protocol is amended: the report prints the reason.")
    key = reloaded_key(store, key)
    with store.write() as session:
        study = session.get_one(Study, store.study_id)
        if study.status not in (Status.FROZEN, Status.OPEN):
            raise StudyError(
                f"The study is {study.status}: a protocol is amended while it is frozen or open, "
                "and changed freely before."
            )
        frozen, current = parsed(study.protocol_json), store.protocol_in(session)
        changes = changed(current, wanted, frozen)
        found = [*revealing_texts(study.code, wanted, key)]
        old = set(doubtful_texts(study.code, current, key))
        doubts = [one for one in doubtful_texts(study.code, wanted, key) if one not in old]
        if doubts and not words_confirmed:
            found += [*doubts, CONFIRM.replace("the box next to Freeze", "the box next to Amend")]
        if found:
            raise ProtocolError("\n".join(found))
        number = len(amendments(session)) + 2
        session.add(
            ProtocolVersion(
                study_id=study.id, number=number, protocol_json=wanted.to_json(),
                protocol_sha256=wanted.digest, questions=len(wanted.questions),
                changes="\n".join(changes), reason=reason.strip(), decided_by=actor,
            )
        )  # fmt: skip
        session.flush()
        _add_questions(session, study.id, current, wanted)
        if wanted.washout_days != current.washout_days:
            _move_sessions(session, wanted)
        audit(
            session, actor, "amend", target=study.code,
            detail=f"version {number}, {wanted.digest}: {reason.strip()}",
        )  # fmt: skip
        kept = len(current.repeat_sessions)
        for place in range(kept, len(wanted.repeat_sessions)):
            add_repeat_session(store, session, key, wanted, place, reason=reason, actor=actor)
        more = range(wanted.readers - current.readers)
        added = tuple(add_reader_in(store, session, key, reason=reason, actor=actor) for _ in more)
    return Amendment(number, changes, added)


def changed(current: Protocol, wanted: Protocol, frozen: Protocol) -> tuple[str, ...]:
    """What an amendment changes, in words.

    Parameters
    ----------
    current, wanted, frozen : Protocol
        The present version, the amended one, and the first.

    Raises
    ------
    ProtocolError
        Nothing, or something that is fixed; the error lists all of it.
    """
    problems = [
        *_fixed(current, wanted), *_sessions(current, wanted, frozen),
        *_scales(current, wanted),
    ]  # fmt: skip
    if problems:
        raise ProtocolError("\n".join(problems))
    found = [*_changes(current, wanted)]
    if not found:
        raise ProtocolError("The amended protocol is the present one: change something.")
    return tuple(found)


def _fixed(current: Protocol, wanted: Protocol) -> Iterator[str]:
    for what, names in _FIXED.items():
        if differing := [n for n in names if getattr(current, n) != getattr(wanted, n)]:
            yield (
                f"{', '.join(differing)} cannot change after the freeze: it fixes {what}. Leave "
                "that as it is, or make a new study."
            )


def _sessions(current: Protocol, wanted: Protocol, frozen: Protocol) -> Iterator[str]:
    """Numbers that change within limits."""
    for name in _MORE:
        if getattr(wanted, name) < getattr(current, name):
            yield (
                f"{name} is {getattr(current, name)} and can only grow: plans that were made "
                "stay. Switch readers off one by one."
            )
    most = frozen.attempts + SPARE_ATTEMPTS
    if wanted.attempts > most:
        yield f"attempts={wanted.attempts}, but {most} are planned: allow at most these."
    if bool(wanted.washout_days) != bool(current.washout_days):
        yield (
            f"washout_days={wanted.washout_days:g} would change which sessions there are, which "
            "were planned at the freeze: give another number of days above 0."
            if current.washout_days
            else "washout_days needs a second session, and none was planned at the freeze: leave "
            "0, and add one with repeat_sessions."
        )
    if wanted.repeat_sessions[: len(current.repeat_sessions)] != current.repeat_sessions:
        yield "repeat_sessions were added by an amendment and stay: add another one after them."


def _scales(current: Protocol, wanted: Protocol) -> Iterator[str]:
    """Questions that are missing, answered in another way, or added without being optional."""
    asked = {question.code: question for question in wanted.questions}
    for old in current.questions:
        new = asked.pop(old.code, None)
        if new is None:
            yield f"The question {old.code} was asked since the freeze: it cannot be removed."
            continue
        names = [one.name for one in fields(Question) if one.name not in _WORDS]
        if differing := [n for n in names if getattr(old, n) != getattr(new, n)]:
            yield (
                f"{', '.join(differing)} of the question {old.code} cannot change after the "
                "freeze, only its wording: add another question."
            )
        if bool(old.anchors) != bool(new.anchors):
            yield f"The anchors of {old.code} can be reworded, not added or removed."
    for new in asked.values():
        optional = new.cannot_judge or new.kind is QuestionKind.TEXT
        if not optional or new.primary or new.truth or new.of_pair or new.ranks:
            yield (
                f"The question {new.code} can be added only where it is optional (cannot_judge, or "
                "a text) and about each image, and neither primary nor held against the truth."
            )


def _changes(current: Protocol, wanted: Protocol) -> Iterator[str]:
    for name in (*WORDING, *RUNNING, *_MORE, "washout_days"):
        old, new = getattr(current, name), getattr(wanted, name)
        if old != new:
            plain = name not in WORDING or name == "language"
            yield f"{name}: {_short(old)} to {_short(new)}" if plain else f"{name}: new wording"
    for number, added in enumerate(wanted.repeat_sessions, wanted.planned_sessions + 1):
        if number > current.planned_sessions + len(current.repeat_sessions):
            yield f"session {number}: added, {added.words}"
    before = {question.code: question for question in current.questions}
    for question in wanted.questions:
        if question.code not in before:
            yield f"question {question.code}: added"
        elif question != before[question.code]:
            yield f"question {question.code}: new wording"


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _add_questions(session: Session, study_id: str, current: Protocol, wanted: Protocol) -> None:
    before = {question.code for question in current.questions}
    new = [question for question in wanted.questions if question.code not in before]
    for place, question in enumerate(new, len(before)):
        session.add(question_row(study_id, question, place))
        session.flush()


def _move_sessions(session: Session, protocol: Protocol) -> None:
    """Let the sessions that are waited for open after the new washout."""
    waiting = select(ReadingSession).where(
        ReadingSession.not_before.is_not(None), ReadingSession.started_at.is_(None)
    )
    for later in session.scalars(waiting).all():
        end = ended_before(session, later.reader_id, later.number)
        if end is not None:
            days = protocol.washout_before(later.number)
            later.not_before = stamp(end + timedelta(days=days))


def with_wording(protocol: Protocol, texts: dict[str, str]) -> Protocol:
    """The protocol with other texts of its questions, by code."""
    return protocol.with_(
        questions=tuple(
            replace(one, text=texts.get(one.code, one.text)) for one in protocol.questions
        )
    )
