"""What every part of the report needs: data, results, and numbers for tables and figures."""

from __future__ import annotations

from dataclasses import dataclass

from study.analysis import Analysis, Dataset
from study.analysis.scores import ALL_METHODS
from study.domain.protocol import Question
from study.report.markup import Content, Html, join, tag


@dataclass
class ReportContext:
    """The report while it is written; tables and figures are numbered in their order."""

    data: Dataset
    analysis: Analysis
    tables: int = 0
    figures: int = 0

    def table(self, *title: Content) -> Html:
        """Caption of the next table."""
        self.tables += 1
        return join((tag("b", f"Table {self.tables}. "), *title))

    def figure(self, *title: Content) -> Html:
        """Caption of the next figure."""
        self.figures += 1
        return join((tag("b", f"Figure {self.figures}. "), *title))

    def method(self, mask: str) -> str:
        """What a method is called here."""
        return "All methods" if mask == ALL_METHODS else self.data.label(mask)

    def question(self, code: str) -> Question:
        """A question of the protocol."""
        return self.data.protocol.question(code)

    @property
    def level(self) -> str:
        """The confidence level, such as "95%"."""
        return f"{100 * self.analysis.options.level:g}%"


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return f"{count:,}".replace(",", "\u202f") + " " + (one if count == 1 else many or f"{one}s")


def heading(question: Question) -> str:
    """The short name of a question: what comes before a colon."""
    return question.text.partition(":")[0].strip()


def moment(recorded: str) -> str:
    """A recorded time to the minute, UTC."""
    return f"{recorded[:10]} {recorded[11:16]} UTC" if len(recorded) >= 16 else "–"
