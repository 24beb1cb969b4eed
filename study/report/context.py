"""What every section of the report needs, and a section as the page takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from study.analysis import Analysis, Dataset
from study.analysis.dataset import Observation
from study.analysis.scores import ALL_METHODS
from study.domain.questions import Question
from study.domain.terms import Role

MOST_NAMED = 4
"""With more methods, pairs of them are written by their codes."""


@dataclass(frozen=True)
class ReportContext:
    """A study's data with their analysis, and the names to print."""

    data: Dataset
    analysis: Analysis

    def method(self, mask: str) -> str:
        """The label of a method: its mask, and its name after unblinding."""
        return "All methods" if mask == ALL_METHODS else self.data.label(mask)

    def pair(self, first: str, second: str, between: str = "/") -> str:
        """The labels of two methods; their codes alone where there are many pairs."""
        if self._short:
            return f"{first} {between} {second}"
        return f"{self.method(first)} {between} {self.method(second)}"

    @property
    def names(self) -> str:
        """A sentence, after a space, that names the methods of which `pair` gives the codes."""
        named = [f"{one.mask}: {one.name}" for one in self.data.methods if one.name]
        return f" {'; '.join(named)}." if self._short and named else ""

    @property
    def _short(self) -> bool:
        return len(self.data.methods) > MOST_NAMED

    def question(self, code: str) -> Question:
        """A question of the protocol."""
        return self.data.protocol.question(code)

    def question_name(self, code: str) -> str:
        """The short name of a question: its text up to a colon."""
        return short_name(self.question(code))

    @property
    def unit(self) -> str:
        """What was shown at a time: a pair, an image, or a ranking."""
        return self.data.protocol.unit

    @property
    def level(self) -> str:
        """The confidence level, such as "95%"."""
        return f"{100 * self.analysis.options.level:g}%"

    @property
    def random(self) -> str:
        """What is random, in words."""
        return self.analysis.options.random.words

    @property
    def main_observations(self) -> list[Observation]:
        """Answers and missing answers of the main pairs, without excluded ones."""
        return [o for o in self.data.observations if o.role is Role.MAIN and not o.excluded]


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Parameters
    ----------
    id : str
        Target of the link in the contents.
    link : str
        Text of that link.
    template : str
        File in `study/report/templates`.
    values : mapping
        Variables of the template.
    """

    id: str
    link: str
    template: str
    values: Mapping[str, object]


def short_name(question: Question) -> str:
    """The text of a question up to a colon."""
    return question.text.partition(":")[0].strip()
