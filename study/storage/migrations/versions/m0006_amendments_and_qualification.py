"""Version 6: amended protocols, with the version of each rating, and the qualification."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
_CHECKS = {
    ("reading_session", "phase"): "phase IN ('training', 'qualification', 'main', 'repeat')",
    ("presentation", "role"): (
        "role IN ('training', 'qualification', 'dummy', 'main', 'repeat', 'null')"
    ),
    ("reader_change", "kind"): (
        "kind IN ('added', 'replaces', 'planned', 'switched off', 'switched on', 'ended', "
        "'renamed', 'note', 'attempt')"
    ),
}
_PROTOCOL_VERSION = (
    "CREATE TABLE protocol_version (id VARCHAR NOT NULL, study_id VARCHAR NOT NULL, "
    "number INTEGER NOT NULL, protocol_json VARCHAR NOT NULL, protocol_sha256 VARCHAR NOT NULL, "
    "questions INTEGER NOT NULL, changes VARCHAR NOT NULL, reason VARCHAR NOT NULL, "
    "decided_by VARCHAR NOT NULL, at VARCHAR NOT NULL, "
    "CONSTRAINT pk_protocol_version PRIMARY KEY (id), "
    "CONSTRAINT uq_protocol_version_study_id_number UNIQUE (study_id, number), "
    "CONSTRAINT ck_protocol_version_number CHECK (number >= 2), "
    "CONSTRAINT ck_protocol_version_reason CHECK (length(trim(reason)) > 0), "
    "CONSTRAINT fk_protocol_version_study_id FOREIGN KEY(study_id) REFERENCES study (id))"
)
_QUALIFICATION_RESULT = (
    "CREATE TABLE qualification_result (id VARCHAR NOT NULL, session_id VARCHAR NOT NULL, "
    "correct INTEGER NOT NULL, asked INTEGER NOT NULL, passed BOOLEAN NOT NULL, "
    "at VARCHAR NOT NULL, "
    "CONSTRAINT pk_qualification_result PRIMARY KEY (id), "
    "CONSTRAINT uq_qualification_result_session_id UNIQUE (session_id), "
    "CONSTRAINT ck_qualification_result_correct CHECK (correct BETWEEN 0 AND asked), "
    "CONSTRAINT fk_qualification_result_session_id FOREIGN KEY(session_id) "
    "REFERENCES reading_session (id))"
)


def upgrade() -> None:
    """Make both tables, the column of ratings, and the wider lists."""
    op.execute(_PROTOCOL_VERSION)
    op.execute(_QUALIFICATION_RESULT)
    op.add_column("rating_event", sa.Column("protocol_version", sa.Integer(), nullable=True))
    for (table, column), condition in _CHECKS.items():
        name = op.f(f"ck_{table}_{column}")
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(name, type_="check")
            batch.create_check_constraint(name, condition)
