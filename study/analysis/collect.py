"""Reads a study's store into a `Dataset`, with masks or, after unblinding, names of methods."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study.analysis.dataset import Dataset, Observation
from study.analysis.observations import (
    CurrentAnswers,
    ExclusionRules,
    PlanReader,
    ShownPair,
    pair_label,
    shown_pairs,
)
from study.analysis.records import (
    DO_NOT_KNOW,
    EXCLUDED,
    INCLUDED,
    NEVER_JOINED,
    NOT_QUALIFIED,
    WITHDRAWN,
    AttemptRecord,
    CaseRecord,
    CommentRecord,
    ExclusionRecord,
    GuessRecord,
    MethodRecord,
    ReaderChangeRecord,
    ReaderRecord,
    StudyRecord,
)
from study.analysis.screen_records import displays, events
from study.domain.errors import BlindingError, KeyFileError
from study.domain.protocol import Protocol
from study.domain.terms import MethodKind, Phase, Role, Status
from study.domain.without_gc import without_gc
from study.storage.exclusion_log import decisions, in_force, prespecified, unblinded_at
from study.storage.key import Key
from study.storage.models import (
    AuditEvent,
    BlindingGuess,
    Comment,
    Consent,
    DisplayCheck,
    Item,
    Method,
    Presentation,
    Reader,
    ReaderChange,
    ReadingSession,
    Stimulus,
    Study,
)
from study.storage.protocol_versions import history
from study.storage.qualification_results import Standing, qualifications
from study.storage.store import Store

_REPORTED = ("added", "replaces", "switched off", "switched on", "attempt")


@without_gc()
def collect(store: Store, key: Key | None = None) -> Dataset:
    """Read all data of a closed study, without readers who withdrew.

    Parameters
    ----------
    store : Store
    key : Key, optional
        Names of the methods, for a study that is unblinded.

    Raises
    ------
    BlindingError
        The study is not closed, or names are requested before it is unblinded.
    KeyFileError
        The key is of another study, or not the one it was frozen with.
    """
    with store.read() as session:
        study = session.get_one(Study, store.study_id)
        _check(study, key)
        readers = session.scalars(
            select(Reader).where(Reader.study_id == study.id).order_by(Reader.code)
        ).all()
        excluded = _exclusions(session, study)
        masks = _masks(session, study.id)
        protocol = store.protocol_in(session)
        attempts = qualifications(session, study.id, protocol)
        states = {one.id: _state(session, one, excluded, attempts.get(one.id)) for one in readers}
        taking_part = {one.id: one for one in readers if states[one.id] in (INCLUDED, EXCLUDED)}
        codes = {one.id: one.code for one in readers}
        changes = session.scalars(select(ReaderChange).order_by(ReaderChange.at)).all()
        after = {one.other_id: codes[one.reader_id] for one in changes if one.other_id}
        before = {one.reader_id: codes[one.other_id] for one in changes if one.other_id}
        record = _study(session, study)
        plan = PlanReader(session, study.id, protocol, masks, excluded, closed_at=record.closed_at)
        records, observations = [], list[Observation]()
        for one in readers:
            shown, replaced = shown_pairs(session, one.id), one.id in after
            answers = CurrentAnswers(session, one.id)
            found = _reader(session, one, states[one.id], shown, answers, replaced=replaced)
            others = before.get(one.id, ""), after.get(one.id, "")
            tried = _attempts(one, states[one.id], attempts.get(one.id))
            records.append(
                replace(found, replaces=others[0], replaced_by=others[1], attempts=tried)
            )
            if one.id in taking_part:
                observations += plan.observations(one, shown, answers, replaced=replaced)
        return Dataset(
            study=record,
            protocol=_masked(protocol, masks, session),
            methods=_methods(session, study.id, key),
            readers=tuple(records),
            cases=cases_of(session, study.id, key),
            observations=tuple(observations),
            guesses=_guesses(session, states, masks, protocol),
            exclusions=_records(session, study),
            comments=tuple(_comments(session, taking_part)),
            displays=tuple(displays(session, taking_part)),
            events=tuple(events(session, taking_part)),
            reader_changes=tuple(_changes(changes, codes)),
            versions=history(session, study),
        )


def _check(study: Study, key: Key | None) -> None:
    if study.status not in (Status.CLOSED, Status.UNBLINDED):
        raise BlindingError(
            f"The study {study.code} is {study.status}: results by method can be seen only after "
            "it is closed. Close it first: python -m study close."
        )
    if key is None:
        return
    if study.status != Status.UNBLINDED:
        raise BlindingError(
            f"The study {study.code} is closed but not unblinded: results are by code (M1, M2, "
            "...). To see names, unblind it: python -m study unblind."
        )
    if key.study_id != study.id or key.digest != study.key_sha256:
        raise KeyFileError(
            f"The key file {key.path} is not the one that {study.code} was frozen with; "
            "give that one."
        )


def _exclusions(session: Session, study: Study) -> ExclusionRules:
    rules: dict[str, dict[str, str]] = {"reader": {}, "item": {}}
    for one in in_force(decisions(session, study.id)).values():
        rules[one.target_kind][one.target_id] = one.rule_code
    return ExclusionRules(rules["reader"], rules["item"])


def _state(
    session: Session, reader: Reader, excluded: ExclusionRules, qualification: Standing | None
) -> str:
    actions = set(session.scalars(select(Consent.action).where(Consent.reader_id == reader.id)))
    if "withdrawn" in actions:
        return WITHDRAWN
    if "accepted" not in actions:
        return NEVER_JOINED
    if qualification is not None and not qualification.passed:
        return NOT_QUALIFIED
    return EXCLUDED if reader.id in excluded.readers else INCLUDED


def _attempts(
    reader: Reader, state: str, qualification: Standing | None
) -> tuple[AttemptRecord, ...]:
    """The attempts of a reader at the qualification; none of a withdrawn one."""
    if qualification is None or state == WITHDRAWN:
        return ()
    return tuple(
        AttemptRecord(reader.code, number, one.correct, one.asked, one.passed, one.at)
        for number, one in enumerate(qualification.results, 1)
    )


def _masks(session: Session, study_id: str) -> dict[str, str]:
    found = session.execute(select(Method.id, Method.mask).where(Method.study_id == study_id))
    return {identifier: mask or "" for identifier, mask in found}


def _masked(protocol: Protocol, masks: Mapping[str, str], session: Session) -> Protocol:
    """The protocol with masks and labels in place of the identifiers of methods and cases."""
    labels = dict(session.execute(select(Item.id, Item.case_key)).all())
    return replace(
        protocol,
        qualification=tuple(
            replace(one, case=labels[one.case], method=masks.get(one.method, ""))
            for one in protocol.qualification
        ),
        control=masks.get(protocol.control, ""),
        primary_pair=tuple(masks.get(name, "") for name in protocol.primary_pair),
        pairs=tuple((masks.get(a, ""), masks.get(b, "")) for a, b in protocol.pairs),
    )


def _methods(session: Session, study_id: str, key: Key | None) -> tuple[MethodRecord, ...]:
    found = []
    compared = (Method.study_id == study_id, Method.kind != MethodKind.ORIGINAL)
    for method in session.scalars(select(Method).where(*compared)):
        record = MethodRecord(method.mask or "", MethodKind(method.kind))
        if key is not None:
            known = key.methods[method.id]
            record = replace(
                record, name=known.name, group=known.group, parameters=known.parameters
            )
        found.append(record)
    return tuple(sorted(found, key=lambda one: (len(one.mask), one.mask)))


def cases_of(session: Session, study_id: str, key: Key | None) -> tuple[CaseRecord, ...]:
    """The cases of a study; with the key, the truth of each."""
    found = session.scalars(select(Item).where(Item.study_id == study_id).order_by(Item.case_key))
    stacks = dict(
        session.execute(
            select(Stimulus.item_id, func.max(Stimulus.slices)).group_by(Stimulus.item_id)
        ).all()
    )
    return tuple(
        CaseRecord(
            one.case_key,
            one.patient_key,
            one.modality,
            one.training,
            "" if key is None else key.cases[one.id].truth,
            stacks.get(one.id) or 1,
        )
        for one in found
    )


def _study(session: Session, study: Study) -> StudyRecord:
    statuses = [status.value for status in Status]
    rows = session.execute(
        select(AuditEvent.action, func.min(AuditEvent.server_at))
        .where(AuditEvent.study_id == study.id, AuditEvent.action.in_(statuses))
        .group_by(AuditEvent.action)
    )
    times = dict(rows.all())
    return StudyRecord(
        code=study.code,
        status=study.status,
        protocol_sha256=study.protocol_sha256,
        seed_sha256=study.seed_sha256,
        plan_sha256=study.plan_sha256 or "",
        key_sha256=study.key_sha256 or "",
        created_at=study.created_at,
        frozen_at=study.frozen_at or "",
        opened_at=times.get(Status.OPEN, ""),
        closed_at=times.get(Status.CLOSED, ""),
        unblinded_at=times.get(Status.UNBLINDED, ""),
        app_version=study.app_version,
    )


def _changes(
    changes: Sequence[ReaderChange], codes: Mapping[str, str]
) -> Iterator[ReaderChangeRecord]:
    for one in changes:
        if one.kind in _REPORTED:
            other = f" {codes[one.other_id]}" if one.other_id else ""
            word = "another attempt at the qualification" if one.kind == "attempt" else one.kind
            yield ReaderChangeRecord(
                codes[one.reader_id], f"{word}{other}", one.text, one.decided_by, one.at
            )


def _reader(
    session: Session,
    reader: Reader,
    state: str,
    shown: Sequence[ShownPair],
    answers: CurrentAnswers,
    *,
    replaced: bool,
) -> ReaderRecord:
    record = ReaderRecord(reader.code, state, simulated=reader.simulated)
    if state in (WITHDRAWN, NEVER_JOINED):
        return record
    mains = [one.id for one in shown if one.role == Role.MAIN]
    read = sum(one in answers.current for one in mains)
    sittings = session.scalars(
        select(ReadingSession).where(ReadingSession.reader_id == reader.id)
    ).all()
    checks = [
        one.passed
        for one in session.scalars(select(DisplayCheck).where(DisplayCheck.reader_id == reader.id))
        if DisplayCheck.SKIPPED not in json.loads(one.detail_json)
    ]
    return replace(
        record,
        specialty=reader.specialty or "",
        experience_years=reader.experience_years,
        display_check="passed" if any(checks) else "failed" if checks else "not done",
        planned=read if replaced else len(mains),
        read=read,
        corrections=sum(
            one.id in answers.corrected and one.phase != Phase.QUALIFICATION for one in shown
        ),
        started_at=min((one.started_at for one in sittings if one.started_at), default=""),
        finished_at=max((one.finished_at for one in sittings if one.finished_at), default=""),
    )


def _guesses(
    session: Session, states: Mapping[str, str], masks: Mapping[str, str], protocol: Protocol
) -> tuple[GuessRecord, ...]:
    groups = protocol.blinding_groups
    rows = session.execute(
        select(Reader.id, Reader.code, Stimulus.method_id, BlindingGuess.guess)
        .join(Reader, Reader.id == BlindingGuess.reader_id)
        .join(Stimulus, Stimulus.id == BlindingGuess.stimulus_id)
    )
    found = [
        GuessRecord(code, masks[method], groups[int(guess)] if guess.isdecimal() else DO_NOT_KNOW)
        for reader_id, code, method, guess in rows
        if states[reader_id] == INCLUDED
    ]
    return tuple(sorted(found, key=lambda one: (one.reader, one.method, one.guess)))


def _records(session: Session, study: Study) -> tuple[ExclusionRecord, ...]:
    readers = session.execute(select(Reader.id, Reader.code))
    cases = session.execute(select(Item.id, Item.case_key))
    names = {identifier: code for rows in (readers, cases) for identifier, code in rows}
    unblinded = unblinded_at(session, study.id)
    return tuple(
        ExclusionRecord(
            "reader" if one.target_kind == "reader" else "case",
            names[one.target_id],
            one.rule_code,
            prespecified(one, unblinded),
            one.reason,
            one.decided_by,
            one.decided_at,
        )
        for one in decisions(session, study.id)
    )


def _comments(session: Session, readers: Mapping[str, Reader]) -> Iterator[CommentRecord]:
    rows = session.execute(
        select(Comment, Presentation.position, ReadingSession.number)
        .join(Presentation, Presentation.id == Comment.presentation_id)
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .where(Comment.reader_id.in_(list(readers)), ReadingSession.phase != Phase.QUALIFICATION)
        .order_by(Comment.at)
    )
    for comment, position, number in rows:
        code = readers[comment.reader_id].code
        yield CommentRecord(code, pair_label(code, number, position), comment.text, comment.at)
