"""Version 2: readers who join, leave or are replaced after the freeze, and lost images."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
_READER_CHANGE = (
    "CREATE TABLE reader_change (id VARCHAR NOT NULL, reader_id VARCHAR NOT NULL, "
    "kind VARCHAR NOT NULL, other_id VARCHAR, text VARCHAR NOT NULL, decided_by VARCHAR NOT NULL, "
    "at VARCHAR NOT NULL, CONSTRAINT pk_reader_change PRIMARY KEY (id), "
    "CONSTRAINT ck_reader_change_kind CHECK (kind IN ('added', 'replaces', 'planned', "
    "'switched off', 'switched on', 'ended', 'renamed', 'note')), "
    "CONSTRAINT fk_reader_change_reader_id FOREIGN KEY(reader_id) REFERENCES reader (id), "
    "CONSTRAINT fk_reader_change_other_id FOREIGN KEY(other_id) REFERENCES reader (id))"
)
_IMAGE_EVENT = (
    "CREATE TABLE image_event (id VARCHAR NOT NULL, stimulus_id VARCHAR NOT NULL, "
    "kind VARCHAR NOT NULL, noticed_by VARCHAR NOT NULL, at VARCHAR NOT NULL, "
    "CONSTRAINT pk_image_event PRIMARY KEY (id), "
    "CONSTRAINT ck_image_event_kind CHECK (kind IN ('lost', 'damaged', 'restored')), "
    "CONSTRAINT fk_image_event_stimulus_id FOREIGN KEY(stimulus_id) REFERENCES stimulus (id))"
)


def upgrade() -> None:
    """Make both tables."""
    op.execute(_READER_CHANGE)
    op.execute("CREATE INDEX ix_reader_change_reader_id ON reader_change (reader_id)")
    op.execute(_IMAGE_EVENT)
    op.execute("CREATE INDEX ix_image_event_stimulus_id ON image_event (stimulus_id)")
