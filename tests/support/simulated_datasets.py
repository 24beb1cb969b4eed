"""Datasets without a store: plans of the real design, read by simulated readers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from study.analysis.dataset import NOT_READ, Dataset, Observation
from study.analysis.records import (
    CaseRecord,
    CommentRecord,
    GuessRecord,
    MethodRecord,
    ReaderRecord,
    StudyRecord,
)
from study.analysis.scores import AnalysisOptions
from study.demo.reader_model import ReaderModel, ShownPair
from study.domain.protocol import Protocol
from study.domain.questions import CANNOT_JUDGE, LEFT, PAIR, QuestionKind
from study.domain.terms import MethodKind, Role
from study.planning.assignment import PlannedCase, Trial, assign

SEED = bytes(range(32))
STRENGTHS = {"M1": 2.6, "M2": 3.2, "M3": 4.1}
QUICK = AnalysisOptions(resamples=50, seed=1, level=0.95)
SMALL = Protocol(readers=4, training=1, dummies=1, repeats=4, nulls=2)


def dataset(
    protocol: Protocol = SMALL,
    *,
    cases: int = 8,
    strengths: Mapping[str, float] = STRENGTHS,
    kinds: Mapping[str, MethodKind] | None = None,
    models: Sequence[ReaderModel] | None = None,
    read: Mapping[str, int] | None = None,
) -> Dataset:
    """A study that has been read.

    Parameters
    ----------
    protocol : Protocol
    cases : int
        Main cases; two neighbours share a patient.
    strengths : mapping
        Mean score of each method, by mask.
    kinds : mapping, optional
        Kind of each method; otherwise all are under test.
    models : sequence of ReaderModel, optional
        Of the readers.
    read : mapping, optional
        How many pairs of its session a reader has read, where it is not all.
    """
    methods = [(mask, (kinds or {}).get(mask, MethodKind.TEST)) for mask in strengths]
    people = models or [
        ReaderModel(f"R{n + 1:02d}", strengths, seed=3, bias=0.2 * (n % 3 - 1), cannot_judge=0.04)
        for n in range(protocol.readers)
    ]
    listed = [PlannedCase(f"C{n:03d}", f"P{n // 2:03d}") for n in range(1, cases + 1)]
    found: list[Observation] = []
    readers = []
    for place, model in enumerate(people):
        plan = assign(protocol, listed, methods, seed=SEED, study_id="test", reader=place)
        limit = (read or {}).get(model.reader, len(plan))
        found += _read(protocol, model, plan, limit)
        mains = [trial for trial in plan if trial.role is Role.MAIN]
        done = sum(trial.position < limit for trial in mains)
        readers.append(_reader(model.reader, place, len(mains), done))
    return Dataset(
        _record(protocol),
        protocol,
        tuple(MethodRecord(mask, kind) for mask, kind in methods),
        tuple(readers),
        tuple(CaseRecord(case.id, case.patient, "MR") for case in listed),
        tuple(found),
        comments=(CommentRecord("R01", "R01-1-003", "Left is blurred.", _minute(3)),),
    )


def steady(**changes: float) -> list[ReaderModel]:
    """Readers without noise, who answer everything."""
    return [ReaderModel(f"R{n:02d}", STRENGTHS, seed=2, noise=0.0, **changes) for n in range(1, 5)]


def unblind(data: Dataset, names: Mapping[str, str], groups: Mapping[str, str]) -> Dataset:
    """With names, as the key file would give them, and guesses of every reader."""
    methods = tuple(
        replace(one, name=names[one.mask], group=groups[one.mask]) for one in data.methods
    )
    answers = (*data.protocol.blinding_groups, "do not know")
    guesses = tuple(
        GuessRecord(reader, mask, answers[(place + number) % len(answers)])
        for place, reader in enumerate(data.included_readers)
        for number, mask in enumerate(data.masks)
    )
    study = replace(data.study, status="unblinded", unblinded_at="2026-03-09T10:00:00.000000Z")
    return replace(data, methods=methods, guesses=guesses, study=study)


def _read(
    protocol: Protocol, model: ReaderModel, plan: Sequence[Trial], limit: int
) -> Iterator[Observation]:
    for trial in plan:
        pair = f"{model.reader}-{trial.session}-{trial.position:03d}"
        shown = ShownPair(trial.case, trial.left, trial.right, pair)
        again = "" if trial.repeat_of is None else f"{model.reader}-1-{trial.repeat_of:03d}"
        done = trial.position < limit
        for question in protocol.questions:
            for side in question.slots:
                value = None
                if done and question.kind is QuestionKind.PREFERENCE:
                    value = model.prefer(question, shown)
                elif done:
                    value = model.score(question, shown, side)
                yield Observation(
                    reader=model.reader,
                    case=trial.case,
                    patient=f"P{int(trial.case[1:]) // 2:03d}",
                    left=trial.left,
                    right=trial.right,
                    question=question.code,
                    side=side,
                    value=value,
                    missing="" if value is not None else CANNOT_JUDGE if done else NOT_READ,
                    role=trial.role,
                    session=trial.session,
                    position=trial.position,
                    pair=pair,
                    repeat_of=again,
                    revision=1 if done else 0,
                    seconds=round(model.seconds(shown), 1) if done else None,
                    at=_minute(trial.position) if done else "",
                )


def _minute(position: int) -> str:
    return f"2026-03-02T{8 + position // 60:02d}:{position % 60:02d}:00.000000Z"


def _reader(code: str, place: int, planned: int, done: int) -> ReaderRecord:
    return ReaderRecord(
        code,
        specialty=("Thoracic radiology", "Cardiac imaging", "Neuroradiology", "")[place % 4],
        experience_years=(12, 5, 21, None)[place % 4],
        display_check="passed",
        planned=planned,
        read=done,
        corrections=place % 2,
        started_at="2026-03-02T08:00:00.000000Z",
        finished_at="2026-03-02T10:00:00.000000Z",
    )


def _record(protocol: Protocol) -> StudyRecord:
    def digest(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    return StudyRecord(
        code="TEST-01",
        protocol_sha256=protocol.digest,
        seed_sha256=digest("seed"),
        plan_sha256=digest("plan"),
        key_sha256=digest("key"),
        created_at="2026-02-20T09:00:00.000000Z",
        frozen_at="2026-02-27T16:30:00.000000Z",
        opened_at="2026-03-01T07:00:00.000000Z",
        closed_at="2026-03-08T18:00:00.000000Z",
        app_version="0.1.0",
    )


def single(
    scores: Sequence[Sequence[int | None]], *, method: str = "M1", other: str = "M2"
) -> Dataset:
    """One criterion, each case x reader rated once for `method`; `other` always gets 3."""
    protocol = SMALL.with_(questions=SMALL.questions[:1])
    found = []
    for number, row in enumerate(scores):
        for place, value in enumerate(row):
            for side, (mask, given) in enumerate(((method, value), (other, 3))):
                found.append(
                    Observation(
                        f"R{place + 1:02d}", f"C{number + 1:03d}", f"P{number + 1:03d}", method,
                        other, "quality", side, given, "" if given is not None else CANNOT_JUDGE,
                        position=number, pair=f"R{place + 1:02d}-1-{number:03d}",
                    )
                )  # fmt: skip
                assert mask == (found[-1].left if side == LEFT else found[-1].right)
                assert side != PAIR
    readers = tuple(ReaderRecord(f"R{n + 1:02d}") for n in range(len(scores[0])))
    cases = tuple(CaseRecord(f"C{n + 1:03d}", f"P{n + 1:03d}") for n in range(len(scores)))
    methods = (MethodRecord(method), MethodRecord(other))
    return Dataset(_record(protocol), protocol, methods, readers, cases, tuple(found))
