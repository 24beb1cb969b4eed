"""How far each reader is in the qualification: results of attempts, and how many are allowed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study.domain.formatting import plural
from study.domain.protocol import Protocol
from study.storage.models import QualificationResult, Reader, ReaderChange, ReadingSession


@dataclass(frozen=True)
class Standing:
    """How far a reader is in the qualification.

    Parameters
    ----------
    results : tuple of QualificationResult
        Of the attempts that are over, in order.
    allowed : int
        Attempts that the protocol and the coordinator allow.
    """

    results: tuple[QualificationResult, ...]
    allowed: int

    @property
    def passed(self) -> bool:
        """Whether the reader has qualified."""
        return any(one.passed for one in self.results)

    @property
    def failed(self) -> bool:
        """Whether no attempt is left to a reader who has not qualified."""
        return not self.passed and len(self.results) >= self.allowed

    def as_text(self) -> str:
        """The state in words, with the right answers of the last attempt."""
        if not self.results:
            return f"0 of {plural(self.allowed, 'attempt')}"
        last, number = self.results[-1], len(self.results)
        outcome = "passed" if last.passed else "not passed"
        made = f"attempt {number}" if self.passed else f"attempt {number} of {self.allowed}"
        return f"{outcome} at {made}, {last.correct} of {last.asked} right"


def qualifications(session: Session, study_id: str, protocol: Protocol) -> dict[str, Standing]:
    """The state of each reader whose plan has a qualification, by identifier."""
    if not protocol.qualification:
        return {}
    more = dict(
        session.execute(
            select(ReaderChange.reader_id, func.count())
            .where(ReaderChange.kind == "attempt")
            .group_by(ReaderChange.reader_id)
        ).all()
    )
    results: dict[str, list[QualificationResult]] = defaultdict(list)
    rows = session.execute(
        select(ReadingSession.reader_id, QualificationResult)
        .join(QualificationResult, QualificationResult.session_id == ReadingSession.id)
        .order_by(ReadingSession.number)
    )
    for reader_id, result in rows:
        results[reader_id].append(result)
    return {
        reader_id: Standing(tuple(results[reader_id]), protocol.attempts + more.get(reader_id, 0))
        for reader_id in session.scalars(select(Reader.id).where(Reader.study_id == study_id))
    }
