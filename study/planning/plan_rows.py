"""The rows of a plan: questions, readers, sessions, presentations, slots, and masked methods."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import insert
from sqlalchemy.orm import Session

from study.domain.plan import Plan, Trial
from study.domain.protocol import Protocol
from study.domain.question_kinds import IMAGE_SLOTS
from study.domain.questions import Question
from study.domain.terms import Role
from study.stimuli import roster
from study.storage import models
from study.storage.models import (
    Method,
    Presentation,
    PresentationSlot,
    Reader,
    ReadingSession,
    Stimulus,
    new_id,
)
from study.storage.row_log import touch


def stored_kind(question: Question) -> str:
    """The kind of a question as its row has it: what it is asked about; see `models.Question`."""
    return "preference" if question.of_pair else "likert"


def to_read(plan: Plan) -> int:
    """Number of pairs of a plan without the attempts at the qualification."""
    return sum(trial.role is not Role.QUALIFICATION for trial in plan)


def write_questions(session: Session, study_id: str, protocol: Protocol) -> None:
    """Copy the questions of a protocol into their table."""
    session.add_all(
        question_row(study_id, one, place) for place, one in enumerate(protocol.questions)
    )


def question_row(study_id: str, question: Question, place: int) -> models.Question:
    """The row of a question."""
    return models.Question(
        study_id=study_id,
        code=question.code,
        text=question.text,
        kind=stored_kind(question),
        minimum=question.minimum,
        maximum=question.maximum,
        anchors_json=json.dumps(question.anchors, ensure_ascii=False),
        cannot_judge=question.cannot_judge,
        is_primary=question.primary,
        display_order=place,
    )


def write_plans(
    session: Session,
    study_id: str,
    stimuli: Sequence[Stimulus],
    plans: Sequence[Plan],
    codes: Sequence[str],
) -> None:
    """Write the readers with their codes, sessions, presentations and slots."""
    stimulus = {(one.item_id, one.method_id): one.id for one in stimuli}
    for code, plan in zip(codes, plans, strict=True):
        reader = Reader(id=new_id(), study_id=study_id, code=code)
        session.add(reader)
        session.flush()
        write_plan(session, reader.id, plan, stimulus)


def write_plan(
    session: Session,
    reader_id: str,
    plan: Plan,
    stimulus: dict[tuple[str, str], str],
    mains: Mapping[tuple[int, int], str] | None = None,
) -> None:
    """Write the sessions, presentations and slots of a reader.

    Parameters
    ----------
    session : Session
    reader_id : str
    plan : sequence of Trial
    stimulus : dict
        Identifiers of the stimuli, by case and method.
    mains : mapping, optional
        Identifiers of main presentations that are there already, by session and position.
    """
    phases = {trial.session: trial.phase for trial in plan}
    rows = {
        number: ReadingSession(id=new_id(), reader_id=reader_id, number=number, phase=str(phase))
        for number, phase in sorted(phases.items())
    }
    session.add_all(rows.values())
    session.flush()
    named = {number: row.id for number, row in rows.items()}
    _write_trials(session, named, plan, stimulus, mains or {})


def _write_trials(
    session: Session,
    sessions: dict[int, str],
    plan: Iterable[Trial],
    stimulus: dict[tuple[str, str], str],
    there: Mapping[tuple[int, int], str],
) -> None:
    ordered = sorted(plan, key=lambda trial: (trial.session, trial.position))
    mains = {
        (trial.session, trial.position): new_id() for trial in ordered if trial.role is Role.MAIN
    } | dict(there)
    shown, slots = [], []
    for trial in ordered:
        name = mains.get((trial.session, trial.position)) or new_id()
        repeated = None if trial.repeat_of is None else mains[trial.repeated]
        shown.append(
            {
                "id": name,
                "session_id": sessions[trial.session],
                "item_id": trial.case,
                "position": trial.position,
                "role": str(trial.role),
                "repeat_of": repeated,
            }
        )
        slots += [
            {"presentation_id": name, "slot": slot, "stimulus_id": stimulus[trial.case, method]}
            for slot, method in zip(IMAGE_SLOTS, trial.methods, strict=False)
        ]
    session.execute(insert(Presentation), shown)
    session.execute(insert(PresentationSlot), slots)
    touch(session, Presentation.__tablename__, [(one["id"],) for one in shown])
    keys = [(one["presentation_id"], one["slot"]) for one in slots]
    touch(session, PresentationSlot.__tablename__, keys)


def write_masks(methods: Sequence[Method]) -> None:
    """Name the methods M1, M2, ... in a random order."""
    for number, method in enumerate(roster.shuffled(methods), 1):
        method.mask = f"M{number}"
