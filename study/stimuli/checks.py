"""Checks of the images of a study, and the report of a build.

An image is refused if its size, channels or depth differ from the others of its case, if it is
empty under the window of the case, or if it has a mark at its edge. Differences of position,
brightness, contrast and frame are measured by `study.stimuli.image_similarity` and only reported,
because a method may cause them on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.domain.errors import BuildError, MarkFound
from study.stimuli.image_similarity import FLAT, Array, ComparedImage, Pixels, Similarity, gray

_SATURATED = 0.97
"""Share of pixels at the ends of the window above which an image is refused."""
_MARK = 0.25
"""Least difference caused by text or a logo, as a share of the window."""
_MARK_SHARE = 0.01
"""Least share of a tile that must differ."""
_MARK_PIXELS = 3
"""Least number of pixels of a tile that must differ, in small images."""
_NOISE_LIMIT = 3.0
"""Standard deviations of the noise that a difference must exceed."""
_USUAL = 1.5
"""How many times the upper quartile of the local range inside the image is usual."""
_REACH = 3
"""Distance in pixels at which a filter finds the values that it gives to a pixel."""
_SAME = 0.15
"""Least squared correlation of two images that show the same."""
_LARGE = 64
"""Least side of an image in pixels in which a mark is a small part."""
_BORDER = 2
"""Width of the border that is not searched, in pixels."""
_TILES = 8
"""Tiles per side; the outermost are searched for marks."""


@dataclass(frozen=True)
class BuildReport:
    """What a build did and measured. It names methods: for the coordinator only.

    Parameters
    ----------
    cases, training : int
        All cases, and those for training.
    methods : tuple of str
    rendered, kept : int
        Stimuli of this build, and stimuli of earlier builds that are still valid.
    measured : tuple of Similarity
        One for each stimulus that is not the base of its case.
    notes : tuple of str
        Sentences about files and windows.
    """

    cases: int
    training: int
    methods: tuple[str, ...]
    rendered: int
    kept: int
    measured: tuple[Similarity, ...]
    notes: tuple[str, ...] = ()

    def as_text(self, longest: int = 20) -> str:
        """A table of the methods, then the differences that could reveal a method."""
        lines = [
            f"{self.cases} cases ({self.training} for training) x {len(self.methods)} methods: "
            f"{self.rendered} stimuli rendered, {self.kept} kept from before.",
            "",
            f"{'method':32}{'shift':>8}{'brightness':>12}{'contrast':>10}{'frame':>7}{'beyond':>8}",
        ]
        lines += [self._method_line(method) for method in self.methods]
        differing = [f"Case {m.case}, {m.method}: {', '.join(m.findings)}."
                for m in self.measured if m.findings]  # fmt: skip
        if differing:
            lines += [
                "",
                f"{len(differing)} images differ by more than their content:",
            ]
            lines += differing[:longest]
            if len(differing) > longest:
                lines.append(f"... and {len(differing) - longest} more.")
        return "\n".join([*lines, *(["", *self.notes] if self.notes else [])])

    def _method_line(self, method: str) -> str:
        found = [one for one in self.measured if one.method == method]
        if not found:
            return f"{method[:31]:32}{'the base of comparison':>45}"
        brightness = sum(one.brightness for one in found) / len(found)
        contrast = float(np.exp(np.mean([np.log(max(one.contrast, 1e-6)) for one in found])))
        return (
            f"{method[:31]:32}{max(one.shift for one in found):>5.1f} px"
            f"{brightness:>+12.1%}{contrast:>10.2f}"
            f"{max((one.frame for one in found), key=abs):>+7d}"
            f"{sum(bool(one.findings) for one in found):>8d}"
        )


def check_alike(case: str, images: Sequence[ComparedImage]) -> None:
    """Raise BuildError where the images of a case differ in size, channels or depth.

    Raises
    ------
    BuildError
    """
    first = images[0]
    for other in images[1:]:
        if other.pixels.shape[:2] != first.pixels.shape[:2]:
            raise BuildError(
                f"Case {case}: {first.method} is {_size(first.pixels)} and {other.method} "
                f"{_size(other.pixels)} pixels; the size would betray the method. Resample them to "
                "one grid."
            )
        if other.pixels.ndim != first.pixels.ndim:
            colour, gray = (first, other) if first.pixels.ndim == 3 else (other, first)
            raise BuildError(
                f"Case {case}: {colour.method} is in colour and {gray.method} is gray; make all of "
                "them the same."
            )
        if (other.bits <= 8) != (first.bits <= 8):
            low, high = (first, other) if first.bits <= 8 else (other, first)
            raise BuildError(
                f"Case {case}: {low.method} has {low.bits} bits and {high.method} {high.bits}; "
                "coarser gray levels would betray the method. Export all in the same depth."
            )


def check_content(case: str, image: ComparedImage) -> None:
    """Raise BuildError where an image has undefined pixels or shows nothing under the window.

    Raises
    ------
    BuildError
    """
    pixels = image.pixels
    bad = int(pixels.size - np.isfinite(pixels).sum())
    if bad:
        raise BuildError(
            f"Case {case}: the image of {image.method} has {bad} undefined pixels (NaN or "
            "infinite); export it again."
        )
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0.0 or high > 1.0:
        raise BuildError(
            f"Case {case}: the image of {image.method} reaches from {low:g} to {high:g} instead of "
            "0 to 1 of the window."
        )
    if high - low < FLAT:
        raise BuildError(
            f"Case {case}: the image of {image.method} is constant under the window of the case; "
            "its values are on another scale, or it is empty."
        )
    ends = float(((pixels <= 0.0) | (pixels >= 1.0)).mean())
    if ends > _SATURATED:
        raise BuildError(
            f"Case {case}: {ends:.1%} of the image of {image.method} is black or white under the "
            "window of the case; its values are on another scale. Export all images of a case in "
            "the same units."
        )


def check_marks(case: str, image: ComparedImage, base: ComparedImage) -> None:
    """Raise MarkFound where an image differs sharply from the base at its edge only.

    Text, a logo or a colour bar looks like that.

    Raises
    ------
    MarkFound
    """
    if place := _mark(image, base):
        raise MarkFound(
            f"Case {case}: {image.method} and {base.method} differ at the {place} as if text or a "
            "mark were burned into one of them; remove it, or accept this case if it is none."
        )


def _mark(image: ComparedImage, base: ComparedImage) -> str:
    """Where an image seems to have a mark, such as "bottom left edge"; empty where it has none.

    A mark is beyond everything that the other image has near the same place. What a filter makes of
    a bright border is not, and single pixels are noise. If the images show the same, either may be
    the filtered one, unless strong noise hides it or a mark may be a large part of the image.
    """
    one, other = gray(base.pixels), gray(image.pixels)
    gain = _gain(one, other)
    found, noise = _differing(one, other, gain)
    if not found.any():
        return ""
    gain_back = _gain(other, one)
    inside = _inside(one), _inside(other)
    if _gain(*inside) * _gain(*reversed(inside)) > _SAME:
        found &= _differing(one, other, math.copysign(1.0, gain))[0]
        back, noise_back = _differing(other, one, gain_back)
        if _NOISE_LIMIT * max(noise, noise_back) < _MARK and min(one.shape) >= _LARGE:
            found &= back
    # Filters differ in what they assume beyond the border.
    found[:_BORDER], found[-_BORDER:] = False, False
    found[:, :_BORDER], found[:, -_BORDER:] = False, False
    share, pixels = _tile_shares(found)
    inner = share[1:-1, 1:-1]
    edge = np.where(pixels >= _MARK_PIXELS, share, 0.0)
    edge[1:-1, 1:-1] = 0.0
    worst = float(edge.max())
    if worst < _MARK_SHARE or worst <= 4 * float(np.quantile(inner, 0.9)):
        return ""
    row, column = (int(i) for i in np.unravel_index(int(edge.argmax()), edge.shape))
    return _place(row, column)


def _inside(image: Array) -> Array:
    """The middle of an image, where no mark is."""
    rows, columns = (slice(length // 4, length - length // 4) for length in image.shape)
    return image[rows, columns]


def _gain(one: Array, other: Array) -> float:
    """The contrast of the other image, as a multiple of that of one."""
    spread = one - one.mean()
    return float((spread * other).sum() / max(float((spread * spread).sum()), 1e-12))


def _differing(one: Array, other: Array, gain: float) -> tuple[NDArray[np.bool_], float]:
    """Where two images differ sharply at a gain of contrast, and their noise."""
    from scipy.ndimage import gaussian_filter

    # Differences of brightness, contrast or lighting are measured elsewhere.
    spread = one - one.mean()
    rest = other - gain * spread
    slow = gaussian_filter(rest, max(4.0, min(one.shape) / 16))
    expected, sharp = gain * spread + slow, np.abs(rest - slow)
    (low, high), (least, most) = _extremes(expected), _extremes(other)
    beyond = np.maximum.reduce([other - high, low - other, expected - most, least - expected])
    # Where both images vary more than inside, as at a bright border, a filter changes much; but it
    # takes its values from the neighbourhood.
    span = np.minimum(high - low, most - least)
    usual = span <= _USUAL * float(np.quantile(_inside(span), 0.75))
    noise = 1.4826 * float(np.median(sharp))
    return np.where(usual, sharp, beyond) > max(_MARK, _NOISE_LIMIT * noise), noise


def _extremes(image: Array) -> tuple[Array, Array]:
    """The least and the greatest value around each pixel."""
    from scipy.ndimage import maximum_filter, minimum_filter

    side = 2 * _REACH + 1
    return np.asarray(minimum_filter(image, side)), np.asarray(maximum_filter(image, side))


def _tile_shares(mask: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Share and number of marked pixels in each tile."""
    rows, columns = (np.arange(_TILES) * side // _TILES for side in mask.shape)
    sums = np.add.reduceat(np.add.reduceat(mask.astype(np.float64), rows, 0), columns, 1)
    height, width = mask.shape
    area = np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
    return np.asarray(sums / area), np.asarray(sums)


def _place(row: int, column: int) -> str:
    last = _TILES - 1
    vertical = {0: "top", last: "bottom"}.get(row, "")
    horizontal = {0: "left", last: "right"}.get(column, "")
    return " ".join(word for word in (vertical, horizontal) if word) + " edge"


def _size(pixels: Pixels) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
