"""The first tables. Studies of this version exist; new ones are made with the tables of today."""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing comes before these tables."""
