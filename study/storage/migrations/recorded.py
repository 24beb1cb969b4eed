"""The triggers of every version of the tables, as digests: a changed one shows after a migration.

``triggers.json`` has for each version what differs from the version before: SHA-256 of the trigger
on SQLite and PostgreSQL, null where it was dropped. `tests.support.record_triggers` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources

DIALECTS = ("sqlite", "postgresql")
Changes = dict[str, dict[str, list[str] | None]]


def changes() -> Changes:
    """Digests by version and trigger, where they differ from the version before."""
    text = resources.files(__package__).joinpath("triggers.json").read_text("utf-8")
    found: Changes = json.loads(text)
    return found


def recorded(version: int, dialect: str) -> Mapping[str, str]:
    """SHA-256 of each trigger of a version, as hex by its name."""
    found: dict[str, list[str] | None] = {}
    for number, changed in changes().items():
        if int(number) <= version:
            found |= changed
    place = DIALECTS.index(dialect)
    return {name: pair[place] for name, pair in found.items() if pair and pair[place]}
