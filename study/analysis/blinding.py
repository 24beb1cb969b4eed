"""Analysis of the blinding question: whether readers could tell how images were made."""

from __future__ import annotations

from dataclasses import dataclass

from study.analysis.dataset import Dataset
from study.analysis.records import DO_NOT_KNOW
from study.stats.comparison.blinding_index import BlindingIndex, Guess, blinding_index
from study.stats.estimate import LEVEL, Estimate
from study.stats.intervals import proportion


@dataclass(frozen=True)
class Blinding:
    """Results of the blinding question, by group of methods.

    Parameters
    ----------
    index : BlindingIndex
        Guesses and indices by group.
    correct : tuple of Estimate
        For each group, the share of correct answers among those that named a group.
    readers : int
        Number of readers who answered.
    """

    index: BlindingIndex
    correct: tuple[Estimate, ...]
    readers: int

    @property
    def chance(self) -> float:
        """Expected share of correct answers by random guessing."""
        return 1 / len(self.index.methods)


def blinding(data: Dataset, level: float = LEVEL) -> Blinding | None:
    """Compute the indices; None before unblinding, or with answers about fewer than two groups."""
    truth = {one.mask: one.group for one in data.methods if one.group}
    asked = [guess for guess in data.guesses if guess.method in truth]
    guesses = [
        Guess(truth[one.method], None if one.guess == DO_NOT_KNOW else one.guess) for one in asked
    ]
    if len({group for one in guesses for group in (one.method, one.guess) if group}) < 2:
        return None
    index = blinding_index(guesses, level=level)
    correct = tuple(
        proportion(f"{group} guessed correctly", row[place], sum(row[:-1]), level)
        for place, (group, row) in enumerate(zip(index.methods, index.counts, strict=True))
    )
    return Blinding(index, correct, len({one.reader for one in asked}))
