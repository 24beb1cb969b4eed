"""Numbered changes of the tables, so that the study of an older version opens and verifies.

Each migration is a file that says what is new, as literal SQL: it must stay as it is when the
tables change again. Rows of ratings and audit events are never touched.
"""

from __future__ import annotations

from sqlalchemy import Connection

from enhancers import __version__
from study.storage import triggers
from study.storage.migrations import m0002_readers_and_images, m0003_chained_rows
from study.storage.migrations.migration import Migration

MIGRATIONS: tuple[Migration, ...] = (
    m0002_readers_and_images.MIGRATION,
    m0003_chained_rows.MIGRATION,
)
"""In the order of their versions, without a gap."""
_VERSION_TRIGGER = "keep_schema_version_update"

__all__ = ["MIGRATIONS", "Migration", "migrate"]


def migrate(connection: Connection, version: int) -> None:
    """Bring tables and triggers from a version to the latest.

    Parameters
    ----------
    connection : Connection
        In a writing transaction.
    version : int
        The present one.
    """
    for one in MIGRATIONS:
        if one.version > version:
            for statement in one.statements:
                connection.exec_driver_sql(statement)
            triggers.upgrade(connection, one.tables, one.former)
    with triggers.lifted(connection, _VERSION_TRIGGER):
        connection.exec_driver_sql(
            f"UPDATE schema_version SET version = {MIGRATIONS[-1].version}, "
            f"app_version = '{__version__}'"
        )
