"""The rows of a study against its append log, while others may be writing both."""

from __future__ import annotations

import errno
import time
from collections.abc import Set
from hashlib import sha256
from typing import TYPE_CHECKING

from study.domain.formatting import plural
from study.storage.hash_chain import TABLES, rows
from study.storage.integrity_report import Findings
from study.storage.log_comparison import Key, LogComparison
from study.storage.mirror_state import PATIENCE, MirrorState, counted, failure
from study.storage.models import RowEvent
from study.storage.row_log import may_wait

if TYPE_CHECKING:
    from study.storage.store import Store


def check_mirror(store: Store, log: LogComparison, found: Findings) -> None:
    """Compare the checked rows with the append log; one that is missing or shorter is a finding."""
    if store.log_problem:
        found.other.append(store.log_problem)
    if not log.last and not log.lines:
        if not store.log_problem:
            reason = "it is empty" if store.mirror.exists() else "it is missing"
            error = FileNotFoundError(errno.ENOENT, reason)
            found.other.append(failure(store.folder, store.mirror, error))
        return
    deadline = time.monotonic() + PATIENCE
    while log.rows.keys() - log.lines.keys() and time.monotonic() < deadline:
        time.sleep(PATIENCE / 10)
        log.read()
    for number in log.unreadable:
        found.other.append(f"Line {number} of the mirror {store.mirror} cannot be read.")
    later = {key for key in log.lines if key[1] > found.last[key[0]]}
    stored = _digests(store, log.lines.keys() - log.rows.keys())
    # Later lines than the checked snapshot belong to newer ratings, or to deleted rows.
    known = stored | {key: log.lines[key] for key in log.recent}
    lost = [key for key in later if known.get(key) != log.lines[key]]
    for key in lost:
        found.breaks(*key, "is in the mirror and no longer in the database")
    if lost and not store.log_problem:
        counts = {table.name: sum(name == table.name for name, _ in lost) for table in TABLES}
        state = MirrorState(True, only_log=counts)
        found.other.append(state.sentence(store.folder, store.mirror))
    for key, digest in {**stored, **log.rows}.items():
        if key not in later and log.lines.get(key, digest) != digest:
            found.breaks(*key, "differs from the mirror")
    _check_missing(store, log, found)


def _digests(store: Store, keys: Set[Key]) -> dict[Key, bytes]:
    """SHA-256 of rows as lines; without those that are not there."""
    found: dict[Key, bytes] = {}
    with store.read() as session:
        for table in TABLES:
            wanted = {seq for name, seq in keys if name == table.name}
            for row in rows(session, table, min(wanted)) if wanted else ():
                if row.seq in wanted:
                    found[table.name, row.seq] = sha256(row.encode()).digest()
    return found


def _check_missing(store: Store, log: LogComparison, found: Findings) -> None:
    late = [key for key in log.rows if key[1] > log.last.get(key[0], 0)]
    for key in sorted(log.rows.keys() - log.lines.keys() - set(late)):
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
