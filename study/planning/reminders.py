"""Who is to be reminded: who has not begun, who may come back, and who has not read for days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from study.domain.formatting import minute, plural
from study.domain.terms import Status
from study.planning.progress_report import ProgressReport
from study.planning.reader_progress import ReaderProgress
from study.storage.base import stamp

LATE_DAYS = 7
"""Days without an answer after which a reader is late."""


class Why(StrEnum):
    """Why a reader is to be reminded."""

    NOT_BEGUN = "has not begun"
    MAY_RETURN = "may come back"
    LATE = "is late"


@dataclass(frozen=True)
class Reminder:
    """A reader to be reminded.

    Parameters
    ----------
    code : str
    why : Why
    since : str
        When the session opened, or the last answer came; empty where there is no such time.
    left : int
        Pairs to be read.
    """

    code: str
    why: Why
    since: str
    left: int

    def as_text(self) -> str:
        """The reminder as a sentence."""
        since = {Why.MAY_RETURN: "session open since", Why.LATE: "last answer"}.get(self.why)
        when = f" ({since} {minute(self.since)} UTC)" if since else ""
        return f"{self.code} {self.why}{when}: {plural(self.left, 'pair')} left."


def reminders(
    study: ProgressReport, *, late_days: float = LATE_DAYS, at: datetime | None = None
) -> tuple[Reminder, ...]:
    """The readers of an open study who are to be reminded, in order of their codes.

    Parameters
    ----------
    study : ProgressReport
    late_days : float
        Days without an answer after which a reader who has begun is late.
    at : datetime, optional
        By default now.
    """
    if study.status is not Status.OPEN:
        return ()
    before = stamp((at or datetime.now(UTC)) - timedelta(days=late_days))
    found = ((one, _why(one, before)) for one in study.readers)
    return tuple(
        Reminder(one.code, why, one.opened_at if why is Why.MAY_RETURN else one.last_at,
                 one.planned - one.done - one.skipped)
        for one, why in found if why is not None
    )  # fmt: skip


def _why(reader: ReaderProgress, before: str) -> Why | None:
    if reader.simulated:
        return None
    if reader.state in ("invited", "joined"):
        return Why.NOT_BEGUN
    if reader.state != "reading":
        return None
    if reader.opened_at:
        return Why.MAY_RETURN
    return Why.LATE if reader.last_at and reader.last_at < before else None
