"""What a study concludes about: what is random, and the hypothesis of its primary comparison."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from study.domain.formatting import plural

FEW_PATIENTS, FEW_READERS = 20, 5
"""Intervals and p values are approximate below these numbers, where they are random."""


class Random(StrEnum):
    """What p values and intervals take as drawn at random; the rest is fixed.

    A result holds for readers like these on patients like these (`BOTH`), for readers like these
    on exactly these cases (`READERS`), or for exactly these readers on patients like these
    (`CASES`).
    """

    READERS = "readers"
    CASES = "cases"
    BOTH = "both"

    @property
    def words(self) -> str:
        """What is random, in words; the patients stand for their cases."""
        return {"readers": "readers", "cases": "patients", "both": "readers and patients"}[self]


class Hypothesis(StrEnum):
    """What the primary comparison is to show about its first method against the second."""

    DIFFERENCE = "difference"
    """They are not equal."""
    NON_INFERIORITY = "non-inferiority"
    """The first is not worse by the margin or more."""
    EQUIVALENCE = "equivalence"
    """Neither is worse by the margin or more."""


def small_samples(random: Random, readers: int, patients: int) -> Iterator[str]:
    """Sentences about numbers of readers or patients that are small for what is random."""
    if random is not Random.CASES and readers < FEW_READERS:
        yield (
            f"{plural(readers, 'reader')} are few to speak for others: intervals and p values for "
            f"random readers are wide or undefined below {FEW_READERS}."
        )
    if random is not Random.READERS and patients < FEW_PATIENTS:
        yield (
            f"{plural(patients, 'patient')} are few: intervals and p values for random patients "
            f"are approximate below {FEW_PATIENTS}."
        )
