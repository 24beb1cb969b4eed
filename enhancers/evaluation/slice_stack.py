"""An image of which the slices on either side are known, and what became of the three."""

from __future__ import annotations

from dataclasses import dataclass

from enhancers.evaluation.problem import Degraded, TestImage
from enhancers.image import Pixels


@dataclass(frozen=True, eq=False)
class Slice(TestImage):
    """A case of a stack.

    Parameters
    ----------
    neighbours : tuple of ndarray
        The truths of the slice before and the slice after, shaped like ``truth``.
    """

    neighbours: tuple[Pixels, ...] = ()


@dataclass(frozen=True, eq=False)
class DegradedSlice(Degraded):
    """What every method is given of a `Slice`.

    Parameters
    ----------
    neighbours : tuple of ndarray
        The slices before and after, shaped and degraded like ``pixels``, with noise of their own.
    """

    neighbours: tuple[Pixels, ...] = ()


def neighbours_of(given: TestImage | Degraded) -> tuple[Pixels, ...]:
    """The slices before and after; none of what is no slice of a stack."""
    return given.neighbours if isinstance(given, Slice | DegradedSlice) else ()
