"""Version 3: what an analysis reads is chained; the keys of cookies leave the study."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
_ROW_EVENT = (
    "CREATE TABLE row_event (seq INTEGER NOT NULL, id VARCHAR NOT NULL, "
    "table_name VARCHAR NOT NULL, rows_json VARCHAR NOT NULL, server_at VARCHAR NOT NULL, "
    "prev_hash VARCHAR NOT NULL, row_hash VARCHAR NOT NULL, "
    "CONSTRAINT pk_row_event PRIMARY KEY (seq), "
    "CONSTRAINT uq_row_event_id UNIQUE (id), "
    "CONSTRAINT uq_row_event_row_hash UNIQUE (row_hash))"
)


def upgrade() -> None:
    """Make the table; `study.storage.schema` fills it."""
    op.execute(_ROW_EVENT)
    op.execute("DROP TABLE IF EXISTS server_secret")
