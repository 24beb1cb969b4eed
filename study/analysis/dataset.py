"""What an analysis starts from: one observation for each answer, and the facts around them.

It is built from a study's store by `study.analysis.collect`, or by hand in tests. Methods are
masks (M1, M2, ...); their names are added only after unblinding.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property

from study.analysis.records import (
    INCLUDED,
    CaseRecord,
    CommentRecord,
    ExclusionRecord,
    GuessRecord,
    MethodRecord,
    ReaderRecord,
    StudyRecord,
)
from study.domain.protocol import CANNOT_JUDGE, LEFT, PAIR, Protocol, Question, QuestionKind, Role
from study.stats.scale import Scale
from study.stats.table import RatingRow

NOT_READ = "not read"
"""Why a value is missing where the reader never reached the pair."""
MISSING = (CANNOT_JUDGE, NOT_READ)


@dataclass(frozen=True)
class Observation:
    """One answer that a reader gave, or did not give, in a pair of the plan.

    Parameters
    ----------
    reader, case, patient : str
        Codes.
    left, right : str
        Masks of the methods on either side.
    question : str
        Code of the question.
    side : int
        LEFT or RIGHT for a rating of one image, PAIR for a preference.
    value : int or None
        On the question's scale; -1, 0, 1 for left, none, right in a preference.
    missing : str
        Why there is no value: one of `MISSING`; empty if there is one.
    role : Role
    session, position : int
        When it was shown to this reader.
    pair : str
        Label of the pair in this reader's plan; `repeat_of` is that of the pair it repeats.
    revision : int
        1, or more after corrections; 0 where nothing was answered.
    seconds : float or None
        How long the pair was visible, hidden tabs not counted.
    at : str
        When it was stored.
    excluded : str
        Code of the rule by which a logged decision leaves it out; empty if it counts.
    """

    reader: str
    case: str
    patient: str
    left: str
    right: str
    question: str
    side: int
    value: int | None
    missing: str = ""
    role: Role = Role.MAIN
    session: int = 1
    position: int = 0
    pair: str = ""
    repeat_of: str = ""
    revision: int = 1
    seconds: float | None = None
    at: str = ""
    excluded: str = ""

    @property
    def method(self) -> str:
        """The method that was rated; empty for a preference."""
        if self.side == PAIR:
            return ""
        return self.left if self.side == LEFT else self.right

    @property
    def when(self) -> tuple[int, int]:
        """Sorts a reader's observations in the order in which the pairs were shown."""
        return (self.session, self.position)


@dataclass(frozen=True)
class Dataset:
    """All that is analysed.

    Parameters
    ----------
    study : StudyRecord
    protocol : Protocol
        Its `control` is the mask of a method here, or empty.
    methods : tuple of MethodRecord
        In the order of their masks.
    readers : tuple of ReaderRecord
    cases : tuple of CaseRecord
    observations : tuple of Observation
        Of readers who take part; those of withdrawn readers are not here.
    guesses : tuple of GuessRecord
    exclusions : tuple of ExclusionRecord
    comments : tuple of CommentRecord
    """

    study: StudyRecord
    protocol: Protocol
    methods: tuple[MethodRecord, ...]
    readers: tuple[ReaderRecord, ...]
    cases: tuple[CaseRecord, ...]
    observations: tuple[Observation, ...]
    guesses: tuple[GuessRecord, ...] = ()
    exclusions: tuple[ExclusionRecord, ...] = ()
    comments: tuple[CommentRecord, ...] = ()

    @property
    def unblinded(self) -> bool:
        """Whether the methods have names."""
        return any(method.name for method in self.methods)

    @property
    def masks(self) -> tuple[str, ...]:
        """The methods."""
        return tuple(method.mask for method in self.methods)

    @property
    def criteria(self) -> tuple[Question, ...]:
        """The questions that are rated for each image."""
        return tuple(q for q in self.protocol.questions if q.kind is QuestionKind.LIKERT)

    @property
    def preference(self) -> Question | None:
        """The question about the pair, if there is one."""
        found = (q for q in self.protocol.questions if q.kind is QuestionKind.PREFERENCE)
        return next(found, None)

    @property
    def included_readers(self) -> tuple[str, ...]:
        """Codes of the readers that analyses are about."""
        return tuple(reader.code for reader in self.readers if reader.state == INCLUDED)

    def label(self, mask: str) -> str:
        """What tables call a method."""
        return next((one.label for one in self.methods if one.mask == mask), mask)

    def counted(self, question: str, *roles: Role) -> Iterator[Observation]:
        """The observations of a question that count, by reader and in the order shown."""
        for seen in self._counted:
            if seen.question == question and seen.role in roles:
                yield seen

    @cached_property
    def _counted(self) -> tuple[Observation, ...]:
        kept = (seen for seen in self.observations if not seen.excluded)
        return tuple(sorted(kept, key=lambda seen: (seen.reader, seen.when, seen.side)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that is analysed, without the names of methods."""
        masked = tuple(MethodRecord(method.mask, method.kind) for method in self.methods)
        content = {
            "methods": [asdict(method) for method in masked],
            "cases": [asdict(case) for case in self.cases],
            "observations": [asdict(seen) for seen in self.ordered()],
            "guesses": sorted((g.reader, g.method, g.guess) for g in self.guesses),
            "exclusions": [asdict(one) for one in self.exclusions],
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def ordered(self) -> list[Observation]:
        """All observations, by reader and in the order shown: it tells nothing of methods."""
        codes = [question.code for question in self.protocol.questions]
        return sorted(
            self.observations, key=lambda s: (s.reader, s.when, codes.index(s.question), s.side)
        )


def scale_of(question: Question) -> Scale:
    """The declared scale of a question: unused points count as well."""
    return Scale.span(question.minimum, question.maximum)


def row_of(seen: Observation, item: str, *, method: str = "", replicate: int = 1) -> RatingRow:
    """An observation as the statistics take it, clustered by patient."""
    value = None if seen.value is None else float(seen.value)
    return RatingRow(item, seen.reader, value, seen.patient, method, replicate)
