"""Summary of rows: means and standard deviations, and paired comparisons with corrected tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from enhancers.evaluation.measures import measure
from enhancers.evaluation.protocol import Condition, Protocol
from enhancers.evaluation.statistics import Pair, Paired, compare, holm
from enhancers.evaluation.store import ResultRow

ALL = "all"
"""The group of the unweighted means over the other groups."""
DECIDING = 2
"""Number of measures of a protocol by which the best strengths of a filter are chosen."""


@dataclass(frozen=True)
class ImageScore:
    """The score of a method on one image: mean and standard deviation over seeds."""

    case: str
    group: str
    subject: str
    value: float
    spread: float | None


@dataclass(frozen=True)
class SummaryLine:
    """The mean of one measure for a method on one group of images.

    ``sd`` is over images; ``seed_sd`` is the mean over images of the one over seeds. ``shown`` is
    false for the strengths of a filter that are not its best.
    """

    condition: str
    group: str
    candidate: str
    label: str
    measure: str
    mean: float
    sd: float | None
    seed_sd: float | None
    images: int
    subjects: int
    calls: float
    shown: bool


@dataclass(frozen=True)
class Comparison:
    """The subject compared with a rival; the p values are adjusted by Holm over the rivals."""

    condition: str
    subject: str
    rival: str
    label: str
    measure: str
    paired: Paired
    wilcoxon: float | None
    t_test: float | None

    @property
    def wins(self) -> int:
        """Number of images on which the subject is better."""
        up = measure(self.measure).direction == "up"
        return self.paired.above if up else self.paired.below

    @property
    def losses(self) -> int:
        """Number of images on which the rival is better."""
        return self.paired.above + self.paired.below - self.wins


@dataclass(frozen=True)
class Summary:
    """All means and comparisons of a protocol."""

    protocol: Protocol
    subject: str
    lines: tuple[SummaryLine, ...]
    comparisons: tuple[Comparison, ...]

    def of(self, condition: str, group: str = ALL) -> tuple[SummaryLine, ...]:
        """The lines of a condition and group that are shown."""
        return tuple(
            line
            for line in self.lines
            if line.condition == condition and line.group == group and line.shown
        )


Scores = Mapping[str, Mapping[str, tuple[ImageScore, ...]]]
"""By candidate and measure."""


def summarise(protocol: Protocol, rows: Sequence[ResultRow], subject: str = "") -> Summary:
    """Summarise ``rows``.

    Parameters
    ----------
    protocol : Protocol
    rows : sequence of ResultRow
    subject : str
        Key of the method with which the others are compared; by default the protocol's own. There
        are no comparisons where it did not run.
    """
    subject = subject or protocol.subject
    directed = [key for key in protocol.measures if measure(key).direction != "none"]
    lines: list[SummaryLine] = []
    comparisons: list[Comparison] = []
    for condition in protocol.conditions:
        found = [row for row in rows if row.condition == condition.key and not row.error]
        if not found:
            continue
        scores = _scores(found, protocol.measures)
        shown = _shown(found, scores, directed[:DECIDING])
        lines += _lines(condition, found, scores, shown, protocol.measures)
        if subject in scores:
            rivals = [key for key in scores if key in shown and key != subject]
            labels = {row.candidate: row.label for row in found}
            for key in directed:
                comparisons += _comparisons(condition, key, subject, rivals, scores, labels)
    return Summary(protocol, subject, tuple(lines), tuple(comparisons))


def _scores(rows: Sequence[ResultRow], keys: Sequence[str]) -> Scores:
    values: dict[str, dict[str, dict[str, list[float]]]] = {}
    where: dict[str, tuple[str, str]] = {}
    for row in rows:
        where[row.case] = (row.group, row.subject)
        own = values.setdefault(row.candidate, {})
        for key in keys:
            value = row.measured.scores.get(key)
            if value is not None:
                own.setdefault(key, {}).setdefault(row.case, []).append(value)
    return {
        candidate: {
            key: tuple(
                ImageScore(case, *where[case], float(np.mean(found)),
                      float(np.std(found, ddof=1)) if len(found) > 1 else None)
                for case, found in cases.items()
            )
            for key, cases in own.items()
        }
        for candidate, own in values.items()
    }  # fmt: skip


def over_groups(scores: Iterable[ImageScore]) -> float:
    """The unweighted mean over groups of the means over images."""
    groups: dict[str, list[float]] = {}
    for score in scores:
        groups.setdefault(score.group, []).append(score.value)
    return float(np.mean([np.mean(values) for values in groups.values()]))


def _shown(rows: Sequence[ResultRow], scores: Scores, deciding: Sequence[str]) -> set[str]:
    """The methods to show: of the strengths of a filter, the best in each deciding measure."""
    families: dict[str, list[str]] = {}
    for row in rows:
        members = families.setdefault(row.family, [])
        if row.candidate not in members:
            members.append(row.candidate)
    shown: set[str] = set()
    for members in families.values():
        if len(members) == 1:
            shown.update(members)
            continue
        for key in deciding:
            rated = [
                (over_groups(scores[one][key]), one) for one in members if scores[one].get(key)
            ]
            up = measure(key).direction == "up"
            if rated:
                shown.add((max if up else min)(rated, key=lambda pair: pair[0])[1])
    return shown


def _lines(
    condition: Condition,
    rows: Sequence[ResultRow],
    scores: Scores,
    shown: set[str],
    keys: Sequence[str],
) -> list[SummaryLine]:
    groups = list(dict.fromkeys(row.group for row in rows))
    lines = []
    for candidate, label in {row.candidate: row.label for row in rows}.items():
        calls = float(np.mean([row.measured.calls for row in rows if row.candidate == candidate]))
        for key in keys:
            every = scores[candidate].get(key, ())
            for group in (ALL, *(groups if len(groups) > 1 else ())):
                own = [score for score in every if group in (ALL, score.group)]
                if own:
                    spread = [score.spread for score in own if score.spread is not None]
                    values = [score.value for score in own]
                    finite = len(own) > 1 and bool(np.isfinite(values).all())
                    lines.append(
                        SummaryLine(
                            condition.key, group, candidate, label, key, over_groups(own),
                            float(np.std(values, ddof=1)) if finite else None,
                            float(np.mean(spread)) if spread else None,
                            len(own), len({(score.group, score.subject) for score in own}),
                            calls, candidate in shown,
                        )
                    )  # fmt: skip
    return lines


def _comparisons(
    condition: Condition,
    key: str,
    subject: str,
    rivals: Sequence[str],
    scores: Scores,
    labels: Mapping[str, str],
) -> list[Comparison]:
    """Comparisons with every rival, as one family of tests."""
    ours = {score.case: score for score in scores[subject].get(key, ())}
    found = []
    for rival in rivals:
        pairs = [
            Pair(score.group, score.subject, ours[score.case].value, score.value)
            for score in scores[rival].get(key, ())
            if score.case in ours
        ]
        paired = compare(pairs)
        if paired is not None:
            found.append((rival, paired))
    wilcoxon = holm([paired.wilcoxon for _, paired in found])
    t_test = holm([paired.by_image.p for _, paired in found])
    return [
        Comparison(condition.key, subject, rival, labels[rival], key, paired, first, second)
        for (rival, paired), first, second in zip(found, wilcoxon, t_test, strict=True)
    ]
