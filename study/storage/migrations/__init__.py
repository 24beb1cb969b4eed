"""Migrations of the tables by Alembic, so that the study of an older version opens and verifies.

Each file of `versions` is one revision; it must stay as it is when the tables change again. Rows of
ratings and audit events are never touched. Triggers and views are not the business of a revision:
they are put aside before the first and made after the last (`study.storage.triggers.renewed`).
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect

from enhancers import __version__
from study.storage import triggers
from study.storage.migrations.recorded import recorded

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps the present migration in a global."""


def migrate(connection: Connection, version: int, latest: int) -> None:
    """Bring tables and triggers from a version to the latest.

    Parameters
    ----------
    connection : Connection
        In a writing transaction, on SQLite without foreign keys.
    version, latest : int
        The present version, and the one of this program.
    """
    from alembic import command

    config = _config(connection)
    with _ONE_AT_A_TIME, triggers.renewed(connection, recorded(version, connection.dialect.name)):
        if not inspect(connection).has_table("alembic_version"):
            command.stamp(config, revision(version))
        command.upgrade(config, revision(latest))
        connection.exec_driver_sql(
            f"UPDATE schema_version SET version = {latest}, app_version = '{__version__}'"
        )


def stamp(connection: Connection, version: int) -> None:
    """Note that the tables, which were just made, are those of a version."""
    from alembic.runtime.migration import MigrationContext

    with _ONE_AT_A_TIME:
        MigrationContext.configure(connection).stamp(_scripts(), revision(version))


def revision(version: int) -> str:
    """Alembic's identifier of a version of the tables, such as 0003."""
    return f"{version:04}"


def _config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "study.storage:migrations")
    return config


@cache
def _scripts() -> ScriptDirectory:
    """The revisions, which are read once."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())
