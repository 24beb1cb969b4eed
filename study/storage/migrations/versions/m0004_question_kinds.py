"""Version 4: answers that are no points of a scale are JSON objects, which a trigger allows."""

from __future__ import annotations

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The tables stay as they are."""
