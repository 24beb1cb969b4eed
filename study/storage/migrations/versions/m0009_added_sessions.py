"""Version 9: sessions that an amendment adds to plans."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Allow the decision that adds a session."""
    name = op.f("ck_reader_change_kind")
    with op.batch_alter_table("reader_change") as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(
            name,
            "kind IN ('added', 'replaces', 'planned', 'switched off', 'switched on', 'ended', "
            "'renamed', 'note', 'attempt', 'extended')",
        )
