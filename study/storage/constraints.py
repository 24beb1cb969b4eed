"""Constraints of the database of a study, as data.

Each says when a row is refused, in SQL for both SQLite and PostgreSQL; `NEW` and `OLD` are the row
after and before. `study.storage.triggers` makes triggers of them. Existing studies are compared
with these texts: a change needs a migration (`study.storage.migrations`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Table, UniqueConstraint

from study.domain.questions import CANNOT_JUDGE
from study.storage.models import Base

APPEND_ONLY = (
    "rating_event", "audit_event", "consent", "display_check", "comment", "blinding_guess",
    "interaction_event", "exclusion", "analysis_run", "schema_version", "reader_change",
    "image_event", "row_event", "qualification_result", "protocol_version",
)  # fmt: skip
"""Tables whose rows are never changed or deleted."""
_READER = "SELECT study_id FROM reader WHERE id ="
_SESSION = "SELECT reader_id FROM reading_session WHERE id ="
_STUDY_OF = {
    "question": "{row}.study_id",
    "method": "{row}.study_id",
    "item": "{row}.study_id",
    "stimulus": "(SELECT study_id FROM item WHERE id = {row}.item_id)",
    "presentation": f"({_READER} ({_SESSION} {{row}}.session_id))",
    "presentation_slot": (
        f"({_READER} ({_SESSION} (SELECT session_id FROM presentation "
        "WHERE id = {row}.presentation_id)))"
    ),
    "reader": "{row}.study_id",
    "reading_session": f"({_READER} {{row}}.reader_id)",
}
"""SQL for the study of a row, by table of the plan."""
_MUTABLE = {
    "reader": (
        "code", "secret_hash", "invite_hash", "generation", "specialty", "experience_years",
        "profile_json", "active", "simulated",
    ),
    "reading_session": ("not_before", "started_at", "finished_at"),
}  # fmt: skip
"""Columns of plan tables that may change after the freeze."""
_LATE = {
    "reading_session": "NEW.reader_id",
    "presentation": f"({_SESSION} NEW.session_id)",
    "presentation_slot": (
        f"({_SESSION} (SELECT session_id FROM presentation WHERE id = NEW.presentation_id))"
    ),
}
"""SQL for the reader of a new row of a plan."""
_BEGUN, _EXTENDED, _FIXED = "('added', 'replaces')", "('extended')", "('planned')"
"""Kinds of `reader_change`: a plan of a new reader begins, a session is added to one, it ends."""
_OPEN = "'frozen', 'open'"
_STUDY_CHANGES = ("status",)
_IS_AMENDED = (
    "(SELECT COUNT(*) FROM question q) < COALESCE((SELECT MAX(v.questions) "
    "FROM protocol_version v WHERE v.study_id = NEW.study_id), 0)"
)
"""Whether a question that an amended protocol adds is being written."""
_QUESTION = "FROM question q WHERE q.id = NEW.question_id"
_NO_SCALE = f"(SELECT q.minimum = q.maximum {_QUESTION})"
"""Whether answers are JSON objects (`study.domain.question_kinds`)."""


@dataclass(frozen=True)
class Constraint:
    """A condition under which a row is refused.

    Parameters
    ----------
    table : str
    event : str
        "INSERT", "UPDATE" or "DELETE".
    when : str
        SQL condition under which it is refused.
    message : str
        Why, after the name of the table.
    """

    table: str
    event: str
    when: str
    message: str


def constraints() -> tuple[Constraint, ...]:
    """All constraints, in the order of their evaluation."""
    return (
        *_kept_rows(),
        *_frozen_plan(),
        *_life_of_study(),
        *_ratings(),
        *_chained(),
        *_readers(),
        *_not_replaced(),
        *_qualification(),
        *_versions(),
    )


def _kept_rows() -> list[Constraint]:
    message = "its rows are never changed or deleted"
    return [
        Constraint(name, event, "TRUE", message)
        for name in APPEND_ONLY
        for event in ("UPDATE", "DELETE")
    ]


def _not_replaced() -> list[Constraint]:
    # INSERT OR REPLACE of SQLite would delete a row without any trigger for it.
    message = "this row exists already"
    return [Constraint(name, "INSERT", _exists_already(name), message) for name in APPEND_ONLY]


def _exists_already(name: str) -> str:
    table = Base.metadata.tables[name]
    keys = [tuple(table.primary_key.columns.keys()), *_unique_keys(table)]
    match = [" AND ".join(f"x.{column} = NEW.{column}" for column in key) for key in keys]
    return f"EXISTS (SELECT 1 FROM {name} x WHERE {' OR '.join(f'({one})' for one in match)})"


def _unique_keys(table: Table) -> list[tuple[str, ...]]:
    constraints = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    return sorted(tuple(one.columns.keys()) for one in constraints)


def _frozen_plan() -> list[Constraint]:
    found = []
    for name, study in _STUDY_OF.items():
        old, new = (_is_frozen(study.format(row=row)) for row in ("OLD", "NEW"))
        message = "it is part of the plan, which is fixed when the study is frozen"
        added = new
        if name in _LATE:
            added = f"{new} AND NOT ({_is_planning(_LATE[name])})"
        elif name == "question":
            added = f"{new} AND NOT ({_IS_AMENDED})"
        elif name == "reader":
            added = _status_not_in(study.format(row="NEW"), "'draft', 'frozen', 'open'")
        found += [
            Constraint(name, "INSERT", added, message),
            Constraint(name, "DELETE", old, message),
        ]
        changed = _changed(name, _MUTABLE.get(name, ()))
        found.append(Constraint(name, "UPDATE", f"({old} OR {new}) AND ({changed})", message))
    return found


def _is_frozen(study: str) -> str:
    return f"COALESCE((SELECT status FROM study WHERE id = {study}), 'none') <> 'draft'"


def _status_not_in(study: str, statuses: str) -> str:
    return f"COALESCE((SELECT status FROM study WHERE id = {study}), 'none') NOT IN ({statuses})"


def _has_change(reader: str, kinds: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM reader_change c WHERE c.reader_id = {reader} AND c.kind IN {kinds})"
    )


def _is_planning(reader: str) -> str:
    """Whether a plan, or a session that is added to one, is being written after the freeze."""

    def changes(kinds: str) -> str:
        return (
            f"(SELECT COUNT(*) FROM reader_change c WHERE c.reader_id = {reader} "
            f"AND c.kind IN {kinds})"
        )

    begun = f"{changes(_BEGUN)} + {changes(_EXTENDED)}"
    return f"{begun} > {changes(_FIXED)}"


def _changed(name: str, but: tuple[str, ...]) -> str:
    columns = [one.name for one in Base.metadata.tables[name].c if one.name not in but]
    return " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in columns)


def _life_of_study() -> list[Constraint]:
    rank = (
        "CASE {row}.status WHEN 'draft' THEN 0 WHEN 'frozen' THEN 1 WHEN 'open' THEN 2 "
        "WHEN 'closed' THEN 3 ELSE 4 END"
    )
    step = f"({rank.format(row='NEW')}) - ({rank.format(row='OLD')})"
    fixed = _changed("study", _STUDY_CHANGES)
    return [
        Constraint("study", "INSERT", "NEW.status <> 'draft'", "a study begins as a draft"),
        Constraint("study", "INSERT", "EXISTS (SELECT 1 FROM study)", "a database holds one study"),
        Constraint("study", "DELETE", "TRUE", "a study is never deleted"),
        Constraint("study", "UPDATE", f"{step} NOT IN (0, 1)", "its status goes on step by step"),
        Constraint(
            "study", "UPDATE", f"OLD.status <> 'draft' AND ({fixed})",
            "protocol, seed and plan are fixed when the study is frozen",
        ),
    ]  # fmt: skip


def _ratings() -> list[Constraint]:
    place = (
        "presentation p JOIN reading_session r ON r.id = p.session_id "
        "JOIN reader d ON d.id = r.reader_id JOIN study s ON s.id = d.study_id"
    )
    of_event = f"FROM {place} WHERE p.id = NEW.presentation_id"
    consent = (
        "EXISTS (SELECT 1 FROM consent c WHERE c.reader_id = NEW.actor_id AND c.action = '{}')"
    )
    # Not as text: SQLite compares any text as greater than any number.
    refused = [
        (f"COALESCE((SELECT s.status {of_event}), '') <> 'open'", "the study is not open"),
        (
            f"NOT EXISTS (SELECT 1 {of_event} AND d.id = NEW.actor_id AND d.active)",
            "this pair is not the reader's",
        ),
        (
            f"NOT {consent.format('accepted')} OR {consent.format('withdrawn')}",
            "consent is missing or was withdrawn",
        ),
        (
            f"NOT EXISTS (SELECT 1 FROM question q JOIN study s ON s.id = q.study_id "
            f"WHERE q.id = NEW.question_id AND s.id = (SELECT d.study_id {of_event}))",
            "the question is not of this study",
        ),
        (
            f"(NEW.slot = 2) <> ((SELECT q.kind {_QUESTION}) = 'preference')",
            "the slot does not fit the question",
        ),
        (
            f"NEW.value_num IS NOT NULL AND (NEW.value_num < (SELECT q.minimum {_QUESTION}) "
            f"OR NEW.value_num > (SELECT q.maximum {_QUESTION}))",
            "the value is outside the scale",
        ),
        ("NEW.value_num <> CAST(NEW.value_num AS INTEGER)", "the value is not a whole number"),
        (
            f"NEW.value_text IS NOT NULL AND NOT (NEW.value_text = '{CANNOT_JUDGE}' "
            f"AND (SELECT q.cannot_judge {_QUESTION})) "
            f"AND NOT (SUBSTR(NEW.value_text, 1, 1) = '{{' AND {_NO_SCALE})",
            "the question wants a point of the scale",
        ),
        (f"NEW.value_num IS NOT NULL AND {_NO_SCALE}", "the question has no scale"),
        (
            "NEW.revision <> 1 + (SELECT COALESCE(MAX(e.revision), 0) FROM rating_event e "
            "WHERE e.presentation_id = NEW.presentation_id AND e.question_id = NEW.question_id "
            "AND e.slot = NEW.slot)",
            "a correction is the next revision",
        ),
    ]
    return [Constraint("rating_event", "INSERT", when, message) for when, message in refused]


def _qualification() -> list[Constraint]:
    """Only who has qualified reads the study, where its plan has a qualification."""
    own = "SELECT 1 FROM reading_session z WHERE z.reader_id = NEW.actor_id"
    phase = (
        "SELECT r.phase FROM presentation p JOIN reading_session r ON r.id = p.session_id "
        "WHERE p.id = NEW.presentation_id"
    )
    passed = (
        "SELECT 1 FROM reading_session z JOIN qualification_result k ON k.session_id = z.id "
        "WHERE z.reader_id = NEW.actor_id AND k.passed"
    )
    of_session = "SELECT z.phase FROM reading_session z WHERE z.id = NEW.session_id"
    return [
        Constraint(
            "rating_event", "INSERT",
            f"({phase}) IN ('main', 'repeat') "
            f"AND EXISTS ({own} AND z.phase = 'qualification') AND NOT EXISTS ({passed})",
            "the reader has not qualified",
        ),
        Constraint(
            "qualification_result", "INSERT", f"({of_session}) <> 'qualification'",
            "the session is no attempt at the qualification",
        ),
    ]  # fmt: skip


def _versions() -> list[Constraint]:
    """Amended protocols, and the version that each rating was given under."""
    number = "(SELECT COUNT(*) FROM protocol_version v)"
    return [
        Constraint(
            "protocol_version", "INSERT", _status_not_in("NEW.study_id", _OPEN),
            "a protocol is amended while the study is frozen or open",
        ),
        Constraint(
            "protocol_version", "INSERT", f"NEW.number <> 2 + {number}",
            "versions are numbered without a gap",
        ),
        Constraint(
            "rating_event", "INSERT",
            f"NEW.protocol_version IS DISTINCT FROM 1 + {number}",
            "a rating is given under the present version of the protocol",
        ),
    ]  # fmt: skip


def _chained() -> list[Constraint]:
    found = []
    for name in ("rating_event", "audit_event", "row_event"):
        last = f"FROM {name} x ORDER BY x.seq DESC LIMIT 1"
        found += [
            Constraint(
                name, "INSERT", f"NEW.seq <> 1 + COALESCE((SELECT x.seq {last}), 0)",
                "rows are numbered without a gap",
            ),
            Constraint(
                name, "INSERT",
                f"NEW.prev_hash <> COALESCE((SELECT x.row_hash {last}), '{'0' * 64}')",
                "a row continues the chain",
            ),
        ]  # fmt: skip
    return found


def _readers() -> list[Constraint]:
    return [
        Constraint(
            "consent", "INSERT",
            "NEW.action = 'accepted' AND EXISTS (SELECT 1 FROM consent c "
            "WHERE c.reader_id = NEW.reader_id AND c.action = 'withdrawn')",
            "a withdrawal is final",
        ),
        Constraint(
            "comment", "INSERT",
            f"NOT EXISTS (SELECT 1 FROM presentation p WHERE p.id = NEW.presentation_id "
            f"AND ({_SESSION} p.session_id) = NEW.reader_id)",
            "this pair is not the reader's",
        ),
        Constraint(
            "reader", "UPDATE", "OLD.simulated AND NOT NEW.simulated",
            "a simulated reader stays one",
        ),
        Constraint(
            "reader", "UPDATE",
            "NEW.code IS DISTINCT FROM OLD.code AND EXISTS (SELECT 1 FROM consent c "
            "WHERE c.reader_id = OLD.id)",
            "a code is fixed once the reader has joined",
        ),
        Constraint(
            "reader", "UPDATE",
            "NEW.active AND NOT OLD.active AND EXISTS (SELECT 1 FROM reader_change c "
            "WHERE c.other_id = OLD.id)",
            "a replaced reader stays switched off",
        ),
        *_late_plans(),
    ]  # fmt: skip


def _late_plans() -> list[Constraint]:
    """Who joins after the freeze gets one plan, which is then fixed like the others."""
    reader = "NEW.reader_id"
    begins, fixes = f"NEW.kind IN {_BEGUN}", f"NEW.kind IN {_FIXED}"
    study = f"({_READER} {reader})"
    refused = [
        (
            f"{begins} AND ({_status_not_in(study, _OPEN)} "
            f"OR EXISTS (SELECT 1 FROM reading_session r WHERE r.reader_id = {reader}) "
            f"OR {_has_change(reader, _BEGUN)})",
            "a plan is made for a new reader, while the study is frozen or open",
        ),
        (
            f"NEW.kind IN {_EXTENDED} AND ({_status_not_in(study, _OPEN)} "
            f"OR NOT EXISTS (SELECT 1 FROM reading_session r WHERE r.reader_id = {reader}) "
            f"OR {_is_planning(reader)})",
            "a session is added to a plan that is fixed, while the study is frozen or open",
        ),
        (
            f"{fixes} AND NOT ({_is_planning(reader)})",
            "there is no plan to be fixed",
        ),
        (
            "(NEW.kind = 'replaces') <> (NEW.other_id IS NOT NULL) "
            f"OR NEW.other_id = {reader} "
            "OR EXISTS (SELECT 1 FROM reader_change c WHERE c.other_id = NEW.other_id)",
            "a reader is replaced once, by another one",
        ),
    ]
    return [Constraint("reader_change", "INSERT", when, message) for when, message in refused]
