"""A study of small ready-made images, and answers to all pairs but a few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sqlalchemy import select

from study.domain.protocol import Protocol
from study.domain.questions import QuestionKind
from study.storage import hash_chain, key_file
from study.storage.models import (
    Consent,
    Presentation,
    Question,
    RatingEvent,
    Reader,
    ReadingSession,
    now,
)
from study.storage.store import Store

SIDE = 64
"""Rows and columns of the images: rendering is not what is measured."""
LEFT = 40
"""Pairs of the first reader that are left to be answered."""
_PART = 2000


def draft(folder: Path, cases: int, methods: int, readers: int) -> None:
    """Make images and a draft study; nothing is built."""
    from PIL import Image

    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    for method in range(methods):
        (folder / "images" / f"step{method}").mkdir(parents=True)
    for case in range(cases):
        clean = 128 + 60 * np.sin((9 + case % 17) * x + case) * np.cos((7 + case % 13) * y)
        for method in range(methods):
            noise = np.random.default_rng([case, method]).normal(0, 2 * method + 1, clean.shape)
            pixels = np.rint(clean + noise).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "images" / f"step{method}" / f"case{case}.png")
    protocol = Protocol(title="Size", readers=readers, ask_blinding=False, feedback=False)
    key = key_file.create(folder / "key.json", folder / "study")
    store = Store.create(
        folder / "study", protocol=protocol, code="SIZE", seed_sha256=key.seed_sha256
    )
    key_file.save(key.bind(store.study_id))
    store.close()


def fill(folder: Path) -> None:
    """Open the study, and answer all pairs but the last of the first reader."""
    from study.planning.lifecycle import open_study

    store = Store.open(folder / "study")
    open_study(store, actor="bench")
    rng = np.random.default_rng(0)
    with store.read() as session:
        readers = session.scalars(select(Reader.id).order_by(Reader.code)).all()
        questions = session.execute(
            select(Question.id, Question.kind, Question.minimum, Question.maximum)
        ).all()
    for place, reader in enumerate(readers):
        with store.write() as session:
            session.add(Consent(reader_id=reader, action="accepted", text_sha256="c" * 64))
            profile = session.get_one(Reader, reader)
            profile.specialty, profile.experience_years = "radiology", 10
            profile.profile_json = "{}"
            sittings = session.scalars(
                select(ReadingSession).where(ReadingSession.reader_id == reader)
            )
            for one in sittings:
                one.started_at = now()
        with store.read() as session:
            pairs = session.scalars(
                select(Presentation.id)
                .join(ReadingSession, ReadingSession.id == Presentation.session_id)
                .where(ReadingSession.reader_id == reader)
                .order_by(ReadingSession.number, Presentation.position)
            ).all()
        answered = pairs[:-LEFT] if place == 0 else pairs
        for start in range(0, len(answered), _PART):
            rows = [
                {
                    "presentation_id": pair,
                    "question_id": one.id,
                    "slot": slot,
                    "value_num": float(rng.integers(one.minimum, one.maximum + 1)),
                    "revision": 1,
                    "protocol_version": 1,
                    "idempotency_key": f"fill {pair}",
                    "client_visible_ms": int(rng.integers(3000, 20000)),
                    "client_first_ms": 1500,
                    "actor_id": reader,
                }
                for pair in answered[start : start + _PART]
                for one in questions
                for slot in ((2,) if one.kind == QuestionKind.PREFERENCE else (0, 1))
            ]
            with store.write() as session:
                hash_chain.append(session, RatingEvent, rows)
    store.close()
