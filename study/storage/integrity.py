"""Verification of a study: hash chains, append log, every row that is analysed, plan, images.

Nothing is written.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from study.domain.errors import ProtocolError, StoreError
from study.domain.terms import Status
from study.domain.without_gc import without_gc
from study.storage import triggers
from study.storage.chain_check import chain_lines
from study.storage.engine import large_cache
from study.storage.hash_chain import (
    GENESIS,
    TABLES,
    ChainHead,
    chain_head,
    leads_to,
)
from study.storage.integrity_report import Findings, IntegrityReport
from study.storage.log_comparison import LogComparison
from study.storage.mirror import BEGIN_MIRROR, COMPLETE_MIRROR
from study.storage.mirror_check import check_mirror
from study.storage.models import AuditEvent, RatingEvent, Stimulus, Study
from study.storage.plan_check import plan_problems
from study.storage.protocol_versions import amendments
from study.storage.row_check import row_problems
from study.storage.row_log import UNPROVEN
from study.storage.schema import CHAINED_SINCE, MIGRATE
from study.storage.signature import SigningKey, signature_problems
from study.storage.store import Store, parsed

_RATINGS = re.compile(r"(\d+) ratings, chain ([0-9a-f]{64})")
"""In the details of audit events, from `Store.set_status`."""
_NOT_CHAINED = tuple(f"tables from version {number} " for number in range(1, CHAINED_SINCE))


def verify(
    store: Store,
    *,
    images: bool = False,
    head: ChainHead | None = None,
    signing_key: SigningKey | None = None,
) -> IntegrityReport:
    """Check a study; it may be in use, and nothing of it is written.

    Parameters
    ----------
    store : Store
    images : bool
        Also compare every image with its digest.
    head : ChainHead, optional
        A head that was kept elsewhere: the present rows must continue it.
    signing_key : SigningKey, optional
        The heads that it signed must be signed rightly, and there must be one.

    Returns
    -------
    IntegrityReport
        Rows of a chain that were changed, deleted or inserted break it. Other rows differ from
        their last copy in the chain of row events. A chain that was computed again, and a missing
        end, differ from the append log or from a head that was kept elsewhere.
    """
    found = Findings()
    with without_gc(), store.read() as session, large_cache(session.connection()):
        present = chain_head(session)
        chains = {table.name: chain_lines(session, table, found) for table in TABLES}
        log = LogComparison(store.mirror, chains, store.log_size)
        if head is not None and not leads_to(session, head):
            found.other.append(
                f"The rows do not continue the chain head {head}: they were changed since it was "
                "printed, or it is that of another study."
            )
        _check_life(session, found)
        found.other += _check_rest(session, store)
        found.other += _check_rows(session, store, found)
        found.other += _check_parents(session, store, found)
        if signing_key is not None:
            found.other += signature_problems(session, signing_key)
        if images:
            found.other += _check_images(session, store)
        elif count := session.scalar(select(func.count()).select_from(Stimulus)):
            found.notes.append(f"The {count} images were not verified (--images verifies them).")
        found.notes += _reservations(session)
    check_mirror(store, log, found)
    return found.verdict(present)


def _check_life(session: Session, found: Findings) -> None:
    """Compare the ratings with what the audit events of freeze, open and close say of them."""
    ratings = select(RatingEvent.row_hash).where(RatingEvent.seq == bindparam("seq"))
    wanted = select(AuditEvent.seq, AuditEvent.detail).where(AuditEvent.action.in_(list(Status)))
    for seq, detail in session.execute(wanted.order_by(AuditEvent.seq)):
        said = _RATINGS.match(str(detail))  # It may have become a BLOB.
        if said is None or said[2] == GENESIS:
            continue
        if session.scalar(ratings, {"seq": int(said[1])}) != said[2]:
            what = f"says another hash of rating_event row {said[1]}"
            found.breaks(AuditEvent.__tablename__, seq, what)


def _check_rows(session: Session, store: Store, found: Findings) -> Iterator[str]:
    """Compare the rows of all other tables with their last copies."""
    if store.status_in(session) is Status.DRAFT:
        return
    if store.version < CHAINED_SINCE and store.read_only:
        found.chained = False
        found.notes.append(
            f"The study has tables of version {store.version}, in which plan and records of the "
            "readers are not chained: that begins when it is opened on a disk that can be written."
        )
        return
    yield from row_problems(session, found)


def _reservations(session: Session) -> Iterator[str]:
    """Sentences about what chains and mirror know only since some day."""
    actions = (Status.FROZEN, MIGRATE, BEGIN_MIRROR, COMPLETE_MIRROR)
    wanted = select(AuditEvent).where(AuditEvent.action.in_(actions)).order_by(AuditEvent.seq)
    frozen = False
    for one in session.scalars(wanted):
        frozen |= one.action == Status.FROZEN
        day = f"on {one.server_at[:10]} (audit event {one.seq})"
        if one.action == BEGIN_MIRROR:
            yield (
                f"The mirror {one.target} was begun {day}; {one.detail} and were copied from the "
                "database."
            )
        elif one.action == COMPLETE_MIRROR:
            lacked = f"What the mirror {one.target} lacked was copied from the database"
            yield f"{lacked} {day}: {one.detail}."
        elif one.action == MIGRATE and frozen and str(one.detail).startswith(_NOT_CHAINED):
            yield (
                f"Plan and records of the readers are chained since the migration {day}; what was "
                "changed before does not show, except in the SHA-256 of the plan."
            )


def _check_rest(session: Session, store: Store) -> Iterator[str]:
    connection = session.connection()
    if gone := triggers.missing(connection):
        yield f"Rules of the database were dropped or changed: {', '.join(gone[:5])}."
    study = session.get_one(Study, store.study_id)
    yield from _readable("The protocol", _check_protocols(session, study))
    yield from _readable("The plan of the readers", plan_problems(session, study))
    if connection.dialect.name == "sqlite":
        for (text,) in connection.exec_driver_sql("PRAGMA quick_check"):
            if text != "ok":
                yield f"The database file is damaged: {text}."


def _check_parents(session: Session, store: Store, found: Findings) -> Iterator[str]:
    """Look for rows without the rows that they belong to.

    SQLite lets none be written, so rows that are as they were written need no look.
    """
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return
    draft = store.status_in(session) is Status.DRAFT
    proven = found.chained and not draft and not found.broken and not found.other
    for name in (f"({one})" for one in UNPROVEN) if proven else ("",):
        for table, _, parent, _ in connection.exec_driver_sql(f"PRAGMA foreign_key_check{name}"):
            yield f"A row of {table} belongs to a row of {parent} that is not there."


def _readable(what: str, problems: Iterator[str]) -> Iterator[str]:
    """Problems; one of them may be a value that this program never writes, such as a BLOB."""
    try:
        yield from problems
    except (ProtocolError, TypeError, ValueError) as error:
        yield f"{what} was changed and cannot be read: {error}"


def _check_protocols(session: Session, study: Study) -> Iterator[str]:
    if parsed(study.protocol_json).digest != study.protocol_sha256:
        yield "The protocol was changed: its hash is another one."
    for one in amendments(session):
        if parsed(one.protocol_json).digest != one.protocol_sha256:
            yield f"Version {one.number} of the protocol was changed: its hash is another one."


def _check_images(session: Session, store: Store) -> Iterator[str]:
    wanted = select(Stimulus.file, Stimulus.pixel_sha256).order_by(Stimulus.file)
    for file, digest in session.execute(wanted):
        try:
            pixels = (store.stimuli / file).read_bytes()
        except OSError as error:
            yield f"The image {file} cannot be read: {error.strerror}."
            continue
        if hashlib.sha256(pixels).hexdigest() != digest:
            yield f"The image {file} is not the one that was built."


def require_intact(store: Store) -> IntegrityReport:
    """Verify a study, and raise an error where it has problems.

    Raises
    ------
    StoreError
        The study has problems, which the text lists.
    """
    verdict = verify(store)
    if not verdict.ok:
        raise StoreError(verdict.as_text())
    return verdict
