"""What the readers and cases of a study are samples of: what its inference is about."""

from __future__ import annotations

from enum import StrEnum


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
