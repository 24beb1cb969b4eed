"""The slices on either side of an image: found by consecutive numbers, or simulated."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from enhancers.evaluation.problem import TestImage
from enhancers.evaluation.slice_stack import Slice
from enhancers.image import Pixels

NUMBERED = re.compile(r"(.*?)(\d{1,4000})((?:\.[a-z]\w*)*)", re.IGNORECASE | re.DOTALL)
"""A name, the number at its end, and the file extension; Python reads no longer numbers."""
MIN_SHIFT, MAX_SHIFT = 1.0, 2.0
"""Root mean square displacement of a simulated neighbour, in pixels."""
SMOOTH = 24.0
"""Gaussian σ in pixels of the displacement field, which makes it smooth as anatomy is."""


def with_neighbours(cases: Sequence[TestImage], names: Sequence[str]) -> list[TestImage]:
    """The cases, as a `Slice` where there is a neighbour on either side.

    Parameters
    ----------
    cases : sequence of TestImage
    names : sequence of str
        One for each case, such as "anna/IM-0003.dcm". Neighbours have names that differ only in a
        trailing number, by one, and are of the same group and size.
    """
    numbered = [_numbered(case, name) for case, name in zip(cases, names, strict=True)]
    found: dict[tuple[object, int], TestImage] = {}
    for place, case in zip(numbered, cases, strict=True):
        if place is not None:
            # Of two spellings of one number, such as 3 and 03, the first counts.
            found.setdefault(place, case)
    complete: list[TestImage] = []
    for place, case in zip(numbered, cases, strict=True):
        near = [] if place is None else [found.get((place[0], place[1] + by)) for by in (-1, 1)]
        truths = tuple(_in_window_of(case, one) for one in near if one is not None)
        complete.append(Slice(**vars(case), neighbours=truths) if len(truths) == 2 else case)
    return complete


def _in_window_of(case: TestImage, near: TestImage) -> Pixels:
    """The pixels of ``near`` in the window of ``case``: each file may have its own."""
    if case.image is None or near.image is None:
        return near.truth
    return case.image.window.to_unit(near.image.source)


def _numbered(case: TestImage, name: str) -> tuple[object, int] | None:
    """The series of a case and its number in it; None where the name has no number."""
    match = NUMBERED.fullmatch(name)
    if match is None:
        return None
    before, number, ending = match.groups()
    return (case.group, case.modality, case.truth.shape, before, ending), int(number)


def with_drawn_neighbours(case: TestImage) -> Slice:
    """A phantom with simulated neighbours: the image, deformed twice by a smooth random field.

    The seed of the case determines both. Structures move and change their width, but none appears
    or vanishes, so that the neighbours are more alike than real slices some millimetres apart.
    """
    rng = np.random.default_rng([case.seed, 1])
    return Slice(**vars(case), neighbours=(_bent(case.truth, rng), _bent(case.truth, rng)))


def _bent(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    from scipy.ndimage import gaussian_filter, map_coordinates

    drawn = rng.standard_normal((2, *pixels.shape))
    shift = gaussian_filter(drawn, (0.0, SMOOTH, SMOOTH), mode="wrap")
    shift *= rng.uniform(MIN_SHIFT, MAX_SHIFT) / np.sqrt(np.mean(np.sum(shift**2, axis=0)))
    bent = map_coordinates(pixels, np.indices(pixels.shape) + shift, order=1, mode="nearest")
    return np.ascontiguousarray(bent.clip(0, 1), np.float32)
