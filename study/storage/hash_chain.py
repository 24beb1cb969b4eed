"""Hash chains over ratings, audit events and row events, which reveal later changes.

The hash of a row is the SHA-256 of the previous hash and of its own columns as canonical JSON.
Whoever can write the database can also compute a new chain: the append log shows that, and so does
a `ChainHead` that was kept elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Table, bindparam, insert, select
from sqlalchemy.orm import Session

from study.domain.canonical_json import canonical_json
from study.domain.errors import LogConflict, StoreError
from study.storage.append_log import Head, Line
from study.storage.base import SINCE
from study.storage.models import AuditEvent, Base, RatingEvent, RowEvent, new_id, now

GENESIS = "0" * 64
"""Hash before the first row."""
CHANGED = "chained"
"""Key in `Session.info`: the tables with rows that the append log needs."""
STUDY_ID = "study_id"
"""Key in `Session.info`: the identifier of the study."""
Chained = type[RatingEvent] | type[AuditEvent] | type[RowEvent]
_MODELS: tuple[Chained, ...] = (RatingEvent, AuditEvent, RowEvent)
TABLES = tuple(Base.metadata.tables[one.__tablename__] for one in _MODELS)
"""The chained tables."""
_HEAD = re.compile(r"(\d+)-(\d+)-(\d+)-([0-9a-f]{64})")
_LAST = {
    table.name: select(table.c.seq, table.c.row_hash).order_by(table.c.seq.desc()).limit(1)
    for table in TABLES
}
_NAMES = {table.name: sorted(set(table.c.keys()) - {"row_hash"}) for table in TABLES}
_FROM = {
    table.name: select(*(table.c[name] for name in _NAMES[table.name]), table.c.row_hash)
    .where(table.c.seq >= bindparam("first"))
    .order_by(table.c.seq)
    for table in TABLES
}


@lru_cache(maxsize=64)
def later(table: Table) -> frozenset[str]:
    """The columns that came with a later version (`study.storage.base.SINCE`)."""
    return frozenset(one.name for one in table.c if SINCE in one.info)


def canonical(table: Table, row: Mapping[str, Any]) -> bytes:
    """The columns of a row except its hash, as JSON that is the same on every database.

    A column of a later version that is null is left out: the hashes of older rows stay the same.
    """
    columns = dict(row)
    columns.pop("row_hash", None)
    for name in later(table):
        if name in columns and columns[name] is None:
            del columns[name]
    return canonical_json(columns)


def read_back(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """A row from its JSON, with the columns that `canonical` left out."""
    unset = later(table)
    return {**dict.fromkeys(unset), **row} if unset else row


def row_hash(table: Table, row: Mapping[str, Any]) -> str:
    """SHA-256 of the previous hash and a row, as hex."""
    return linked(row["prev_hash"], canonical(table, row))


def linked(before: str, row: bytes) -> str:
    """SHA-256 of the previous hash and a row as canonical JSON, as hex."""
    return hashlib.sha256(f"{before}\n".encode() + row).hexdigest()


def append(
    session: Session,
    model: Chained,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Append rows to a chain.

    Parameters
    ----------
    session : Session
        Of `Store.write`, which serialises transactions.
    model : RatingEvent, AuditEvent or RowEvent
    rows : sequence of mapping
        Columns; the chain, the identifier and the time are filled in.
    """
    table = Base.metadata.tables[model.__tablename__]
    session.flush()
    last = head(session, model)
    time, before, complete = now(), last.row_hash, []
    for seq, row in enumerate(rows, start=last.seq + 1):
        full = dict.fromkeys(table.c.keys())
        full |= {"id": new_id(), "server_at": time, "seq": seq, "prev_hash": before, **row}
        before = full["row_hash"] = row_hash(table, full)
        complete.append(full)
    session.execute(insert(table), complete)
    session.info.setdefault(CHANGED, set()).add(table.name)


def audit(session: Session, actor: str, action: str, target: str = "", detail: str = "") -> None:
    """Write an event to the audit log.

    Parameters
    ----------
    session : Session
        Of `Store.write`.
    actor : str
        The code of a reader or the name of a coordinator.
    action : str
        A short verb, such as "freeze".
    target, detail : str
        The object of the action, and details.
    """
    event = {
        "study_id": session.info[STUDY_ID],
        "actor": actor,
        "action": action,
        "target": target,
        "detail": detail,
    }
    append(session, AuditEvent, [event])


def head(session: Session, model: Chained) -> Head:
    """The last row of a chain; 0 and `GENESIS` where it is empty."""
    last = session.execute(_LAST[model.__tablename__]).first()
    return Head(last.seq, str(last.row_hash)) if last else Head(0, GENESIS)


@dataclass(frozen=True)
class ChainHead:
    """The state of all chains in a line of text, to be kept elsewhere: it proves what came before.

    Parameters
    ----------
    ratings, events, rows : int
        Number of the last row of each chain.
    sha256 : str
        Of their hashes, as hex.
    """

    ratings: int
    events: int
    rows: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.ratings}-{self.events}-{self.rows}-{self.sha256}"

    @classmethod
    def parse(cls, text: str) -> ChainHead:
        """The head in a text; StoreError where there is none."""
        found = _HEAD.search(text)
        if found is None:
            raise StoreError(
                f"{text.strip()!r} is no chain head: give it as close and export print it, "
                "such as 120-31-9- and 64 digits from 0 to f."
            )
        return cls(int(found[1]), int(found[2]), int(found[3]), found[4])


def chain_head(session: Session) -> ChainHead:
    """The present head of all chains."""
    ratings, events, changes = (head(session, model) for model in _MODELS)
    hashes = (ratings.row_hash, events.row_hash, changes.row_hash)
    return ChainHead(ratings.seq, events.seq, changes.seq, _combined(hashes))


def leads_to(session: Session, kept: ChainHead) -> bool:
    """Whether the chains had this head once."""
    counts = zip(TABLES, (kept.ratings, kept.events, kept.rows), strict=True)
    return kept.sha256 == _combined([_hash_at(session, table, seq) for table, seq in counts])


def _combined(hashes: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _hash_at(session: Session, table: Table, seq: int) -> str:
    found = session.scalar(select(table.c.row_hash).where(table.c.seq == seq))
    return GENESIS if seq == 0 else str(found)


def rows(session: Session, table: Table, first: int = 1, last: int | None = None) -> Iterator[Line]:
    """The rows of a chained table in order, from number ``first`` to ``last``, as lines of the log.

    A row with a value that this program never writes has no JSON.
    """
    wanted = _FROM[table.name].execution_options(yield_per=1000)
    if last is not None:
        wanted = wanted.where(table.c.seq <= last)
    names, unset = _NAMES[table.name], later(table)
    for part in session.execute(wanted, {"first": first}).partitions():
        for row in part:
            columns = dict(zip(names, row, strict=False))  # All but the hash, which is last.
            for name in unset:
                if columns[name] is None:
                    del columns[name]
            try:
                text = canonical_json(columns)
            except TypeError:
                text = b""
            yield Line(table.name, columns["seq"], str(row[-1]), text, columns["prev_hash"])


def lines_after(
    session: Session, table: Table, last: Head | None, until: int | None = None
) -> Iterator[Line]:
    """The lines that an append log lacks whose last line of the table is ``last``.

    Parameters
    ----------
    session : Session
    table : Table
    last : Head, optional
    until : int, optional
        Number of the last row that is wanted.

    Raises
    ------
    LogConflict
        That line does not match a row of the table.
    """
    found = rows(session, table, last.seq if last else 1)
    if last is not None:
        same = next(found, None)
        if same is None or same.row_hash != last.row_hash:
            state = "is missing from" if same is None else "differs in"
            raise LogConflict(f"Row {last.seq} of {table.name} {state} the database.")
    for row in found:
        if until is not None and row.seq > until:
            return
        yield row
