"""Version 2: readers who join, leave or are replaced after the freeze, and lost images."""

from __future__ import annotations

from study.storage.migrations.migration import Migration

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
MIGRATION = Migration(
    version=2,
    statements=(
        _READER_CHANGE,
        "CREATE INDEX ix_reader_change_reader_id ON reader_change (reader_id)",
        _IMAGE_EVENT,
        "CREATE INDEX ix_image_event_stimulus_id ON image_event (stimulus_id)",
    ),
    tables=("reader_change", "image_event"),
    former={
        "keep_reader_insert": (
            "8e4ef7d364ceffee31d496beeda2cbd12390766b07da5d082d5407370ea9e031",
            "63830ba829747d99a820eaabf9e509f8e40b24fb153d7601b943f6ef8c750f66",
        ),
        "keep_reader_update": (
            "f341a4cacb59fb34d03e07956deb75e2e15f5111219053bcf6f4dcbe6d9aa8a5",
            "33a595b3ac2e0e09f2fcf282456ecd47736c99193391f2041f2f08c628305044",
        ),
        "keep_reading_session_insert": (
            "04a4b3384279ac066b1c39172fcd1f46c694d2a87a33cd47d2e2dae60ed2d537",
            "d216d17a4fe96112278da851cf583dcaff03b63920d5f916df9b441d5d30a120",
        ),
        "keep_presentation_insert": (
            "5556f7545cea7e2a31cbbf7831181a1dcc0b2209772d2a1fde1ea2473d353fc7",
            "fd966fffc87835defe1b012b73a47b8134e86236513ac8f4c017f31590eaebde",
        ),
        "keep_presentation_slot_insert": (
            "51cc4c52516eb19fe3196f98d4eeb29625cfa340e0f99727c2d794137f374596",
            "04aa0ee73c41cc622ac3eeadb14170377d11aa3044fde57b612ce10e31c243e3",
        ),
    },
)
