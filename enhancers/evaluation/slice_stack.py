"""An image of which the slices on either side are known, and what became of the three."""

from __future__ import annotations

from dataclasses import dataclass

from enhancers.evaluation.problem import Case, Degraded
from enhancers.image import Pixels


@dataclass(frozen=True, eq=False)
class Slice(Case):
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


def beside(given: Case | Degraded) -> tuple[Pixels, ...]:
    """The slices before and after; none of what is no slice of a stack."""
    return given.neighbours if isinstance(given, Slice | DegradedSlice) else ()
