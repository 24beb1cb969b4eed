"""Readers who join a study after its freeze: with a plan of their own, or in place of another one.

Both are decisions that the database keeps (`ReaderChange`), the audit log names and the report
prints. No rating is changed: what a replaced reader has read stays theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from study.domain.errors import ProtocolError, StudyError
from study.domain.formatting import plural
from study.domain.plan import Trial, plan_digest, sides
from study.domain.protocol import Protocol
from study.domain.reader_codes import checked_code, next_code
from study.domain.terms import Phase, Role, Status
from study.planning.added_sessions import extend_plan
from study.planning.assignment import assign
from study.planning.plan_rows import to_read, write_plan
from study.planning.readiness import built_study, reloaded_key
from study.storage.hash_chain import audit
from study.storage.key import Key
from study.storage.models import (
    Presentation,
    PresentationSlot,
    RatingEvent,
    Reader,
    ReaderChange,
    ReadingSession,
    Stimulus,
    Study,
    new_id,
)
from study.storage.reader_rows import add_change, existing_reader, has_withdrawn, is_replaced
from study.storage.store import Store, parsed

_WARM_UP = (Role.TRAINING, Role.QUALIFICATION, Role.DUMMY)
_ORDER = (Role.TRAINING, Role.QUALIFICATION, Role.DUMMY, Role.MAIN, Role.REPEAT, Role.NULL)


@dataclass(frozen=True)
class LateReader:
    """A reader who joined after the freeze.

    Parameters
    ----------
    code : str
    pairs : int
        Pairs of the plan, training included, without the qualification.
    replaces : str
        Code of the reader whose plan is taken over; empty where there is none.
    dropped : int
        Repeats that are not taken over, because another person has read the pair they repeat.
    unit : str
        What is shown at a time.
    """

    code: str
    pairs: int
    replaces: str = ""
    dropped: int = 0
    unit: str = "pair"

    def as_text(self) -> str:
        """The outcome in a sentence or two."""
        if not self.replaces:
            return f"{self.code} is added with a plan of {plural(self.pairs, self.unit)}."
        left = (
            f" {plural(self.dropped, 'repeat')} of {self.unit}s that {self.replaces} has read "
            f"{'is' if self.dropped == 1 else 'are'} left out."
            if self.dropped
            else ""
        )
        return (
            f"{self.code} takes over the plan of {self.replaces}: {plural(self.pairs, self.unit)} "
            f"with training. {self.replaces} is switched off.{left}"
        )


def add_reader(
    store: Store, key: Key, *, code: str = "", reason: str = "", actor: str
) -> LateReader:
    """Add a reader to a frozen or open study, with the next plan of the design.

    Parameters
    ----------
    store : Store
    key : Key
        Of the study; its seed gives the plan.
    code : str
        Chosen code; by default the next of R01, R02, ...
    reason : str
        Printed in the report.
    actor : str
        Who decides.

    Raises
    ------
    ProtocolError
        The code is not possible or taken.
    StudyError
        The study is not frozen or open.
    KeyFileError
        The key is not that of the study.
    """
    key = reloaded_key(store, key)
    with store.write() as session:
        return add_reader_in(store, session, key, code=code, reason=reason, actor=actor)


def add_reader_in(
    store: Store, session: Session, key: Key, *, code: str = "", reason: str, actor: str
) -> LateReader:
    """Add a reader in a transaction, with a key that was just read; see `add_reader`."""
    frozen = _require_open(store, session)
    built = built_study(session)
    added = select(func.count()).where(ReaderChange.kind == "added")
    place = frozen.readers + (session.scalar(added) or 0)
    plan = assign(
        replace(frozen, readers=place + 1), built.cases, built.kinds,
        seed=key.seed, study_id=store.study_id, reader=place,
    )  # fmt: skip
    reader = _new_reader(session, store.study_id, code)
    add_change(session, reader, "added", reason, actor)
    _write(session, reader, plan, built.stimuli, actor)
    current = store.protocol_in(session)
    for number in range(len(current.repeat_sessions)):
        extend_plan(store, session, key, reader, current, number, reason=reason, actor=actor)
    audit(session, actor, "add reader", target=reader.code, detail=reason.strip())
    return LateReader(reader.code, to_read(plan), unit=current.unit)


def replace_reader(
    store: Store, old: str, *, code: str = "", reason: str, actor: str
) -> LateReader:
    """Let a new reader take over the unfinished plan of another one, who is switched off.

    The new reader agrees, fills in a profile, trains and reads the warm-up pairs like any other.
    Of a reader who has withdrawn no rating counts, so that all pairs are taken over.

    Parameters
    ----------
    store : Store
    old : str
        Code of the reader who is replaced.
    code : str
        Chosen code of the new reader; by default the next of R01, R02, ...
    reason : str
        Printed in the report.
    actor : str
        Who decides.

    Raises
    ------
    ProtocolError
        The code is not possible or taken, or the reason is missing.
    StudyError
        There is no such reader, nothing is left to be read, the reader has been replaced before,
        or the study is not frozen or open.
    """
    if not reason.strip():
        raise ProtocolError(f"Say why {old} is replaced: the report prints the reason.")
    with store.write() as session:
        _require_open(store, session)
        leaving = existing_reader(session, store.study_id, old)
        if is_replaced(session, leaving.id):
            raise StudyError(f"{leaving.code} has been replaced already.")
        trials, dropped = _unfinished(session, leaving.id)
        if not any(trial.role not in _WARM_UP for trial in trials):
            raise StudyError(f"{leaving.code} has finished: nothing is left to take over.")
        reader = _new_reader(session, store.study_id, code)
        add_change(session, reader, "replaces", reason, actor, other=leaving)
        _write(session, reader, trials, session.scalars(select(Stimulus)).all(), actor)
        leaving.active = False
        leaving.generation += 1
        leaving.invite_hash = None
        audit(session, actor, "replace reader", leaving.code, f"by {reader.code}: {reason.strip()}")
        unit = store.protocol_in(session).unit
        return LateReader(reader.code, to_read(trials), leaving.code, dropped, unit)


def _require_open(store: Store, session: Session) -> Protocol:
    """The protocol as it was frozen: places of added readers follow its own."""
    study = session.get_one(Study, store.study_id)
    if study.status not in (Status.FROZEN, Status.OPEN):
        raise StudyError(
            f"The study is {study.status}: readers join while it is frozen or open, and before "
            "that by the number of readers in the design."
        )
    return parsed(study.protocol_json)


def _new_reader(session: Session, study_id: str, code: str) -> Reader:
    taken = session.scalars(select(Reader.code)).all()
    chosen = checked_code(code, taken) if code.strip() else next_code(taken)
    reader = Reader(id=new_id(), study_id=study_id, code=chosen)
    session.add(reader)
    session.flush()
    return reader


def _write(
    session: Session,
    reader: Reader,
    plan: Sequence[Trial],
    stimuli: Sequence[Stimulus],
    actor: str,
) -> None:
    """Write a plan between the two changes that allow it and fix it."""
    write_plan(session, reader.id, plan, {(s.item_id, s.method_id): s.id for s in stimuli})
    counts = Counter(trial.role for trial in plan)
    held = ", ".join(f"{counts[role]} {role}" for role in _ORDER if counts[role])
    add_change(session, reader, "planned", f"{held}; SHA-256 {plan_digest(plan)}", actor)


def _unfinished(session: Session, reader_id: str) -> tuple[tuple[Trial, ...], int]:
    """What is left of a plan, with all of its training and warm-up, and the dropped repeats."""
    counts = exists().where(RatingEvent.presentation_id == Presentation.id)
    rows = session.execute(
        select(Presentation, ReadingSession.number, ReadingSession.phase, counts)
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .where(ReadingSession.reader_id == reader_id)
        .order_by(ReadingSession.number, Presentation.position)
    ).all()
    read = (
        set()
        if has_withdrawn(session, reader_id)
        else {shown.id for shown, _, _, answered in rows if answered}
    )
    left = [
        (shown, number, phase)
        for shown, number, phase, _ in rows
        if shown.id not in read or shown.role in _WARM_UP
    ]
    kept = [one for one in left if one[0].repeat_of not in read]
    methods = _methods(session, reader_id)
    positions: Counter[int] = Counter()
    places: dict[str, int] = {}
    trials = []
    for shown, number, phase in kept:
        places[shown.id] = position = positions[number]
        positions[number] += 1
        again = None if shown.repeat_of is None else places[shown.repeat_of]
        trials.append(
            Trial(
                position=position, session=number, phase=Phase(phase), case=shown.item_id,
                role=Role(shown.role), repeat_of=again, **sides(methods[shown.id]),
            )
        )  # fmt: skip
    return tuple(trials), len(left) - len(kept)


def _methods(session: Session, reader_id: str) -> dict[str, list[str]]:
    """The methods of each presentation, by slot."""
    rows = session.execute(
        select(PresentationSlot.presentation_id, Stimulus.method_id)
        .join(Stimulus, Stimulus.id == PresentationSlot.stimulus_id)
        .join(Presentation, Presentation.id == PresentationSlot.presentation_id)
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .where(ReadingSession.reader_id == reader_id)
        .order_by(PresentationSlot.presentation_id, PresentationSlot.slot)
    )
    found: dict[str, list[str]] = {}
    for presentation_id, method_id in rows:
        found.setdefault(presentation_id, []).append(method_id)
    return found
