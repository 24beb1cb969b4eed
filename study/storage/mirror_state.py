"""How the append log of a study stands to its database: complete, behind, ahead, or another's."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Engine, inspect, select
from sqlalchemy.orm import Session

from study.domain.formatting import plural
from study.storage.append_log import AppendLog, Head
from study.storage.hash_chain import GENESIS, TABLES

WORDS = {"rating_event": "rating", "audit_event": "audit event", "row_event": "other record"}
"""What the rows of a chained table are called."""
PATIENCE = 0.5
"""Seconds within which another program adds to the append log what it has committed."""
_NONE = Head(0, GENESIS)


@dataclass(frozen=True)
class MirrorState:
    """What the append log and the database have of each other.

    Parameters
    ----------
    begun : bool
        Whether the log has a line at all.
    only_log, only_database : mapping
        Numbers of rows by table that only one of them has; empty where there are none.
    differs : str
        The first row that is another one in the database, such as "rating_event row 17".
    """

    begun: bool
    only_log: Mapping[str, int] = field(default_factory=dict)
    only_database: Mapping[str, int] = field(default_factory=dict)
    differs: str = ""

    @property
    def conflict(self) -> bool:
        """Whether the log has what the database has not."""
        return bool(self.only_log or self.differs)

    def sentence(self, folder: Path, mirror: Path) -> str:
        """What the conflict is, and what to do about it."""
        if self.differs:
            return (
                f"By the mirror {mirror}, {self.differs} is another one in the database: rows were "
                "changed, or the mirror belongs to another study. Nothing is written until both "
                f"agree. Run: python -m study verify {folder}"
            )
        are = "is" if sum(self.only_log.values()) == 1 else "are"
        return (
            f"The database of {folder} is behind its mirror: {counted(self.only_log)} {are} in "
            f"{mirror} only. Bring them back: python -m study restore {folder} --from {mirror}"
        )


def mirror_state(engine: Engine, log: AppendLog) -> MirrorState:
    """Compare the ends of the chains; nothing is written."""
    ends = log.ends()
    # The database is read after the log: it has the newer rows.
    with Session(engine) as session:
        found = _compared(session, log, ends)
    deadline = time.monotonic() + PATIENCE
    while found.begun and found.only_database and time.monotonic() < deadline:
        # Another program may be about to write what it has just committed.
        time.sleep(PATIENCE / 10)
        came = {name: end.seq - ends.get(name, _NONE).seq for name, end in log.ends().items()}
        late = {name: rows - came.get(name, 0) for name, rows in found.only_database.items()}
        if all(rows <= 0 for rows in late.values()):
            return replace(found, only_database={})
    return found


def failure(folder: Path, mirror: Path, error: OSError) -> str:
    """A sentence that says why an append log cannot be written, and what to do."""
    safe = "Ratings are safe in the database"
    if not mirror.parent.is_dir():
        return (
            f"The mirror {mirror} cannot be written: there is no folder {mirror.parent} on this "
            f"machine. {safe}. Connect its disk; or, if the study was moved, copy the mirror and "
            f"give its place once: python -m study mirror {folder} PATH (without a copy a new "
            "mirror begins there)."
        )
    if isinstance(error, FileNotFoundError):
        return (
            f"The mirror {mirror} has gone: {error.strerror}. {safe}. Put it back from a copy; or "
            "begin a new one, which the audit log and verify say: "
            f"python -m study mirror {folder} {mirror}"
        )
    return (
        f"The mirror {mirror} cannot be written ({error.strerror}): ratings are safe in the "
        "database. Repair it; what is missing is added then."
    )


def _compared(session: Session, log: AppendLog, ends: Mapping[str, Head]) -> MirrorState:
    stored = dict(_stored(session))
    shared = {name: min(ends[name].seq, stored[name].seq) for name in ends if name in stored}
    hashes = {name: ends[name].row_hash for name in shared if ends[name].seq == shared[name]}
    if any(ends[name].seq > seq for name, seq in shared.items()):
        hashes |= {
            entry.table: entry.row_hash
            for entry in log.entries()
            if shared.get(entry.table) == entry.seq
        }
    for table in TABLES:
        seq = shared.get(table.name, 0)
        if seq and hashes.get(table.name) != session.scalar(
            select(table.c.row_hash).where(table.c.seq == seq)
        ):
            return MirrorState(True, differs=f"{table.name} row {seq}")
    surplus = {name: ends.get(name, _NONE).seq - stored.get(name, _NONE).seq for name in WORDS}
    return MirrorState(
        bool(ends),
        {name: more for name, more in surplus.items() if more > 0},
        {name: -more for name, more in surplus.items() if more < 0},
    )


def counted(rows: Mapping[str, int]) -> str:
    """Numbers of rows in words, such as "15 ratings and 1 audit event"."""
    parts = [plural(rows[name], word) for name, word in WORDS.items() if rows.get(name)]
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _stored(session: Session) -> Iterator[tuple[str, Head]]:
    there = inspect(session.connection())
    for table in TABLES:
        if there.has_table(table.name):  # Not all are there before a migration.
            wanted = select(table.c.seq, table.c.row_hash).order_by(table.c.seq.desc()).limit(1)
            last = session.execute(wanted).first()
            yield table.name, Head(last.seq, last.row_hash) if last else Head(0, GENESIS)
