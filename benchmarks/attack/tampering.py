"""Changes of a study's files by somebody who can write them, to be found by ``verify``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.attack.attack import Attack, NotTried, Outcome, outcome
from benchmarks.attack.copies import StudyCopy, again
from study.domain.terms import Status
from study.storage.hash_chain import TABLES
from study.storage.integrity import verify
from study.storage.integrity_report import IntegrityReport
from study.storage.models import (
    AnalysisRun,
    Base,
    DisplayCheck,
    Exclusion,
    ImageEvent,
    InteractionEvent,
    Presentation,
    RatingEvent,
    Reader,
    ReaderChange,
    Stimulus,
)
from study.storage.store import Store
from tests.support.tampering import new_chain, new_mirror, tamper

_EXCHANGE = (
    "CREATE TEMP TABLE other AS SELECT presentation_id, slot, stimulus_id FROM presentation_slot",
    "UPDATE presentation_slot SET stimulus_id = (SELECT o.stimulus_id FROM other o "
    "WHERE o.presentation_id = presentation_slot.presentation_id "
    "AND o.slot = 1 - presentation_slot.slot)",
    "DROP TABLE other",
)
_PERMUTE = (
    "UPDATE method SET mask = 'x' WHERE mask = 'M1'",
    "UPDATE method SET mask = 'M1' WHERE mask = 'M2'",
    "UPDATE method SET mask = 'M2' WHERE mask = 'x'",
)
_OF = "(SELECT id FROM method WHERE mask = '{}')"
_METHODS = (
    f"UPDATE stimulus SET method_id = 'x' WHERE method_id = {_OF.format('M1')}",
    f"UPDATE stimulus SET method_id = {_OF.format('M1')} WHERE method_id = {_OF.format('M2')}",
    f"UPDATE stimulus SET method_id = {_OF.format('M2')} WHERE method_id = 'x'",
)
_METHODS_POSTGRESQL = (
    "ALTER TABLE stimulus DROP CONSTRAINT fk_stimulus_method_id",
    *_METHODS,
    "ALTER TABLE stimulus ADD CONSTRAINT fk_stimulus_method_id FOREIGN KEY (method_id) "
    "REFERENCES method (id)",
)
"""There, foreign keys are tested whatever a program asks for."""
CHANGES: Mapping[str, Sequence[str]] = {
    "presentation_slot": _EXCHANGE,
    "presentation": ("UPDATE presentation SET role = 'dummy' WHERE role = 'main'",),
    "stimulus": _METHODS,
    "method": _PERMUTE,
    "item": ("UPDATE item SET patient_key = 'P001'",),
    "item of another window": ("UPDATE item SET window_json = '{\"window\":[0,1]}'",),
    "question": ("UPDATE question SET maximum = 7 WHERE kind = 'likert'",),
    "study": ("UPDATE study SET frozen_at = created_at",),
    "consent": ("DELETE FROM consent WHERE reader_id = (SELECT MAX(reader_id) FROM consent)",),
    "comment": ("UPDATE comment SET text = 'fine'",),
    "display_check": ("UPDATE display_check SET passed = NOT passed",),
    "reader": ("UPDATE reader SET specialty = 'Chief radiologist', experience_years = 40",),
    "reading_session": ("UPDATE reading_session SET started_at = '2020-01-01T00:00:00.000000Z'",),
    "blinding_guess": ("UPDATE blinding_guess SET guess = guess || '1'",),
    "interaction_event": ("DELETE FROM interaction_event",),
    "exclusion": ("DELETE FROM exclusion",),
    "reader_change": ("UPDATE reader_change SET decided_by = 'nobody'",),
    "image_event": ("UPDATE image_event SET kind = 'lost'",),
    "analysis_run": ("UPDATE analysis_run SET result_json = '{}'",),
}
"""Statements by the table that they change, which is the first word."""
RATING = (
    "UPDATE rating_event SET value_num = 6 - value_num WHERE slot < 2 AND value_num IS NOT NULL",
)


def fill(store: Store) -> None:
    """Give an open study a row in every table that an analysis reads, as far as it has a plan."""
    with store.write() as session:
        reader = session.scalars(select(Reader).order_by(Reader.code)).first()
        shown = session.scalars(select(Presentation.id)).first()
        stimulus = session.scalars(select(Stimulus.id)).first()
        if reader is None or shown is None or stimulus is None:
            raise NotTried("the study has no plan")
        session.add_all([
            DisplayCheck(reader_id=reader.id, passed=False, detail_json='{"skipped": true}'),
            InteractionEvent(presentation_id=shown, kind="zoom", payload="", at_ms=1),
            ImageEvent(stimulus_id=stimulus, kind="restored", noticed_by="anna"),
            ReaderChange(reader_id=reader.id, kind="note", text="late", decided_by="anna"),
            AnalysisRun(study_id=store.study_id, kind="x", data_sha256="x", protocol_sha256="x",
                        code_version="x", libraries_json="{}", seed=0, unblinded=False,
                        result_json='{"mean": 3}'),
            Exclusion(study_id=store.study_id, target_kind="reader", target_id=reader.id,
                      rule_code="late", prespecified=False, reason="late", decided_by="anna"),
        ])  # fmt: skip


def verdict(copy: StudyCopy) -> IntegrityReport:
    """What the command ``verify`` finds."""
    with copy.opened(read_only=True) as store:
        return verify(store)


def _first_problem(found: IntegrityReport) -> str:
    return found.problems[0].partition(":")[0][:60] if found.problems else "nothing found"


def changed(name: str, copy: StudyCopy) -> Outcome:
    """Rows of a table are changed past the program."""
    table = Base.metadata.tables[name.partition(" ")[0]]
    with again(copy, _place(copy)) as taken:
        with taken.opened() as store:
            if store.status() is Status.OPEN:
                fill(store)
            with store.read() as session:
                if not session.scalar(select(func.count()).select_from(table)):
                    raise NotTried("the study has no such rows")
            postgresql = store.engine.dialect.name == "postgresql"
            exchanged = postgresql and name == "stimulus"
            tamper(store, *(_METHODS_POSTGRESQL if exchanged else CHANGES[name]))
        found = verdict(taken)
    return outcome(not found.ok, _first_problem(found))


def hidden(cover: Callable[[Store], None], copy: StudyCopy) -> Outcome:
    """A rating is changed, the chain computed again, and the mirror removed or cut."""
    with again(copy, _place(copy)) as taken:
        with taken.opened() as store:
            _need_ratings(store)
            tamper(store, *RATING)
            new_chain(store)
            cover(store)
        found = verdict(taken)
    return outcome(not found.ok, _first_problem(found))


def _need_ratings(store: Store) -> None:
    with store.read() as session:
        if not session.scalar(select(func.count()).select_from(RatingEvent)):
            raise NotTried("the study has no ratings")


def _remove(store: Store) -> None:
    store.mirror.unlink()


def _cut(store: Store) -> None:
    lines = store.mirror.read_bytes().splitlines(keepends=True)
    store.mirror.write_bytes(b"".join(lines[: len(lines) // 2]))


def rewritten(copy: StudyCopy) -> Outcome:
    """Everything is computed again, the mirror too: a head that was kept elsewhere shows it."""
    with again(copy, _place(copy)) as taken:
        with taken.opened() as store:
            _need_ratings(store)
            head = store.chain_head()
            tamper(store, *RATING)
            new_chain(store, *TABLES)
            new_mirror(store)
        with taken.opened(read_only=True) as store:
            found = verify(store, head=head)
    return outcome(not found.ok, _first_problem(found))


def writes(copy: StudyCopy) -> Outcome:
    """``verify`` of a study whose mirror is too short leaves every file as it is."""
    with again(copy, _place(copy)) as taken:
        with taken.opened() as store:
            pass
        _cut(store)
        before = _digest(taken.folder)
        found = verdict(taken)
        same = _digest(taken.folder) == before
    return outcome(same and not found.ok, "nothing written" if same else "files were changed")


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def _place(copy: StudyCopy) -> Path:
    return copy.folder.with_name("tampered")


def behind(copy: StudyCopy) -> Outcome:
    """The database loses what the mirror has: it is not served, and the mirror brings it back."""
    from study.domain.errors import LogConflict
    from study.storage.restore_rows import restore_rows

    with again(copy, _place(copy)) as taken:
        with taken.opened() as store:
            _need_ratings(store)
            last = "(SELECT MAX(seq) FROM rating_event)"
            tamper(store, f"DELETE FROM rating_event WHERE seq = {last}")
            mirror = store.mirror
        with taken.opened() as store:
            try:
                store.require_no_conflict()
                return outcome(False, "served without the lost rating")
            except LogConflict:
                pass
        restore_rows(taken.folder, mirror, url=taken.url, actor="attack")
        found = verdict(taken)
    return outcome(found.ok, "refused, then restored" if found.ok else _first_problem(found))


def alone(copy: StudyCopy) -> Outcome:
    """One administrator makes or renews the account that confirms the unblinding."""
    from study.accounts.staff import StaffRole, add, renew
    from study.accounts.two_persons import require_two_persons
    from study.domain.errors import BlindingError

    passed = []
    with again(copy, _place(copy)) as taken, taken.opened() as store:
        if store.status() is Status.DRAFT:
            raise NotTried("the study is a draft")
        for name, by in (("attack-a", "root"), ("attack-b", "root"), ("attack-c", "attack-a")):
            add(store, name, StaffRole.ADMIN, actor=by)
        renew(store, "attack-b", actor="attack-a")
        for first, second in (
            ("attack-a", "attack-b"), ("attack-b", "attack-a"), ("attack-a", "attack-c"),
            ("attack-a", "attack-a"),
        ):  # fmt: skip
            try:
                require_two_persons(store, first, second)
            except BlindingError:
                continue
            passed.append(f"{first} with {second}")
    return outcome(not passed, f"{len(passed)} of 4 admitted")


FILES: tuple[Attack[StudyCopy], ...] = (
    *(
        Attack(f"rows of {name} changed", "verify finds it", partial(changed, name))
        for name in CHANGES
    ),
    Attack("ratings changed, chain new, mirror removed", "verify finds it",
           partial(hidden, _remove)),
    Attack("ratings changed, chain new, mirror cut", "verify finds it", partial(hidden, _cut)),
    Attack("all chains and the mirror new", "a kept head shows it", rewritten),
    Attack("verify of a study with a short mirror", "writes nothing", writes),
    Attack("the last rating is only in the mirror", "refused, then restored", behind),
    Attack("one administrator unblinds alone", "refused", alone),
)  # fmt: skip
