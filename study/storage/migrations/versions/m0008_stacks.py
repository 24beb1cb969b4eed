"""Version 8: images that are stacks of slices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the number of slices."""
    with op.batch_alter_table("stimulus") as batch:
        batch.add_column(sa.Column("slices", sa.Integer(), nullable=True))
        batch.create_check_constraint(op.f("ck_stimulus_slices"), "slices > 0")
