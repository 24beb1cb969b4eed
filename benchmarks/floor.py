"""A floor: what a method has to reach."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Floor:
    """A floor: the sentence, by how much it was passed, and the figures in words.

    ``margin`` is negative where it was missed, and None where a method was not measured.
    """

    sentence: str
    margin: float | None
    figures: str = ""

    @property
    def verdict(self) -> str:
        """In one word."""
        if self.margin is None:
            return "not measured"
        return "met" if self.margin > 0 else "**MISSED**"
