"""What a migration consists of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Migration:
    """A step to the next version of the tables.

    Parameters
    ----------
    version : int
        The version that it leads to.
    statements : tuple of str
        SQL for SQLite and PostgreSQL.
    tables : tuple of str
        The tables that these make.
    former : mapping
        SHA-256 of the triggers before, on SQLite and PostgreSQL, by their names.
    """

    version: int
    statements: tuple[str, ...]
    tables: tuple[str, ...]
    former: Mapping[str, Collection[str]]
