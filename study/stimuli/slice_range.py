"""Slices of a volume that are shown as a stack, and the notation for them: ``10-49:2``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from study.domain.errors import BuildError

MOST_SLICES = 64
"""Most slices of a stack."""
MOST_BYTES = 2**26
"""Most bytes of a stack, at 16 bits a sample: all of it is sent before it is shown."""

_NOTATION = re.compile(r"(?:all|(\d+)-(\d+))(?::(\d+))?")


@dataclass(frozen=True)
class SliceRange:
    """Every ``step``-th slice from ``first`` to ``last``, which is included; None is the end."""

    first: int = 0
    last: int | None = None
    step: int = 1

    @classmethod
    def parse(cls, text: str) -> SliceRange:
        """The slices of a text: ``all``, ``all:2``, ``10-49`` or ``10-49:2``.

        Raises
        ------
        BuildError
            The text is none of these.
        """
        match = _NOTATION.fullmatch("".join(text.split()).lower())
        ends = (match[1], match[2], match[3]) if match else (None, None, "0")
        first, last = int(ends[0] or 0), None if ends[1] is None else int(ends[1])
        step = int(ends[2] or 1) if match else 0
        if step < 1 or (last is not None and last < first):
            raise BuildError(
                f"The slices {text!r} cannot be used: give all, a range such as 10-49, or one with "
                "a step, all:2 or 10-49:2, counted from 0."
            )
        return cls(first, last, step)

    def __str__(self) -> str:
        ends = "all" if self.last is None else f"{self.first}-{self.last}"
        return ends if self.step == 1 else f"{ends}:{self.step}"

    def indices(self, count: int) -> range:
        """The indices of the slices in a volume of ``count``.

        Raises
        ------
        BuildError
            The volume ends before, or there are more than `MOST_SLICES`.
        """
        last = count - 1 if self.last is None else self.last
        if last >= count:
            raise BuildError(f"there is no slice {last}: it has {count}, 0 to {count - 1}.")
        found = range(self.first, last + 1, self.step)
        if len(found) > MOST_SLICES:
            step = -(-(last + 1 - self.first) // MOST_SLICES)
            fewer = SliceRange(self.first, self.last, step)
            raise BuildError(
                f"{len(found)} slices are too many to be scrolled through; {MOST_SLICES} are "
                f"possible: give a range, or a step ({fewer})."
            )
        return found
