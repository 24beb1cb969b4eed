"""Freezing a study: protocol, plan and the hashes of seed and names become immutable.

All checks are made first and their problems reported together; then the plan and the new status are
written in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from study.domain.errors import FreezeError, ProtocolError
from study.domain.formatting import plural
from study.domain.protocol import Protocol
from study.domain.reader_codes import checked_codes
from study.domain.terms import SHOWN_WORDS, Status
from study.planning.assignment import Trial, assign, plan_digest, plan_notes, randomisation_problems
from study.planning.plan_rows import to_read, write_masks, write_plans, write_questions
from study.planning.readiness import (
    BuiltStudy,
    built_study,
    doubtful_texts,
    inference_notes,
    missing_stimuli,
    original_notes,
    original_problems,
    primary_problems,
    qualification_problems,
    reloaded_key,
    revealing_texts,
    told_cases,
    unknown_groups,
    window_notes,
)
from study.storage import hash_chain
from study.storage.key import Key
from study.storage.models import Study
from study.storage.store import Store, parsed
from study.storage.study_lock import images_locked

CONFIRM = (
    "Read these words: if they name no method, case or patient, confirm that (--confirm-words, or "
    "the box next to Freeze)."
)


@dataclass(frozen=True)
class FreezeReport:
    """Result of a freeze.

    Parameters
    ----------
    readers, methods, cases : int
        Numbers; cases for training are not counted.
    pairs : int
        Pairs per reader, training included, without the qualification.
    protocol_sha256, seed_sha256, key_sha256, plan_sha256 : str
        To be published, for example in the registration of the study.
    notes : tuple of str
        Notes about the spacing of the plan.
    shown : str
        What is shown at a time: pairs, or images.
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
    shown: str = "pairs"

    def as_text(self) -> str:
        """The report as text, without names of methods."""
        lines = [
            f"Frozen: {self.readers} readers, {self.cases} cases, {self.methods} methods, "
            f"{self.pairs} {self.shown} for each reader.",
            f"protocol {self.protocol_sha256}",
            f"seed     {self.seed_sha256}",
            f"names    {self.key_sha256}",
            f"plan     {self.plan_sha256}",
        ]
        return "\n".join([*lines, *self.notes])


@dataclass(frozen=True)
class FreezeCheck:
    """What prevents a freeze, as sentences.

    Parameters
    ----------
    problems : tuple of str
    notes : tuple of str
        About the spacing of the plan.
    doubts : tuple of str
        Words of texts that may be names; a person confirms that they are none.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def compare_only(
    store: Store,
    key: Key,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    control: str = "",
    primary: tuple[str, str] | None = None,
    actor: str,
    **changes: object,
) -> None:
    """Set what a draft compares: its pairs of methods, the primary one, and the inference.

    Parameters
    ----------
    store : Store
    key : Key
    pairs : sequence of (str, str)
        Names of the methods of each pair. With neither pairs nor control, what is compared stays.
    control : str
        Name of a method that all others are compared with.
    primary : (str, str), optional
        Names of the methods of the primary comparison; without it, that one stays.
    actor : str
        For the audit log.
    **changes
        Further fields of the protocol, such as ``random``.

    Raises
    ------
    KeyFileError
        There is no method with this name; the protocol stores identifiers only.
    ProtocolError
        A value is not possible.
    StoreError
        The study is not a draft.
    """
    key = reloaded_key(store, key)
    if pairs or control:
        changes["pairs"] = tuple((key.method_id(a), key.method_id(b)) for a, b in pairs)
        changes["control"] = key.method_id(control) if control else ""
    if primary:
        changes["primary_pair"] = tuple(key.method_id(name) for name in primary)
    with store.write() as session:
        store.set_protocol(session, store.protocol().with_(**changes), actor)


def freeze(
    store: Store,
    key: Key,
    *,
    actor: str,
    codes: Sequence[str] = (),
    words_confirmed: bool = False,
) -> FreezeReport:
    """Fix the protocol and the plan of every reader.

    Parameters
    ----------
    store : Store
        A draft whose stimuli have been built.
    key : Key
        Of the study; its file is read again.
    actor : str
        For the audit log.
    codes : sequence of str
        Codes of the readers; by default R01, R02, ...
    words_confirmed : bool
        Whether a person has looked at the doubtful words of `check`: they name nothing.

    Raises
    ------
    FreezeError
        Stimuli are missing, texts name a method, codes are not possible, or the plan is not
        randomised; the error lists all problems, and nothing is written.
    KeyFileError
        The key is not that of the study.
    StoreError
        A build of this study is running.
    """
    key = reloaded_key(store, key)
    with images_locked(store.folder, "freeze"), store.write() as session:
        study = session.get_one(Study, store.study_id)
        if study.status != Status.DRAFT:
            raise FreezeError(f"The study is {study.status}: it was frozen at {study.frozen_at}.")
        protocol, built = parsed(study.protocol_json), built_study(session)
        found, plans = _problems_and_plans(store, key, study, built, codes)
        doubts = [*doubtful_texts(study.code, protocol, key, codes)]
        if doubts and not words_confirmed:
            found += [*doubts, CONFIRM]
        if found:
            raise FreezeError("\n".join(found))
        if doubts:
            detail = f"{plural(len(doubts), 'word')} in texts for readers: no names"
            hash_chain.audit(session, actor, "confirm words", detail=detail)
        write_questions(session, study.id, protocol)
        write_plans(session, study.id, built.stimuli, plans, checked_codes(codes, protocol.readers))
        write_masks(built.compared)
        study.key_sha256 = key.digest
        study.plan_sha256 = plan_digest(trial for plan in plans for trial in plan)
        store.set_status(session, Status.FROZEN, actor)
        return FreezeReport(
            readers=protocol.readers,
            methods=len(built.compared),
            cases=sum(not item.training for item in built.items),
            pairs=to_read(plans[0]),
            protocol_sha256=study.protocol_sha256,
            seed_sha256=study.seed_sha256,
            key_sha256=study.key_sha256,
            plan_sha256=study.plan_sha256,
            notes=tuple(_notes(protocol, built, plans)),
            shown=SHOWN_WORDS[protocol.presentation],
        )


def check(store: Store, key: Key, codes: Sequence[str] = ()) -> FreezeCheck:
    """Problems and notes of a freeze of this draft; nothing is written.

    Parameters
    ----------
    store : Store
    key : Key
    codes : sequence of str
        As for `freeze`.

    Raises
    ------
    KeyFileError
        The key is not that of the study.
    """
    key = reloaded_key(store, key)
    with store.read() as session:
        study, built = session.get_one(Study, store.study_id), built_study(session)
        try:
            found, plans = _problems_and_plans(store, key, study, built, codes)
        except FreezeError as error:
            found, plans = [str(error)], []
        protocol = parsed(study.protocol_json)
        notes = _notes(protocol, built, plans) if plans else []
        doubts = doubtful_texts(study.code, protocol, key, codes)
    return FreezeCheck(tuple(found), tuple(notes), tuple(doubts))


def _notes(protocol: Protocol, built: BuiltStudy, plans: Sequence[tuple[Trial, ...]]) -> list[str]:
    return [
        *plan_notes(protocol, built.cases, plans),
        *inference_notes(protocol, built),
        *original_notes(built),
        *window_notes(protocol, built),
    ]


def _problems_and_plans(
    store: Store, key: Key, study: Study, built: BuiltStudy, codes: Sequence[str]
) -> tuple[list[str], list[tuple[Trial, ...]]]:
    """Problems that prevent a freeze, and the plans, which are empty where stimuli are missing."""
    protocol = parsed(study.protocol_json)
    found = [
        *missing_stimuli(store, key, built),
        *revealing_texts(study.code, protocol, key, codes),
        *primary_problems(protocol),
        *unknown_groups(protocol, key),
        *told_cases(protocol, built),
        *qualification_problems(protocol, built),
        *original_problems(protocol, key, built),
    ]
    try:
        checked_codes(codes, protocol.readers)
    except ProtocolError as error:
        found.append(str(error))
    if found:
        return found, []
    plans = _plans(store, key, protocol, built)
    return randomisation_problems(protocol, plans), plans


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
