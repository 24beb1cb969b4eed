"""Base class of the tables, identifiers and times.

Times are UTC, ISO 8601 with microseconds, as text, so that a hash of a row is the same everywhere.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

SINCE = "since"
"""Key in `info` of a column that a migration adds, with the version: `info={SINCE: 4}`.

Such a column is null in older rows, and no part of their hashes."""


def now() -> str:
    """The current time in the stored format."""
    return stamp(datetime.now(UTC))


def stamp(moment: datetime) -> str:
    """A UTC time in the stored format, which sorts in the order of time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now_after(latest: str | None) -> str:
    """The current time, or a microsecond after that of the record before, if that is later.

    Records whose last one counts keep their order when the clock is set back.
    """
    if not latest:
        return now()
    return max(now(), stamp(datetime.fromisoformat(latest) + timedelta(microseconds=1)))


def new_id() -> str:
    """A random identifier (UUID version 4, which reveals neither time nor order)."""
    return str(uuid.uuid4())


def new_token() -> str:
    """128 random bits in 22 characters."""
    return secrets.token_urlsafe(16)


class Base(DeclarativeBase):
    """Base of the tables, with named constraints."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
