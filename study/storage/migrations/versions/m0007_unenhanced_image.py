"""Version 7: methods whose images are shown beside the others and never rated."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Allow the kind of the unenhanced image."""
    name = op.f("ck_method_kind")
    with op.batch_alter_table("method") as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, "kind IN ('test', 'reference', 'anchor', 'original')")
