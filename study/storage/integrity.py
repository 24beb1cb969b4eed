"""Verification of a study: hash chains, append log, triggers, protocol, images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import RowMapping, Table, func, select
from sqlalchemy.orm import Session

from study.domain.errors import StoreError
from study.storage import triggers
from study.storage.hash_chain import GENESIS, TABLES, line, row_hash, rows
from study.storage.models import AuditEvent, Stimulus, Study
from study.storage.store import BEGIN_MIRROR, Store, parsed

_MOST = 20
"""Problems that a report lists."""


@dataclass(frozen=True)
class IntegrityReport:
    """Result of a verification.

    Parameters
    ----------
    ok : bool
    checked : int
        Rows of ratings and audit events that were checked.
    first_broken : str or None
        The first row that is not as it was written, such as "rating_event row 17".
    problems : tuple of str
        At most 20 sentences, the most important first.
    notes : tuple of str
        Sentences about what was not checked.
    compared : bool
        Whether the rows were compared with the mirror.
    """

    ok: bool
    checked: int
    first_broken: str | None
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    compared: bool = True

    def as_text(self) -> str:
        """The result as text of several lines."""
        first = f" First broken: {self.first_broken}." if self.first_broken else ""
        parts = "ratings, audit events and mirror" if self.compared else "ratings and audit events"
        head = (
            f"{self.checked} rows checked: {parts} are intact."
            if self.ok
            else f"{self.checked} rows checked, the study is not intact.{first}"
        )
        return "\n".join([head, *(f"- {problem}" for problem in self.problems), *self.notes])


@dataclass
class _Findings:
    """Digests of the rows, and problems by table and number."""

    digests: dict[tuple[str, int], bytes] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    broken: dict[tuple[int, int], str] = field(default_factory=dict)
    other: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    compared: bool = True

    def breaks(self, table: str, seq: int, what: str) -> None:
        """Note a broken row; the first finding about a row is kept."""
        place = [one.name for one in TABLES].index(table)
        self.broken.setdefault((place, seq), f"{table} row {seq} {what}.")

    def verdict(self) -> IntegrityReport:
        """The report of these findings."""
        ordered = sorted(self.broken)
        problems = [self.broken[key] for key in ordered] + self.other
        place = f"{TABLES[ordered[0][0]].name} row {ordered[0][1]}" if ordered else None
        return IntegrityReport(
            not problems, len(self.digests), place, tuple(problems[:_MOST]), tuple(self.notes),
            self.compared,
        )  # fmt: skip


def verify(store: Store, *, images: bool = False) -> IntegrityReport:
    """Check a study; it may be in use.

    Parameters
    ----------
    store : Store
    images : bool
        Also compare every image with its digest.

    Returns
    -------
    IntegrityReport
        Rows that were changed, deleted or inserted break their chain. A chain that was computed
        again, and a missing end, differ from the append log.
    """
    found = _Findings()
    with store.read() as session:
        for table in TABLES:
            _check_chain(session, table, found)
        found.other += _check_rest(session, store)
        if images:
            found.other += _check_images(session, store)
        else:
            count = session.scalar(select(func.count()).select_from(Stimulus)) or 0
            if count:
                found.notes.append(
                    f"The {count} images were not verified (--images verifies them)."
                )
        found.notes += _begun_mirrors(session)
    store.catch_up()
    if store.read_only and not store.mirror.exists():
        found.compared = False
        found.notes.append(
            f"The mirror {store.mirror} is not here: rows were compared with their hashes only."
        )
    else:
        _check_mirror(store, found)
    if store.log_problem:
        found.other.append(store.log_problem)
    return found.verdict()


def _check_chain(session: Session, table: Table, found: _Findings) -> None:
    before, expected = GENESIS, 1
    for row in rows(session, table):
        seq = row["seq"]
        if seq != expected:
            found.breaks(table.name, expected, "is missing")
        elif row["prev_hash"] != before:
            found.breaks(table.name, seq, "does not continue the row before it")
        if not _is_intact(row):
            found.breaks(table.name, seq, "was changed: its hash is another one")
        before, expected = row["row_hash"], seq + 1
        found.digests[table.name, seq] = _digest_of(table, row)
    found.last[table.name] = expected - 1


def _is_intact(row: RowMapping) -> bool:
    try:
        return bool(row_hash(dict(row)) == row["row_hash"])
    except TypeError:  # A column holds a value that this program never writes.
        return False


def _digest_of(table: Table, row: RowMapping) -> bytes:
    try:
        return hashlib.sha256(line(table, row).encode()).digest()
    except TypeError:
        return b""


def _check_mirror(store: Store, found: _Findings) -> None:
    unseen, later = dict(found.digests), {}
    for number, entry in enumerate(store.log.entries(), start=1):
        key = (entry.table, entry.seq)
        if entry.table not in found.last:
            found.other.append(f"Line {number} of the mirror {store.mirror} cannot be read.")
        elif entry.seq > found.last[entry.table]:
            later[key] = hashlib.sha256(entry.raw).digest()
        elif unseen.pop(key, found.digests.get(key)) != hashlib.sha256(entry.raw).digest():
            found.breaks(*key, "differs from the mirror")
    # Later lines than the checked snapshot belong to newer ratings, or to deleted rows.
    stored = _stored_later(store, later, found) if later else {}
    for key, digest in later.items():
        if stored.get(key) != digest:
            found.breaks(*key, "is in the mirror and no longer in the database")
    if not store.log_problem:
        for key in unseen:
            found.breaks(*key, "is missing from the mirror")


def _begun_mirrors(session: Session) -> Iterator[str]:
    """Sentences about mirrors that know earlier rows from the database only."""
    wanted = select(AuditEvent).where(AuditEvent.action == BEGIN_MIRROR).order_by(AuditEvent.seq)
    for one in session.scalars(wanted):
        yield (
            f"The mirror {one.target} was begun on {one.server_at[:10]} (audit event {one.seq}); "
            f"{one.detail} and were copied from the database."
        )


def _stored_later(
    store: Store, later: dict[tuple[str, int], bytes], found: _Findings
) -> dict[tuple[str, int], bytes]:
    with store.read() as session:
        return {
            (table.name, row["seq"]): _digest_of(table, row)
            for table in TABLES
            if any(name == table.name for name, _ in later)
            for row in rows(session, table, found.last[table.name] + 1)
        }


def _check_rest(session: Session, store: Store) -> Iterator[str]:
    connection = session.connection()
    if gone := triggers.missing(connection):
        yield f"Rules of the database were dropped or changed: {', '.join(gone[:5])}."
    study = session.get_one(Study, store.study_id)
    if parsed(study.protocol_json).digest != study.protocol_sha256:
        yield "The protocol was changed: its hash is another one."
    if connection.dialect.name == "sqlite":
        for (text,) in connection.exec_driver_sql("PRAGMA quick_check"):
            if text != "ok":
                yield f"The database file is damaged: {text}."
        for table, _, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            yield f"A row of {table} belongs to a row of {parent} that is not there."


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
