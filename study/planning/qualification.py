"""The qualification of a draft, from a table of known answers, and further attempts of readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study.domain.composed import composed
from study.domain.errors import KeyFileError, ProtocolError, StudyError
from study.domain.formatting import percent, plural
from study.domain.protocol import Protocol
from study.domain.qualification import KnownAnswer, of_cases, presentations
from study.domain.questions import Question
from study.domain.terms import Phase, Status
from study.planning.readiness import reloaded_key
from study.reading.next_pair import upcoming
from study.reading.qualification import allowed_attempts, is_barred
from study.stats.table_file import read_table
from study.storage.hash_chain import audit
from study.storage.key import Key
from study.storage.models import Item, ReadingSession
from study.storage.reader_rows import add_change, existing_reader, has_withdrawn, is_replaced
from study.storage.store import Store

TRUTH = "truth"
"""In place of a number: the right answer follows from the truth of the case."""


@dataclass(frozen=True)
class AnswerRow:
    """A line of a table of known answers, with the names that the coordinator uses."""

    line: int
    case: str
    question: str
    low: str
    high: str = ""
    method: str = ""


def read_answers(path: Path) -> tuple[AnswerRow, ...]:
    """Read a table of known answers, with the columns ``case,method,question,low,high``.

    ``low`` and ``high`` are the least and the largest right answer; without ``high``, ``low`` is
    the only right one. The word truth as ``low`` stands for the truth of the case. Without a
    method the answer holds for every image of the case that is shown; for a preference it names
    the image that is to be preferred, and needs no numbers.

    Raises
    ------
    ProtocolError
        A column or a cell is missing, or the file cannot be read.
    """
    rows = []
    table = read_table(
        path, likely=("high", "method"), required=("case", "question"), error=ProtocolError
    )
    for line, cells in table.mappings():
        for name in ("case", "question"):
            if not cells[name]:
                raise ProtocolError(f"{path.name}, line {line}: {name} is empty.")
        low, high, method = (cells.get(name, "") for name in ("low", "high", "method"))
        rows.append(AnswerRow(line, cells["case"], cells["question"], low, high, method))
    if not rows:
        raise ProtocolError(f"{path.name} lists no answer; give one line for each.")
    return tuple(rows)


def declare(
    store: Store,
    key: Key,
    rows: tuple[AnswerRow, ...] | None,
    *,
    pass_mark: float | None = None,
    attempts: int | None = None,
    actor: str,
) -> Protocol:
    """Set the qualification of a draft; an empty table removes it.

    Parameters
    ----------
    store : Store
        A draft whose images are built.
    key : Key
        Of the study: it knows the names of cases and methods, and the truths.
    rows : tuple of AnswerRow, optional
        Without them, the known answers stay.
    pass_mark : float, optional
        Share of right answers that qualifies; without it, it stays.
    attempts : int, optional
        Without it, it stays.
    actor : str
        For the audit log.

    Raises
    ------
    KeyFileError
        The key is not that of the study.
    ProtocolError
        A line names an unknown case, method or question, or an answer that nobody could give.
    StudyError
        The study is not a draft.
    """
    key = reloaded_key(store, key)
    with store.write() as session:
        if store.status_in(session) is not Status.DRAFT:
            raise StudyError("The qualification was fixed at the freeze and cannot be changed.")
        protocol = store.protocol_in(session)
        training = dict(session.execute(select(Item.id, Item.training)).all())
        known = protocol.qualification
        if rows is not None:
            known = tuple(_known(row, protocol, key, training) for row in rows)
        chosen = protocol.with_(
            qualification=known,
            pass_mark=protocol.pass_mark if pass_mark is None else pass_mark,
            attempts=protocol.attempts if attempts is None else attempts,
        )
        store.set_protocol(session, chosen, actor)
    return chosen


def described(protocol: Protocol) -> str:
    """The qualification in a sentence, without what the answers are."""
    if not protocol.qualification:
        return "There is no qualification."
    shown = presentations(protocol.qualification, single=protocol.single)
    cases = len(of_cases(protocol.qualification))
    noun = "image" if protocol.single else "ranking" if protocol.ranking else "pair"
    return (
        f"Before the study each reader answers {plural(shown, noun)} of {plural(cases, 'case')} "
        f"with known answers: {percent(protocol.pass_mark)} right qualify, in at most "
        f"{plural(protocol.attempts, 'attempt')}."
    )


def _known(
    row: AnswerRow, protocol: Protocol, key: Key, training: Mapping[str, bool]
) -> KnownAnswer:
    try:
        case = _case_id(key, row.case)
        if not training.get(case, False):
            raise ProtocolError(
                f"{row.case} is no case for training: what is read in the study cannot be asked "
                "before. Build it with --training."
            )
        question = protocol.question(row.question)
        low, high = _range(row, question, key.cases[case].truth)
        method = key.method_id(row.method) if row.method else ""
    except (ProtocolError, KeyFileError) as error:
        raise ProtocolError(f"Known answers, line {row.line}: {error}") from None
    return KnownAnswer(case, question.code, low, high, method)


def _case_id(key: Key, name: str) -> str:
    for identifier, case in key.cases.items():
        if composed(case.name) == composed(name):
            return identifier
    raise ProtocolError(f"there is no case {name!r} in the key file: build the study first.")


def _range(row: AnswerRow, question: Question, truth: str) -> tuple[float, float]:
    if row.low.casefold() == TRUTH:
        return _of_truth(question, truth)
    if not row.low and question.of_pair:
        return 1, question.maximum
    try:
        low = float(row.low)
        return low, float(row.high or low)
    except ValueError:
        raise ProtocolError(
            f"low is {row.low!r} and high {row.high!r}: give numbers, or the word {TRUTH} as low."
        ) from None


def _of_truth(question: Question, truth: str) -> tuple[float, float]:
    """The answers above the middle of the scale for yes, below it for no."""
    if not truth:
        raise ProtocolError("the case has no truth: state it in the manifest, and build again.")
    if question.of_pair or question.minimum >= question.maximum:
        raise ProtocolError(
            f"{question.code} has no scale that a truth divides: give low and high."
        )
    if truth == "yes":
        return question.positive_from, question.maximum
    return question.minimum, question.minimum + question.maximum - question.positive_from


def allow_attempt(store: Store, code: str, *, reason: str, actor: str) -> int:
    """Allow a reader who has not qualified another attempt, and return its number.

    Raises
    ------
    ProtocolError
        The reason is missing.
    StudyError
        There is no such reader, the reader is not barred now, or no planned attempt is left.
    """
    if not reason.strip():
        raise ProtocolError(f"Say why {code} may try again: the report prints the reason.")
    with store.write() as session:
        reader = existing_reader(session, store.study_id, code)
        protocol = store.protocol_in(session)
        if store.status_in(session) is not Status.OPEN:
            raise StudyError("Attempts are allowed while the study is open.")
        if has_withdrawn(session, reader.id) or is_replaced(session, reader.id):
            raise StudyError(f"{reader.code} has withdrawn or was replaced.")
        turn = upcoming(session, reader.id)
        if turn is None or not is_barred(session, turn[1], protocol):
            raise StudyError(f"{reader.code} has not failed the qualification: nothing to allow.")
        allowed = allowed_attempts(session, reader.id, protocol)
        if allowed >= _planned(session, reader.id):
            raise StudyError(
                f"{reader.code} has used all {allowed} planned attempts: replace the reader."
            )
        add_change(session, reader, "attempt", reason, actor)
        audit(session, actor, "allow attempt", target=reader.code, detail=reason.strip())
        return allowed + 1


def _planned(session: Session, reader_id: str) -> int:
    wanted = select(func.count()).where(
        ReadingSession.reader_id == reader_id, ReadingSession.phase == Phase.QUALIFICATION
    )
    return session.scalar(wanted) or 0
