"""Version 5: up to six images in a presentation, in slots 0, 1 and 3 to 6; 2 is the pair."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
_SLOTS = {"presentation_slot": "slot IN (0, 1, 3, 4, 5, 6)", "rating_event": "slot BETWEEN 0 AND 6"}


def upgrade() -> None:
    """Allow the slots of a ranking."""
    for table, condition in _SLOTS.items():
        name = op.f(f"ck_{table}_slot")
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(name, type_="check")
            batch.create_check_constraint(name, condition)
