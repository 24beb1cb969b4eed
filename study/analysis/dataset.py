"""The data of an analysis: one observation for each planned answer, and the records around them.

A dataset is read from a study's store by `study.analysis.collect`. Methods are identified by masks
(M1, M2, ...); names are added only after unblinding.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from study.analysis.column_text import Texts, json_texts, laid_out
from study.analysis.records import (
    INCLUDED,
    CaseRecord,
    CommentRecord,
    DisplayRecord,
    EventRecord,
    ExclusionRecord,
    GuessRecord,
    MethodRecord,
    ReaderChangeRecord,
    ReaderRecord,
    StudyRecord,
)
from study.domain.protocol import Protocol
from study.domain.question_kinds import IMAGE_SLOTS
from study.domain.questions import CANNOT_JUDGE, LEFT, PAIR, RIGHT, Analysed, Question
from study.domain.terms import Role
from study.stats.scale import Scale
from study.stats.table import RatingRow
from study.storage.protocol_versions import VersionRecord

NOT_READ = "not read"
"""The reason for a missing value if the reader did not reach the pair."""
IMAGE_LOST = "image lost"
"""The reason if the pair could not be shown, because an image was lost or damaged."""
NOT_ASKED = "not asked"
"""The reason if the pair was read before an amended protocol added the question."""
MISSING = (CANNOT_JUDGE, NOT_READ, IMAGE_LOST, NOT_ASKED)

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Observation(NamedTuple):
    """A planned answer of a reader to a pair, given or missing.

    A tuple, which is made in an eighth of the time of a frozen dataclass: there may be a million.

    Parameters
    ----------
    reader, case, patient : str
        Codes.
    left, right : str
        Masks of the methods on either side.
    question : str
        Code of the question.
    side : int
        The slot of the rated image (`study.domain.question_kinds`), PAIR for a preference.
    value : float or None
        On the question's scale; -1, 0, 1 for left, none, right in a preference. Of a drawing what
        is measured on it; None for a text or a point.
    missing : str
        Why there is no answer, one of `MISSING`; empty if there is one.
    role : Role
    session, position : int
        Session and position in it at which this reader was shown the pair.
    pair : str
        Label of the pair in this reader's plan; `repeat_of` is the label of the repeated pair.
    revision : int
        0 for no answer, 1 for a first answer, more after corrections.
    seconds : float or None
        Time that the pair was visible, without hidden tabs.
    at : str
        Time of storage.
    excluded : str
        Code of the rule by which it was excluded; empty if it counts.
    answer : str
        The answer as JSON, where it is no point of a scale: a text, or points in image coordinates.
    unit : str
        Of a measured value, such as mm, or px where the spacing of the pixels is unknown.
    others : tuple of str
        Masks of the methods of a ranking after the first two, in the order of the panels.
    version : int
        Number of the version of the protocol that the answer was given under.
    """

    reader: str
    case: str
    patient: str
    left: str
    right: str
    question: str
    side: int
    value: float | None
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
    answer: str = ""
    unit: str = ""
    others: tuple[str, ...] = ()
    version: int = 1

    @property
    def method(self) -> str:
        """The method that was rated; empty for a preference."""
        side = self.side
        if side == LEFT:
            return self.left
        if side == RIGHT:
            return self.right
        return "" if side == PAIR else self.others[self.panel - 2]

    @property
    def panel(self) -> int:
        """Place of the rated image among those that were shown, from 0."""
        return IMAGE_SLOTS.index(self.side)

    @property
    def shown(self) -> tuple[str, ...]:
        """The methods that were shown, by slot."""
        return tuple(filter(None, (self.left, self.right, *self.others)))

    @property
    def when(self) -> tuple[int, int]:
        """Sort key: the order in which the pairs were shown to a reader."""
        return (self.session, self.position)


@dataclass(frozen=True)
class Dataset:
    """All data of a study that are analysed.

    Parameters
    ----------
    study : StudyRecord
    protocol : Protocol
        Its `pairs` and `control` name methods by their masks.
    methods : tuple of MethodRecord
        In the order of their masks.
    readers : tuple of ReaderRecord
    cases : tuple of CaseRecord
    observations : tuple of Observation
        Of readers who take part, without those of withdrawn readers.
    guesses : tuple of GuessRecord
    exclusions : tuple of ExclusionRecord
    comments : tuple of CommentRecord
    displays : tuple of DisplayRecord
    events : tuple of EventRecord
    reader_changes : tuple of ReaderChangeRecord
        In the order of the decisions.
    versions : tuple of VersionRecord
        Of the protocol, where it was amended.
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
    displays: tuple[DisplayRecord, ...] = ()
    events: tuple[EventRecord, ...] = ()
    reader_changes: tuple[ReaderChangeRecord, ...] = ()
    versions: tuple[VersionRecord, ...] = ()

    @property
    def unblinded(self) -> bool:
        """Whether the methods have names."""
        return any(method.name for method in self.methods)

    @property
    def masks(self) -> tuple[str, ...]:
        """The masks of the methods, in order."""
        return tuple(method.mask for method in self.methods)

    @property
    def criteria(self) -> tuple[Question, ...]:
        """The questions that are rated on a scale for each image."""
        return self.asked(Analysed.SCORES)

    @property
    def preference(self) -> Question | None:
        """The question that compares the images of a pair, if there is one."""
        return next(iter(self.asked(Analysed.PREFERENCES)), None)

    def asked(self, analysed: Analysed) -> tuple[Question, ...]:
        """The questions whose answers are analysed in one way."""
        return tuple(q for q in self.protocol.questions if q.analysed is analysed)

    def scale(self, question: Question) -> Scale:
        """The declared scale of a question; of a measure the values that occur."""
        if question.analysed is not Analysed.MEASURES:
            return scale_of(question)
        found = {obs.value for obs in self.observations if obs.question == question.code}
        values = [value for value in found if value is not None]
        return Scale.derived(values) if values else Scale.span(0, 1)

    @property
    def included_readers(self) -> tuple[str, ...]:
        """Codes of the readers who are included in analyses."""
        return tuple(reader.code for reader in self.readers if reader.state == INCLUDED)

    @cached_property
    def missing_reasons(self) -> tuple[str, ...]:
        """The reasons to count missing values by: the rare ones only if there are any."""
        found = {obs.missing for obs in self.observations}
        return tuple(one for one in MISSING if one in found or one in (CANNOT_JUDGE, NOT_READ))

    def label(self, mask: str) -> str:
        """The label of a method in tables: its mask, and its name after unblinding."""
        return next((one.label for one in self.methods if one.mask == mask), mask)

    def counted(self, question: str, role: Role, reader: str = "") -> tuple[Observation, ...]:
        """The observations of a question without excluded ones, by reader in the order shown.

        Parameters
        ----------
        question : str
        role : Role
        reader : str, optional
            Those of this reader alone.
        """
        if reader:
            return self._counted_by_reader.get((question, role, reader), ())
        return self._counted.get((question, role), ())

    @cached_property
    def _counted(self) -> dict[tuple[str, Role], tuple[Observation, ...]]:
        found: dict[tuple[str, Role], list[Observation]] = {}
        for obs in self.observations:
            if not obs.excluded:
                found.setdefault((obs.question, obs.role), []).append(obs)
        order = attrgetter("reader", "session", "position", "side")
        return {key: tuple(sorted(own, key=order)) for key, own in found.items()}

    @cached_property
    def _counted_by_reader(self) -> dict[tuple[str, Role, str], tuple[Observation, ...]]:
        return {
            (*key, reader): tuple(own)
            for key, found in self._counted.items()
            for reader, own in groupby(found, attrgetter("reader"))
        }

    def first_ratings(self, question: str) -> tuple[Observation, ...]:
        """The first main rating of each reader x case x method, including missing ones.

        A missing first rating is not replaced by a later one, which would select by outcome.
        """
        if question not in self._first:
            first: dict[tuple[str, str, str], Observation] = {}
            for obs in self.counted(question, Role.MAIN):
                first.setdefault((obs.reader, obs.case, obs.method), obs)
            self._first[question] = tuple(first.values())
        return self._first[question]

    @cached_property
    def _first(self) -> dict[str, tuple[Observation, ...]]:
        """What `first_ratings` has found."""
        return {}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all analysed data, without the names of methods."""
        masked = tuple(MethodRecord(method.mask, method.kind) for method in self.methods)
        content = {
            "cases": [_plain_case(case) for case in self.cases],
            "exclusions": [vars(one) for one in self.exclusions],
            "guesses": sorted((g.reader, g.method, g.guess) for g in self.guesses),
            "methods": [vars(method) for method in masked],
            "observations": [],
        }
        # One object, whose last list is hashed piece by piece: there may be a million of them.
        found = hashlib.sha256(_bytes(content)[: -len("]}")])
        observations = self._ordered
        for start in range(0, len(observations), _AT_ONCE):
            text = ",".join(_canonical(observations[start : start + _AT_ONCE]))
            found.update(f"{',' if start else ''}{text}".encode("utf-8", "surrogatepass"))
        found.update(b"]}")
        return found.hexdigest()

    def ordered(self) -> list[Observation]:
        """All observations by reader in the order shown, which reveals nothing about methods."""
        return list(self._ordered)

    @cached_property
    def _ordered(self) -> tuple[Observation, ...]:
        place = {question.code: place for place, question in enumerate(self.protocol.questions)}
        by_reader: dict[str, list[Observation]] = {}
        for obs in self.observations:
            by_reader.setdefault(obs.reader, []).append(obs)
        for own in by_reader.values():
            own.sort(key=lambda s: (s.session, s.position, place[s.question], s.side))
        return tuple(obs for reader in sorted(by_reader) for obs in by_reader[reader])


_AT_ONCE = 1000
"""Observations whose text is held at a time."""
_CANONICAL = (
    '{%s"at":%s,"case":%s,"excluded":%s,"left":%s,"missing":%s,%s"pair":%s,"patient":%s,'
    '"position":%s,"question":%s,"reader":%s,"repeat_of":%s,"revision":%s,"right":%s,"role":%s,'
    '"seconds":%s,"session":%s,"side":%s,%s"value":%s%s}'
)
"""An observation as canonical JSON; what was added later is left out where it is empty."""
_LATER = {
    "answer": '"answer":%s,', "others": '"others":%s,', "unit": '"unit":%s,',
    "version": ',"version":%s',
}  # fmt: skip


def _canonical(observations: Sequence[Observation]) -> Iterator[str]:
    """Canonical JSON of observations."""
    columns = dict(zip(Observation._fields, zip(*observations, strict=True), strict=True))
    answered = columns["answer"]
    given = {
        "answer": answered, "unit": answered, "others": columns["others"],
        "version": [number != 1 for number in columns["version"]],
    }  # fmt: skip
    texts = [
        _later(name, column, given[name]) if name in given else json_texts(column, _ENCODER)
        for name, column in sorted(columns.items())
    ]
    return laid_out(_CANONICAL, texts, len(observations))


def _later(name: str, column: Sequence[object], given: Sequence[object]) -> Texts:
    """A field of later versions: nothing where it is not given."""
    if not any(given):
        return ""
    return [
        _LATER[name] % _ENCODER.encode(value) if one else ""
        for value, one in zip(column, given, strict=True)
    ]


def _plain_case(case: CaseRecord) -> dict[str, Any]:
    """A case for the digest, without its truth; the slices were added later."""
    plain = dict(vars(case))
    del plain["truth"]
    if case.slices == 1:
        del plain["slices"]
    return plain


def _bytes(thing: object) -> bytes:
    return _ENCODER.encode(thing).encode("utf-8", "surrogatepass")


def scale_of(question: Question) -> Scale:
    """The declared scale of a question, including unused points."""
    return Scale.span(question.minimum, question.maximum)


def difference_bounds(question: Question) -> tuple[float, float]:
    """The least and the largest possible difference of two scores of a question."""
    return (-question.span, question.span)


def row_of(obs: Observation, item: str, *, method: str = "", replicate: int = 1) -> RatingRow:
    """An observation as a row for the statistics, clustered by patient."""
    value = None if obs.value is None else float(obs.value)
    return RatingRow(item, obs.reader, value, obs.patient, method, replicate)
