"""Rows of methods, cases and stimuli of a draft, kept consistent with its key file.

Rows and labels are in random order, so that neither a label nor the position of a row reveals a
method or the position of a case in its folder.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from study.domain.composed import composed
from study.stimuli.buffers import WrittenStimulus
from study.stimuli.source_folders import SourceCase
from study.storage.key import Key, KeyCase, KeyMethod
from study.storage.models import Item, Method, Stimulus, new_id

PENDING = "pending"
"""`Stimulus.deid_check` until all checks of the case are passed."""

T = TypeVar("T")
_random = secrets.SystemRandom()


def shuffled(values: Collection[T]) -> list[T]:
    """The values in random order, from the system's random numbers."""
    return _random.sample(list(values), len(values))


def enrolled(key: Key, methods: Sequence[KeyMethod], cases: Sequence[SourceCase]) -> Key:
    """The key with exactly these methods and cases; known ones keep their identifiers."""
    method_ids = {composed(one.name): name for name, one in key.methods.items()}
    case_ids = {composed(one.name): name for name, one in key.cases.items()}
    return replace(
        key,
        methods={method_ids.get(composed(one.name)) or new_id(): one for one in shuffled(methods)},
        cases={
            case_ids.get(composed(one.name)) or new_id(): KeyCase(
                one.name,
                one.patient,
                tuple(dict.fromkeys(str(file) for file in one.files)),
                one.truth,
            )
            for one in shuffled(cases)
        },
    )


def sync(session: Session, study_id: str, key: Key) -> None:
    """Delete rows of methods and cases that are not in the key, and add rows of new methods."""
    session.execute(
        delete(Stimulus).where(
            Stimulus.item_id.not_in(key.cases) | Stimulus.method_id.not_in(key.methods)
        )
    )
    session.execute(delete(Item).where(Item.id.not_in(key.cases)))
    session.execute(delete(Method).where(Method.id.not_in(key.methods)))
    _relabel(session, key)
    for name, one in key.methods.items():
        row = session.get(Method, name)
        if row is None:
            session.add(Method(id=name, study_id=study_id, kind=str(one.kind)))
            session.flush()
        else:
            row.kind = str(one.kind)


def _relabel(session: Session, key: Key) -> None:
    """Give every patient one label, even where the patient of a case was changed."""
    labels = _patient_labels(session, key)
    for row in session.scalars(select(Item)):
        patient = key.cases[row.id].patient
        if patient not in labels:
            labels[patient] = _new_patient_label(key, labels.values())
        row.patient_key = labels[patient]
    session.flush()


def put_item(
    session: Session,
    study_id: str,
    key: Key,
    item_id: str,
    *,
    training: bool,
    modality: str,
    window_json: str,
) -> None:
    """Add a case with a random label, or update its row."""
    labels = _patient_labels(session, key)
    patient = labels.get(key.cases[item_id].patient) or _new_patient_label(key, labels.values())
    row = session.get(Item, item_id)
    if row is None:
        label = _free("C", len(key.cases), session.scalars(select(Item.case_key)).all())
        row = Item(id=item_id, study_id=study_id, case_key=label, patient_key=patient,
                   modality=modality, window_json=window_json)  # fmt: skip
        session.add(row)
    row.patient_key, row.training = patient, training
    row.modality, row.window_json = modality, window_json


def stimulus_of(session: Session, item_id: str, method_id: str) -> Stimulus | None:
    """The stimulus of a case and method, if there is one."""
    return session.scalars(
        select(Stimulus).where(Stimulus.item_id == item_id, Stimulus.method_id == method_id)
    ).one_or_none()


def put_stimulus(
    session: Session, stimulus_id: str, item_id: str, method_id: str, written: WrittenStimulus
) -> None:
    """Add or replace a stimulus, with its checks pending."""
    session.execute(
        delete(Stimulus).where(Stimulus.item_id == item_id, Stimulus.method_id == method_id)
    )
    session.add(
        Stimulus(
            id=stimulus_id,
            item_id=item_id,
            method_id=method_id,
            file=written.file,
            pixel_sha256=written.sha256,
            width=written.width,
            height=written.height,
            channels=written.channels,
            slices=written.slices if written.slices > 1 else None,
            deid_check=PENDING,
        )
    )


def mark(session: Session, item_id: str, check: str) -> None:
    """Set the passed check of all stimuli of a case, `PENDING` for none."""
    for row in session.scalars(select(Stimulus).where(Stimulus.item_id == item_id)):
        row.deid_check = check


def _patient_labels(session: Session, key: Key) -> dict[str, str]:
    """The label of each patient who has one, from the first of their cases."""
    labels: dict[str, str] = {}
    for row in session.scalars(select(Item)):
        patient = key.cases[row.id].patient
        if row.patient_key not in labels.values():
            labels.setdefault(patient, row.patient_key)
    return labels


def _new_patient_label(key: Key, used: Collection[str]) -> str:
    return _free("P", len({case.patient for case in key.cases.values()}), used)


def _free(letter: str, number: int, used: Collection[str]) -> str:
    """A random label that is not in use."""
    top = max(number, len(used) + 1)
    width = max(3, len(str(top)))
    labels = (f"{letter}{place:0{width}d}" for place in range(1, top + 1))
    return _random.choice([label for label in labels if label not in used])
