"""A small study that is frozen and open, written straight into a store."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from study.domain.protocol import Protocol
from study.domain.question_kinds import IMAGE_SLOTS
from study.domain.terms import MethodKind, Status
from study.planning import assignment
from study.planning.assignment import PlannedCase, Trial
from study.planning.plan_rows import stored_kind
from study.stimuli import buffers
from study.storage.models import (
    Item,
    Method,
    Presentation,
    PresentationSlot,
    Question,
    Reader,
    ReadingSession,
    Stimulus,
    Study,
)
from study.storage.store import Store

SEED = bytes(range(32))
SIZE = 64
QUICK = Protocol(
    title="Noise in phantoms", readers=2, training=2, dummies=1, repeats=2, nulls=1,
    repeat_distance=2, least_width=1000, least_height=540,
)  # fmt: skip
"""Short sessions of every role."""
KINDS = (MethodKind.REFERENCE, MethodKind.TEST, MethodKind.TEST, MethodKind.ANCHOR)
WINDOW = {
    "window": [-1024.0, 3071.0],
    "units": "HU",
    "presets": [
        {"label": "Full range", "levels": [0, 65535]},
        {"label": "Middle", "levels": [16384, 49152]},
    ],
    "spacing": [0.7, 0.7],
}


@dataclass(frozen=True)
class Small:
    """A study and what only its coordinator would know.

    Parameters
    ----------
    store : Store
    methods : tuple of str
        Identifiers, in the order of `KINDS`; then that of the unenhanced image.
    readers : dict
        Identifiers by code.
    pixels : dict
        Buffers by stimulus.
    """

    store: Store
    methods: tuple[str, ...]
    readers: dict[str, str]
    pixels: dict[str, bytes] = field(default_factory=dict)

    def reader(self, code: str = "R01") -> str:
        """The identifier of a reader."""
        return self.readers[code]


def known_id(name: str) -> str:
    """An identifier that is the same in every run, so that the plan is, too."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def texture(seed: int, method: int, size: int = SIZE) -> NDArray[np.float32]:
    """A case under a method: the same disc, with more or less noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    disc = 0.25 + 0.5 * (np.hypot(x - 0.02 * rng.normal(), y) < 0.3)
    noise = rng.normal(size=(size, size)) * (0.0, 0.03, 0.08, 0.2, 0.12)[method]
    return np.clip(disc + noise, 0, 1).astype(np.float32)


def small_study(
    folder: Path,
    protocol: Protocol = QUICK,
    *,
    cases: int = 4,
    training: int = 1,
    status: Status = Status.OPEN,
    pixels: Callable[[int, int], NDArray[np.float32]] = texture,
    mirror: Path | None = None,
    url: str | None = None,
) -> Small:
    """Write a study with four methods, and the unenhanced image where the protocol shows it.

    Parameters
    ----------
    folder : Path
        Empty or not there.
    protocol : Protocol
    cases, training : int
        Cases to read, and cases kept for training.
    status : Status
        At most OPEN.
    pixels : callable
        Image of a case and a method, both by number; a stack has an axis more, in front.
    mirror : Path, optional
    url : str, optional
        Of a database that is not SQLite's in the folder.
    """
    store = Store.create(
        folder, protocol=protocol, code="SMALL", seed_sha256="0" * 64, mirror=mirror, url=url
    )
    kinds = (*KINDS, MethodKind.ORIGINAL) if protocol.show_original else KINDS
    methods = tuple(known_id(f"method {number}") for number in range(len(kinds)))
    small = Small(store, methods, {}, {})
    with store.write() as session:
        masks = [f"M{number}" for number in random.Random(1).sample(range(1, 5), 4)]
        for method, kind, mask in zip(methods, kinds, [*masks, None], strict=False):
            session.add(Method(id=method, study_id=store.study_id, kind=kind, mask=mask))
        session.flush()
        images, listed = {}, []
        for number in range(cases + training):
            item = Item(
                id=known_id(f"case {number}"), study_id=store.study_id,
                case_key=f"C{number + 1:03d}", patient_key=f"P{number + 1:03d}",
                modality="CT", training=number >= cases, window_json=json.dumps(WINDOW),
            )  # fmt: skip
            session.add(item)
            session.flush()
            listed.append(PlannedCase(item.id, item.patient_key, item.training))
            for i, method in enumerate(methods):
                stimulus = _stimulus(store, item.id, method, pixels(number, i))
                session.add(stimulus)
                session.flush()
                images[item.id, method] = stimulus.id
                small.pixels[stimulus.id] = (store.stimuli / stimulus.file).read_bytes()
        _questions(session, store.study_id, protocol)
        for place in range(protocol.readers):
            reader = Reader(study_id=store.study_id, code=f"R{place + 1:02d}")
            session.add(reader)
            session.flush()
            small.readers[reader.code] = reader.id
            trials = assignment.assign(
                protocol, listed, list(zip(methods, KINDS, strict=False)),
                seed=SEED, study_id="SMALL", reader=place,
            )  # fmt: skip
            _plan(session, reader.id, trials, images)
        study = session.get_one(Study, store.study_id)
        study.plan_sha256 = study.key_sha256 = "1" * 64
    for step in (Status.FROZEN, Status.OPEN):
        if list(Status).index(step) <= list(Status).index(status):
            with store.write() as session:
                store.set_status(session, step, "coordinator")
    return small


def _stimulus(store: Store, item: str, method: str, image: NDArray[np.float32]) -> Stimulus:
    colour = image.ndim > 2 and image.shape[-1] == 3
    stack = image[None] if image.ndim == 2 + colour else image
    written = buffers.write(store.stimuli, stack)
    return Stimulus(
        item_id=item, method_id=method, file=written.file, pixel_sha256=written.sha256,
        width=written.width, height=written.height, channels=written.channels, deid_check="checked",
        slices=written.slices if written.slices > 1 else None,
    )  # fmt: skip


def _questions(session, study_id: str, protocol: Protocol) -> None:
    for order, one in enumerate(protocol.questions):
        session.add(
            Question(
                study_id=study_id,
                code=one.code,
                text=one.text,
                kind=stored_kind(one),
                minimum=one.minimum,
                maximum=one.maximum,
                anchors_json=json.dumps(one.anchors),
                cannot_judge=one.cannot_judge,
                is_primary=one.primary,
                display_order=order,
            )
        )


def _plan(session, reader_id: str, trials: tuple[Trial, ...], images: dict) -> None:
    sessions: dict[int, str] = {}
    mains: dict[tuple[int, int], str] = {}
    for trial in trials:
        if trial.session not in sessions:
            sitting = ReadingSession(
                reader_id=reader_id, number=trial.session, phase=trial.phase, not_before=None,
            )  # fmt: skip
            session.add(sitting)
            session.flush()
            sessions[trial.session] = sitting.id
        pair = Presentation(
            session_id=sessions[trial.session], item_id=trial.case, position=trial.position,
            role=trial.role, repeat_of=None if trial.repeat_of is None else mains[trial.repeated],
        )  # fmt: skip
        session.add(pair)
        session.flush()
        mains[trial.session, trial.position] = pair.id
        for slot, method in zip(IMAGE_SLOTS, trial.methods, strict=False):
            session.add(
                PresentationSlot(
                    presentation_id=pair.id, slot=slot, stimulus_id=images[trial.case, method]
                )
            )


def methods_of(store: Store, token: str) -> tuple[str, ...]:
    """The methods of a presentation, by slot."""
    with store.read() as session:
        rows = session.scalars(
            select(Stimulus.method_id)
            .join(PresentationSlot, PresentationSlot.stimulus_id == Stimulus.id)
            .join(Presentation, Presentation.id == PresentationSlot.presentation_id)
            .where(Presentation.token == token)
            .order_by(PresentationSlot.slot)
        ).all()
    return tuple(rows)
