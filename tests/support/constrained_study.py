"""A study whose rules are to be provoked."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import select

from study.domain.protocol import Protocol
from study.reading import consent
from study.reading.ratings import record
from study.storage.hash_chain import head
from study.storage.models import (
    AnalysisRun,
    BlindingGuess,
    DisplayCheck,
    Exclusion,
    ImageEvent,
    InteractionEvent,
    Presentation,
    ProtocolVersion,
    QualificationResult,
    Question,
    RatingEvent,
    Reader,
    ReaderChange,
    ReadingSession,
    Stimulus,
)
from study.storage.protocol_versions import amendments
from study.storage.store import Store
from tests.support.tiny_study import reader_ids, tiny_answers, tiny_study, tokens

PROTOCOL = Protocol(readers=3)


def ruled_study(folder: Path, url: str | None) -> Store:
    """An open study with a row in every table; R02 has withdrawn, R03 is put aside."""
    store = tiny_study(folder, readers=3, pairs=3, qualification=1, protocol=PROTOCOL, url=url)
    with store.read() as session:
        one, two, three = reader_ids(session)
        token = tokens(session, one)[0]
    record(store, reader_id=one, token=token, answers=tiny_answers(PROTOCOL),
           idempotency_key="first answers", comment="bright")  # fmt: skip
    with store.write() as session:
        consent.withdraw(session, two, "c" * 64)
        shown = session.scalars(select(Presentation)).first()
        stimulus = session.scalars(select(Stimulus.id)).first()
        tried = session.scalars(
            select(ReadingSession.id).where(ReadingSession.phase == "qualification")
        ).one()
        assert shown is not None
        assert stimulus is not None
        session.add_all([
            DisplayCheck(reader_id=one, passed=True, detail_json='{"skipped": true}'),
            BlindingGuess(reader_id=one, stimulus_id=stimulus, guess="0"),
            InteractionEvent(presentation_id=shown.id, kind="zoom", payload="", at_ms=1),
            ReaderChange(reader_id=three, kind="note", text="x", decided_by="x"),
            ImageEvent(stimulus_id=stimulus, kind="restored", noticed_by="x"),
            ProtocolVersion(study_id=store.study_id, number=2, protocol_json=PROTOCOL.to_json(),
                            protocol_sha256=PROTOCOL.digest, questions=3, changes="x", reason="x",
                            decided_by="x"),
            QualificationResult(session_id=tried, correct=1, asked=1, passed=True),
            Exclusion(study_id=store.study_id, target_kind="reader", target_id=three,
                      rule_code="x", prespecified=True, reason="x", decided_by="x"),
            AnalysisRun(study_id=store.study_id, kind="x", data_sha256="x", protocol_sha256="x",
                        code_version="x", libraries_json="{}", seed=0, unblinded=False,
                        result_json="{}"),
        ])  # fmt: skip
        put_aside = session.get_one(Reader, three)
        put_aside.simulated, put_aside.active = True, False
    return store


def next_row(store: Store) -> dict[str, Any]:
    """A rating that the database takes: R01's second pair."""
    with store.read() as session:
        one = reader_ids(session)[0]
        shown = session.scalars(
            select(Presentation.id).where(Presentation.token == tokens(session, one)[1])
        ).one()
        question = session.scalars(select(Question.id).where(Question.code == "quality")).one()
        last = head(session, RatingEvent)
        versions = len(amendments(session))
    return {
        "seq": last.seq + 1, "id": str(uuid.uuid4()), "presentation_id": shown,
        "question_id": question, "slot": 0, "value_num": 4.0, "value_text": None, "revision": 1,
        "reason": None, "idempotency_key": "raw", "server_at": "2026-01-01T00:00:00.000000Z",
        "actor_id": one, "prev_hash": last.row_hash, "row_hash": "e" * 64,
        "protocol_version": 1 + versions,
    }  # fmt: skip


def other_values(store: Store) -> dict[str, Any]:
    """Values of other rows to put into a rating."""
    with store.read() as session:
        readers = reader_ids(session)
        shown = [
            session.scalars(select(Presentation.id).where(Presentation.token == token)).one()
            for reader in readers
            for token in tokens(session, reader)[:1]
        ]
        stored = session.scalars(select(RatingEvent).order_by(RatingEvent.seq)).first()
        preference = session.scalars(select(Question.id).where(Question.code == "preference")).one()
        assert stored is not None
        return {
            "R02": {"actor_id": readers[1]},
            "R02's": {"actor_id": readers[1], "presentation_id": shown[1]},
            "R03's": {"actor_id": readers[2], "presentation_id": shown[2]},
            "same id": {"id": stored.id},
            "same hash": {"row_hash": stored.row_hash},
            "same key": {"idempotency_key": stored.idempotency_key},
            "rated pair": {"presentation_id": shown[0]},
            "preference": {"question_id": preference},
            "preference 2": {"question_id": preference, "slot": 2, "value_num": 2.0},
        }
