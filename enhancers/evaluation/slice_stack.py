"""A test image with the slices before and after it, and their degraded versions."""

from __future__ import annotations

from dataclasses import dataclass

from enhancers.evaluation.problem import Degraded, TestImage
from enhancers.image import Pixels


@dataclass(frozen=True, eq=False)
class Slice(TestImage):
    """A test image out of a stack.

    Parameters
    ----------
    neighbours : tuple of ndarray
        The truths of the slice before and the slice after, shaped like ``truth``.
    """

    neighbours: tuple[Pixels, ...] = ()


@dataclass(frozen=True, eq=False)
class DegradedSlice(Degraded):
    """The input of every method for a `Slice`.

    Parameters
    ----------
    neighbours : tuple of ndarray
        The slices before and after, shaped and degraded like ``pixels``, with independent noise.
    """

    neighbours: tuple[Pixels, ...] = ()


def neighbours_of(given: TestImage | Degraded) -> tuple[Pixels, ...]:
    """The slices before and after; empty for an image that is no slice of a stack."""
    return given.neighbours if isinstance(given, Slice | DegradedSlice) else ()
