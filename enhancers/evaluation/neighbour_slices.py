"""The slices on either side of an image: found by consecutive numbers, or drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from enhancers.evaluation.problem import TestImage
from enhancers.evaluation.slice_stack import Slice
from enhancers.image import Pixels

NUMBERED = re.compile(r"(.*?)(\d{1,4000})((?:\.[a-z]\w*)*)", re.IGNORECASE | re.DOTALL)
"""A name, the number it ends with, and the ending of a file; Python reads no longer numbers."""
LEAST, MOST = 1.0, 2.0
"""How far, in pixels (root mean square), a drawn neighbour is displaced."""
SMOOTH = 24.0
"""Gaussian σ in pixels of the displacement: anatomy bends, it does not crumble."""


def with_neighbours(cases: Sequence[TestImage], names: Sequence[str]) -> list[TestImage]:
    """The same cases; those that have a neighbour on either side are `Slice`s with both.

    Parameters
    ----------
    cases : sequence of TestImage
    names : sequence of str
        Of each case, such as "anna/IM-0003.dcm": neighbours are those whose names differ only in
        a trailing number, by one, and that are of the same group and size.
    """
    numbered = [_numbered(case, name) for case, name in zip(cases, names, strict=True)]
    found: dict[tuple[object, int], TestImage] = {}
    for place, case in zip(numbered, cases, strict=True):
        if place is not None:
            # Of two spellings of one number, 3 and 03, the first counts.
            found.setdefault(place, case)
    complete: list[TestImage] = []
    for place, case in zip(numbered, cases, strict=True):
        near = [] if place is None else [found.get((place[0], place[1] + by)) for by in (-1, 1)]
        truths = tuple(_in_window_of(case, one) for one in near if one is not None)
        complete.append(Slice(**vars(case), neighbours=truths) if len(truths) == 2 else case)
    return complete


def _in_window_of(case: TestImage, near: TestImage) -> Pixels:
    """The pixels of ``near`` as ``case`` would show them: files have windows of their own."""
    if case.image is None or near.image is None:
        return near.truth
    return case.image.window.to_unit(near.image.source)


def _numbered(case: TestImage, name: str) -> tuple[object, int] | None:
    """The series that a name belongs to, and its number there; None for a name without one."""
    match = NUMBERED.fullmatch(name)
    if match is None:
        return None
    before, number, ending = match.groups()
    return (case.group, case.modality, case.truth.shape, before, ending), int(number)


def with_drawn_neighbours(case: TestImage) -> Slice:
    """A drawn case with neighbours: the image itself, bent twice by a smooth random displacement.

    The seed of the case determines both. Structures move and change their width, but none comes or
    goes, and there is no noise: kinder than real slices some millimetres apart.
    """
    rng = np.random.default_rng([case.seed, 1])
    return Slice(**vars(case), neighbours=(_bent(case.truth, rng), _bent(case.truth, rng)))


def _bent(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    from scipy.ndimage import gaussian_filter, map_coordinates

    drawn = rng.standard_normal((2, *pixels.shape))
    way = gaussian_filter(drawn, (0.0, SMOOTH, SMOOTH), mode="wrap")
    way *= rng.uniform(LEAST, MOST) / np.sqrt(np.mean(np.sum(way**2, axis=0)))
    bent = map_coordinates(pixels, np.indices(pixels.shape) + way, order=1, mode="nearest")
    return np.ascontiguousarray(bent.clip(0, 1), np.float32)
