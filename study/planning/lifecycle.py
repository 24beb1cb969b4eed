"""Opening, closing and unblinding a frozen study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from study.domain.disguised_names import normalised
from study.domain.errors import BlindingError, KeyFileError
from study.domain.terms import MethodKind, Status
from study.storage import hash_chain, key_file, row_log
from study.storage.key import Key
from study.storage.models import Method, Study
from study.storage.signature import SigningKey, sign_chain
from study.storage.store import Store


@dataclass(frozen=True)
class MethodName:
    """The name of a masked method.

    Parameters
    ----------
    mask : str
        M1, M2, ... as in masked exports.
    id : str
        Identifier in the database.
    name : str
    kind : MethodKind
    group : str
        Right answer to the blinding question; empty where there is none.
    parameters : tuple of (name, value)
    """

    mask: str
    id: str
    name: str
    kind: MethodKind
    group: str
    parameters: tuple[tuple[str, str], ...]


def open_study(store: Store, *, actor: str) -> None:
    """Open a frozen study to its readers.

    Raises
    ------
    StoreError
        The study is not frozen.
    """
    with store.write() as session:
        store.set_status(session, Status.OPEN, actor)


def close_study(store: Store, *, actor: str, signing_key: SigningKey | None = None) -> None:
    """Close an open study: readers can rate no more.

    Parameters
    ----------
    store : Store
    actor : str
        For the audit log.
    signing_key : SigningKey, optional
        Signs the chain head.

    Raises
    ------
    StoreError
        The study is not open.
    """
    with store.write() as session:
        store.set_status(session, Status.CLOSED, actor)
        row_log.append_touched(session)
        if signing_key is not None:
            sign_chain(session, signing_key, actor)


def unblind(store: Store, key: Key, *, actor: str, second: str) -> tuple[MethodName, ...]:
    """Unblind a closed study; this cannot be undone.

    That both persons are who they say, and two, is checked before: `study.accounts.two_persons`.

    Parameters
    ----------
    store : Store
    key : Key
        Of the study; its file is read again.
    actor, second : str
        Names of two different persons, for the audit log.

    Returns
    -------
    tuple of MethodName
        In order of the masks.

    Raises
    ------
    BlindingError
        The study is not closed, or one person is named twice or not at all.
    KeyFileError
        The key is of another study, or was changed after the freeze.
    """
    with store.write() as session:
        study = session.get_one(Study, store.study_id)
        check_unblinding(Status(study.status), actor, second)
        names = _names(store, key, study, session.scalars(select(Method)).all())
        hash_chain.audit(
            session, actor, "unblind", target=study.code, detail=f"confirmed by {second}"
        )
        store.set_status(session, Status.UNBLINDED, actor)
    return names


def check_unblinding(status: Status, actor: str, second: str) -> None:
    """Check that a study can be unblinded now, by these two.

    Raises
    ------
    BlindingError
        The study is not closed, or one person is named twice or not at all.
    """
    if not normalised(actor) or not normalised(second):
        raise BlindingError("Unblinding takes two persons: give both names.")
    if normalised(actor) == normalised(second):
        raise BlindingError(
            f"{actor.strip()} cannot confirm alone: unblinding takes two different persons."
        )
    if status is Status.UNBLINDED:
        raise BlindingError("The study is unblinded already.")
    if status is not Status.CLOSED:
        raise BlindingError(f"The study is {status}: close it before unblinding.")


def method_names(store: Store, key: Key) -> tuple[MethodName, ...]:
    """The names of the methods of an unblinded study.

    Raises
    ------
    BlindingError
        The study is not unblinded.
    KeyFileError
        As `unblind`.
    """
    with store.read() as session:
        study = session.get_one(Study, store.study_id)
        if study.status != Status.UNBLINDED:
            raise BlindingError(
                f"The study is {study.status}: names are shown after it is closed and unblinded."
            )
        return _names(store, key, study, session.scalars(select(Method)).all())


def _names(
    store: Store, key: Key, study: Study, methods: Sequence[Method]
) -> tuple[MethodName, ...]:
    key = key_file.load(key.path, store.folder, study_id=study.id, seed_sha256=study.seed_sha256)
    if key.digest != study.key_sha256:
        raise KeyFileError(
            f"The names in {key.path} are not those the study was frozen with: restore the key "
            "file from a copy."
        )
    found = [
        MethodName(row.mask or "", row.id, one.name, one.kind, one.group, one.parameters)
        for row in methods
        for one in [key.methods[row.id]]
    ]
    return tuple(sorted(found, key=lambda one: (len(one.mask), one.mask)))
