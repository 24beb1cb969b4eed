"""The rows of a study against its append log, while others may be writing both."""

from __future__ import annotations

import errno
import hashlib
import time
from typing import TYPE_CHECKING

from study.domain.formatting import plural
from study.storage.hash_chain import TABLES, rows
from study.storage.integrity_report import Findings, checked
from study.storage.mirror_state import PATIENCE, MirrorState, counted, failure
from study.storage.models import RowEvent
from study.storage.row_log import may_wait

if TYPE_CHECKING:
    from study.storage.store import Store

Rows = dict[tuple[str, int], bytes]
"""Digests of lines by table and number of their rows."""


def check_mirror(store: Store, found: Findings) -> None:
    """Compare the checked rows with the append log; one that is missing or shorter is a finding."""
    if store.log_problem:
        found.other.append(store.log_problem)
    lines, unreadable, recent = _lines(store)
    if not lines:
        if not store.log_problem:
            reason = "it is empty" if store.mirror.exists() else "it is missing"
            error = FileNotFoundError(errno.ENOENT, reason)
            found.other.append(failure(store.folder, store.mirror, error))
        return
    deadline = time.monotonic() + PATIENCE
    while found.digests.keys() - lines.keys() and time.monotonic() < deadline:
        time.sleep(PATIENCE / 10)
        lines, unreadable, recent = _lines(store)
    for number in unreadable:
        found.other.append(f"Line {number} of the mirror {store.mirror} cannot be read.")
    later = {key: digest for key, digest in lines.items() if key[1] > found.last[key[0]]}
    # Later lines than the checked snapshot belong to newer ratings, or to deleted rows.
    stored = _stored_later(store, later, found) if later else {}
    stored |= {key: lines[key] for key in recent}
    lost = [key for key, digest in later.items() if stored.get(key) != digest]
    for key in lost:
        found.breaks(*key, "is in the mirror and no longer in the database")
    if lost and not store.log_problem:
        counts = {table.name: sum(name == table.name for name, _ in lost) for table in TABLES}
        state = MirrorState(True, only_log=counts)
        found.other.append(state.sentence(store.folder, store.mirror))
    for key, digest in found.digests.items():
        if key in lines and lines[key] != digest:
            found.breaks(*key, "differs from the mirror")
    _check_missing(store, lines, found)


def _lines(store: Store) -> tuple[Rows, list[int], list[tuple[str, int]]]:
    """The digests of all lines, the numbers of those that cannot be read, and rows of recent lines.

    Recent are those that were added since the database was copied.
    """
    known = {table.name for table in TABLES}
    lines: Rows = {}
    unreadable, recent, end = [], [], 0
    for number, entry in enumerate(store.log.entries(), start=1):
        end += len(entry.raw)
        if entry.table not in known:
            unreadable.append(number)
            continue
        key, digest = (entry.table, entry.seq), hashlib.sha256(entry.raw).digest()
        # Of two different lines for a row neither is right.
        lines[key] = digest if lines.get(key, digest) == digest else b""
        if store.log_size is not None and end > store.log_size:
            recent.append(key)
    return lines, unreadable, recent


def _check_missing(store: Store, lines: Rows, found: Findings) -> None:
    last = {table.name: 0 for table in TABLES}
    for table, seq in lines:
        last[table] = max(last[table], seq)
    late = [key for key in found.digests if key[1] > last[key[0]]]
    for key in sorted(found.digests.keys() - lines.keys() - set(late)):
        found.breaks(*key, "is missing from the mirror")
    rows = [seq for table, seq in late if table == RowEvent.__tablename__]
    with store.read() as session:
        waiting = len(rows) if rows and may_wait(session, min(rows), max(rows)) else 0
    if waiting:
        found.notes.append(
            f"{plural(waiting, 'record')} of what readers did with the images "
            f"{'is' if waiting == 1 else 'are'} not in the mirror yet: they follow with the next "
            "rating."
        )
    short = {table.name: sum(name == table.name for name, _ in late) for table in TABLES}
    short[RowEvent.__tablename__] -= waiting
    if any(short.values()) and not store.log_problem:
        found.other.append(
            f"The mirror {store.mirror} is shorter than the database: {counted(short)} "
            f"{'is' if sum(short.values()) == 1 else 'are'} missing at its end."
        )


def _stored_later(store: Store, later: Rows, found: Findings) -> Rows:
    with store.read() as session:
        return {
            (table.name, row["seq"]): checked(table, row)[1]
            for table in TABLES
            if any(name == table.name for name, _ in later)
            for row in rows(session, table, found.last[table.name] + 1)
        }
