"""What a verification of a study finds."""

from __future__ import annotations

from dataclasses import dataclass, field

from study.storage.hash_chain import TABLES, ChainHead

_MOST = 20
"""Problems that a report lists."""


@dataclass(frozen=True)
class IntegrityReport:
    """Result of a verification.

    Parameters
    ----------
    ok : bool
    checked : int
        Rows of ratings, audit events and row events that were checked.
    first_broken : str or None
        The first row that is not as it was written, such as "rating_event row 17".
    problems : tuple of str
        At most 20 sentences, the most important first.
    notes : tuple of str
        Sentences about what was not checked.
    head : str
        The head of all chains, to be kept elsewhere or compared with a copy.
    chained : bool
        Whether plan and records of the readers are chained, and not only ratings and audit events.
    """

    ok: bool
    checked: int
    first_broken: str | None
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    head: str = ""
    chained: bool = True

    def as_text(self) -> str:
        """The result as text of several lines."""
        first = f" First broken: {self.first_broken}." if self.first_broken else ""
        parts = ["ratings", "audit events", *(["plan", "records of the readers"] * self.chained)]
        verdict = (
            f"{self.checked} rows checked: {', '.join(parts)} and mirror are intact."
            if self.ok
            else f"{self.checked} rows checked, the study is not intact.{first}"
        )
        problems = (f"- {problem}" for problem in self.problems)
        return "\n".join([verdict, *problems, *self.notes, f"Chain head {self.head}"])


@dataclass
class Findings:
    """The number of checked rows, and problems by table and number."""

    checked: int = 0
    last: dict[str, int] = field(default_factory=dict)
    broken: dict[tuple[int, int], str] = field(default_factory=dict)
    other: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    chained: bool = True

    def breaks(self, table: str, seq: int, what: str) -> None:
        """Note a broken row; the first finding about a row is kept."""
        place = [one.name for one in TABLES].index(table)
        self.broken.setdefault((place, seq), f"{table} row {seq} {what}.")

    def verdict(self, head: ChainHead) -> IntegrityReport:
        """The report of these findings."""
        ordered = sorted(self.broken)
        problems = [self.broken[key] for key in ordered] + self.other
        place = f"{TABLES[ordered[0][0]].name} row {ordered[0][1]}" if ordered else None
        return IntegrityReport(
            not problems, self.checked, place, tuple(problems[:_MOST]), tuple(self.notes),
            str(head), self.chained,
        )  # fmt: skip
