"""The append log of an open study: kept complete, and never ahead of the database."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from study.domain.errors import LogConflict
from study.storage import hash_chain, row_log
from study.storage.append_log import CHAINED, AppendLog, Head, Line
from study.storage.engine import translated
from study.storage.mirror_state import MirrorState, failure, mirror_state
from study.storage.models import RowEvent

ROWS = RowEvent.__tablename__
BEGIN_MIRROR = "begin mirror"
"""Action of the audit event of an append log that begins when there are rows already."""
COMPLETE_MIRROR = "complete mirror"
"""Action of the audit event of rows that were added to the append log later than written."""


class Mirror:
    """The append log of a study.

    Parameters
    ----------
    engine : Engine
    folder : Path
        Of the study.
    log : AppendLog

    Attributes
    ----------
    problem : str
        What is wrong with the log, as a sentence; empty when it is complete.
    conflict : str
        How it contradicts the database, as a sentence; empty when it does not.
    waiting : set of str
        Tables with rows that the log will get later.
    """

    def __init__(self, engine: Engine, folder: Path, log: AppendLog) -> None:
        self._engine = engine
        self._folder = folder
        self.log = log
        self.problem = self.conflict = ""
        self.waiting: set[str] = set()

    def contradicts(self, found: MirrorState) -> None:
        """Note a conflict, after which nothing may be written."""
        self.problem = self.conflict = found.sentence(self._folder, self.log.path)

    def lacking(self, found: MirrorState) -> tuple[Mapping[str, int], Collection[str]]:
        """How many rows of each table the log lacks that it should have, and the tables to add."""
        rows = dict(found.only_database)
        if found.begun and ROWS in rows:
            with translated(), Session(self._engine) as session:
                last = hash_chain.head(session, RowEvent).seq
                if row_log.may_wait(session, last - rows[ROWS] + 1, last):
                    del rows[ROWS]
                    return rows, CHAINED - {ROWS}
        return rows, CHAINED

    def add(
        self, tables: Collection[str], *, begin: bool = False, rows_until: int | None = None
    ) -> bool:
        """Write the missing rows of some tables, and return whether lines had been cut off.

        Parameters
        ----------
        tables : collection of str
        begin : bool
            Whether a log is begun where there is none.
        rows_until : int, optional
            Number of the last row event that is on the disk for sure.
        """

        def missing(heads: Mapping[str, Head]) -> list[Line]:
            with translated(), Session(self._engine) as session:
                found = (
                    hash_chain.lines_after(
                        session, table, heads.get(table.name),
                        rows_until if table.name == ROWS else None,
                    )
                    for table in hash_chain.TABLES
                    if table.name in tables
                )  # fmt: skip
                return list(itertools.chain.from_iterable(found))

        try:
            self.log.add(missing, begin=begin)
        except LogConflict as error:
            found = mirror_state(self._engine, AppendLog(self.log.path))
            self.problem = self.conflict = str(error)
            if found.conflict:
                self.contradicts(found)
            return False
        except OSError as error:
            self.waiting |= set(tables)
            self.problem = failure(self._folder, self.log.path, error)
            return False
        self.problem = ""
        self.waiting -= set(tables)
        was_cut, self.log.was_cut = self.log.was_cut, False
        return was_cut
