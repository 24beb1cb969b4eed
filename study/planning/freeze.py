"""Freezing: protocol, plan and the hashes of seed and names are fixed before the first rating.

Everything is checked first and told at once; then all rows of the plan and the new status are
written in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.domain.errors import FreezeError, ProtocolError
from study.domain.protocol import Protocol, Status
from study.planning.assignment import Trial, assign, plan_digest, plan_notes, randomisation_problems
from study.planning.plan_rows import write_masks, write_plans, write_questions
from study.planning.readiness import BuiltStudy, lost_groups, revealing_texts, unbuilt
from study.storage import key_file
from study.storage.key import Key
from study.storage.models import (
    Item,
    Method,
    Stimulus,
    Study,
)
from study.storage.store import Store, parsed


@dataclass(frozen=True)
class FreezeReport:
    """What was frozen.

    Parameters
    ----------
    readers, methods, cases : int
        Cases without those for training.
    pairs : int
        Pairs that each reader will see, training included.
    protocol_sha256, seed_sha256, key_sha256, plan_sha256 : str
        To be published, or noted in the study's registration.
    notes : tuple of str
        How far the spacing of the plan could be kept.
    """

    readers: int
    methods: int
    cases: int
    pairs: int
    protocol_sha256: str
    seed_sha256: str
    key_sha256: str
    plan_sha256: str
    notes: tuple[str, ...] = ()

    def as_text(self) -> str:
        """Some lines for the coordinator; nothing in them names a method."""
        lines = [
            f"Frozen: {self.readers} readers, {self.cases} cases, {self.methods} methods, "
            f"{self.pairs} pairs for each reader.",
            f"protocol {self.protocol_sha256}",
            f"seed     {self.seed_sha256}",
            f"names    {self.key_sha256}",
            f"plan     {self.plan_sha256}",
        ]
        return "\n".join([*lines, *self.notes])


@dataclass(frozen=True)
class FreezeCheck:
    """What forbids a freeze, and how far the spacing of the plan could be kept, in sentences."""

    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def compare_only(
    store: Store, key: Key, *, pairs: Sequence[tuple[str, str]] = (), control: str = "", actor: str
) -> None:
    """Say which methods a draft compares, by their names: these pairs, or all with a control.

    Without either all pairs are compared. The protocol holds identifiers only.

    Raises
    ------
    KeyFileError
        No method has this name: build first.
    StoreError
        The study is no draft.
    """
    key = _fresh(store, key)
    found = tuple((key.method_id(a), key.method_id(b)) for a, b in pairs)
    chosen = key.method_id(control) if control else ""
    with store.write() as session:
        protocol = store.protocol().with_(pairs=found, control=chosen)
        store.set_protocol(session, protocol, actor)


def freeze(store: Store, key: Key, *, actor: str) -> FreezeReport:
    """Fix the protocol, draw the plan of every reader, and store both for good.

    Parameters
    ----------
    store : Store
        With a draft that has been built.
    key : Key
        Of the study; read again from its file.
    actor : str
        For the audit log.

    Raises
    ------
    FreezeError
        All that is missing or would not be blind: stimuli, texts that name a method, a plan whose
        randomisation is off. Nothing is written then.
    KeyFileError
        The key is not that of the study.
    """
    key = _fresh(store, key)
    with store.write() as session:
        study = session.get_one(Study, store.study_id)
        if study.status != Status.DRAFT:
            raise FreezeError(f"The study is {study.status}: it was frozen at {study.frozen_at}.")
        protocol, built = parsed(study.protocol_json), _built(session)
        found, plans = _judged(store, key, study, built)
        if found:
            raise FreezeError("\n".join(found))
        write_questions(session, study.id, protocol)
        write_plans(session, study.id, built.stimuli, plans)
        write_masks(built.methods)
        study.key_sha256 = key.digest
        study.plan_sha256 = plan_digest(trial for plan in plans for trial in plan)
        store.set_status(session, Status.FROZEN, actor)
        return FreezeReport(
            readers=protocol.readers,
            methods=len(built.methods),
            cases=sum(not item.training for item in built.items),
            pairs=len(plans[0]),
            protocol_sha256=study.protocol_sha256,
            seed_sha256=study.seed_sha256,
            key_sha256=study.key_sha256,
            plan_sha256=study.plan_sha256,
            notes=tuple(plan_notes(protocol, built.cases, plans)),
        )


def check(store: Store, key: Key) -> FreezeCheck:
    """What a freeze would say of a draft; nothing is written.

    Raises
    ------
    KeyFileError
        The key is not that of the study.
    """
    key = _fresh(store, key)
    with store.read() as session:
        study, built = session.get_one(Study, store.study_id), _built(session)
        try:
            found, plans = _judged(store, key, study, built)
        except FreezeError as error:
            found, plans = [str(error)], []
        notes = plan_notes(parsed(study.protocol_json), built.cases, plans) if plans else []
    return FreezeCheck(tuple(found), tuple(notes))


def _built(session: Session) -> BuiltStudy:
    return BuiltStudy(
        session.scalars(select(Item).order_by(Item.case_key)).all(),
        session.scalars(select(Method).order_by(Method.id)).all(),
        session.scalars(select(Stimulus)).all(),
    )


def _judged(
    store: Store, key: Key, study: Study, built: BuiltStudy
) -> tuple[list[str], list[tuple[Trial, ...]]]:
    """What forbids the freeze, and the plans where nothing is missing before them."""
    protocol = parsed(study.protocol_json)
    found = [*unbuilt(store, key, built), *revealing_texts(study.code, protocol, key),
             *lost_groups(protocol, key)]  # fmt: skip
    if found:
        return found, []
    plans = _plans(store, key, protocol, built)
    return randomisation_problems(protocol, plans), plans


def _fresh(store: Store, key: Key) -> Key:
    """The key as it is in its file now, which a build may have written anew."""
    with store.read() as session:
        study = session.get_one(Study, store.study_id)
    return key_file.load(key.path, store.folder, study_id=study.id, seed_sha256=study.seed_sha256)


def _plans(
    store: Store, key: Key, protocol: Protocol, built: BuiltStudy
) -> list[tuple[Trial, ...]]:
    try:
        return [
            assign(
                protocol, built.cases, built.kinds,
                seed=key.seed, study_id=store.study_id, reader=place,
            )
            for place in range(protocol.readers)
        ]  # fmt: skip
    except ProtocolError as error:
        raise FreezeError(str(error)) from None
