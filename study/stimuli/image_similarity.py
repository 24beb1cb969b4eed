"""Differences between an image and the base of its case that could reveal its method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pixels = NDArray[np.float32]

SHIFT_LIMIT = 0.5
"""Shift against the base of the case, in pixels, above which it is reported."""
BRIGHTNESS_LIMIT = 0.05
"""Difference of the mean, as a share of the window, above which it is reported."""
CONTRAST_LIMIT = 1.25
"""Ratio of the standard deviations, or its inverse, above which it is reported."""
_BETTER = 0.8
"""Share of the remaining difference that a displacement leaves at most."""
FRAME_LIMIT = 2
"""Difference of the width of a constant frame, in pixels, from which it is reported."""

MOST_COMPARED = 9
"""Slices of a stack that are compared: what betrays a method is in all of them."""
FLAT = 2e-3
"""An image is constant below this max - min (half an 8-bit gray level)."""


@dataclass(frozen=True, eq=False)
class ComparedImage:
    """The image of a method for one case, under the window of the case.

    Parameters
    ----------
    method : str
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
    bits : int
        Significant bits of a sample in the file it came from.
    """

    method: str
    pixels: Pixels
    bits: int = 16


@dataclass(frozen=True)
class Similarity:
    """How an image differs from the base of its case, the reference where there is one.

    Parameters
    ----------
    case, method : str
    shift : float
        Length of the displacement in pixels.
    brightness : float
        Difference of the mean, as a share of the window.
    contrast : float
        Ratio of the standard deviations.
    frame : int
        Difference of the width of a constant frame in pixels, at the side that differs most.
    mirrored : bool
        Whether a mirrored image fits better.
    identical : bool
        Whether no pixel differs.
    displaced : bool
        Whether the image fits the base better when it is moved back.
    """

    case: str
    method: str
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 1.0
    frame: int = 0
    mirrored: bool = False
    identical: bool = False
    displaced: bool = False

    @property
    def moved(self) -> tuple[str, ...]:
        """Orientation and position, where they differ, as phrases."""
        if self.mirrored:
            return ("mirrored or turned over",)
        return (f"shifted by {self.shift:.1f} px",) if self.displaced else ()

    @property
    def findings(self) -> tuple[str, ...]:
        """The differences beyond the limits, as phrases."""
        found = [*self.moved]
        if abs(self.brightness) > BRIGHTNESS_LIMIT:
            word = "brighter" if self.brightness > 0 else "darker"
            found.append(f"{word} by {abs(self.brightness):.0%} of the window")
        if not 1 / CONTRAST_LIMIT <= self.contrast <= CONTRAST_LIMIT:
            found.append(f"contrast {self.contrast:.2f} times")
        if abs(self.frame) >= FRAME_LIMIT:
            found.append(f"constant frame {self.frame:+d} px")
        if self.identical:
            found.append("the same pixels")
        return tuple(found)


def measure(case: str, image: ComparedImage, base: ComparedImage) -> Similarity:
    """Measure the differences between an image and the base of its case."""
    one, other = gray(base.pixels), gray(image.pixels)
    by = displacement(one, other)
    length = float(np.hypot(*by))
    frames = (np.array(_frame(other)) - np.array(_frame(one))).tolist()
    return Similarity(
        case,
        image.method,
        shift=length,
        displaced=length > SHIFT_LIMIT and _fits_better(one, other, by),
        brightness=float(other.mean() - one.mean()),
        contrast=float(other.std() / max(float(one.std()), 1e-6)),
        frame=max(frames, key=abs),
        mirrored=_mirrored(one, other),
        identical=bool(np.array_equal(base.pixels, image.pixels)),
    )


def compared_slices(count: int) -> list[int]:
    """Slices of a stack that are compared: `MOST_COMPARED` from end to end, or all."""
    most = min(count, MOST_COMPARED)
    return sorted({round(place * (count - 1) / max(most - 1, 1)) for place in range(most)})


def of_stack(parts: Sequence[Similarity]) -> Similarity:
    """How a stack differs from its base, from slices of it: usual and worst differences."""
    moved = [one for one in parts if one.displaced]
    return replace(
        parts[0],
        shift=max(one.shift for one in moved or parts),
        displaced=bool(moved),
        brightness=float(np.mean([one.brightness for one in parts])),
        contrast=float(np.median([one.contrast for one in parts])),
        frame=int(np.median([one.frame for one in parts])),
        mirrored=any(one.mirrored for one in parts),
        identical=all(one.identical for one in parts),
    )


def displacement(base: Array, image: Array) -> tuple[float, float]:
    """Displacement between two gray images in rows and columns, by phase correlation.

    After Kuglin and Hines (1975), with the spectrum divided by the square root of its magnitude
    only, and high frequencies weighted down, because they may be noise. The peak is interpolated by
    a parabola.
    """
    window = np.outer(np.hanning(base.shape[0]), np.hanning(base.shape[1]))
    one, other = (np.fft.fft2((x - x.mean()) * window) for x in (base, image))
    cross = other * one.conj()
    rows, columns = (np.fft.fftfreq(side) for side in base.shape)
    weight = np.exp(-(rows[:, None] ** 2 + columns[None, :] ** 2) / (2 * 0.25**2))
    surface = np.fft.ifft2(cross / np.sqrt(np.maximum(np.abs(cross), 1e-12)) * weight).real
    peak = np.unravel_index(int(surface.argmax()), surface.shape)
    return _refined(surface, peak, 0), _refined(surface, peak, 1)


def _fits_better(base: Array, image: Array, by: tuple[float, float]) -> bool:
    """Whether an image that is moved back by a displacement is closer to the base.

    In a smooth image with noise the peak of the correlation may be anywhere near the middle.
    """
    from scipy.ndimage import shift

    back = shift(image, (-by[0], -by[1]), order=1, mode="nearest")
    margin = min(int(np.ceil(max(abs(by[0]), abs(by[1])))) + 2, min(base.shape) // 4)
    inside = (slice(margin, -margin), slice(margin, -margin))
    before, after = (_correlation(base[inside], each[inside]) for each in (image, back))
    return 1 - after < _BETTER * (1 - before)


def _refined(surface: Array, peak: tuple[np.intp, ...], axis: int) -> float:
    """Position of the peak along an axis, signed, between the samples."""
    side = surface.shape[axis]
    place = list(peak)
    around: list[float] = []
    for step in (-1, 0, 1):
        place[axis] = np.intp((int(peak[axis]) + step) % side)
        around.append(float(surface[tuple(place)]))
    bend = around[0] - 2 * around[1] + around[2]
    offset = 0.5 * (around[0] - around[2]) / bend if bend < 0 else 0.0
    whole = int(peak[axis])
    return (whole if whole <= side // 2 else whole - side) + offset


def _mirrored(base: Array, image: Array) -> bool:
    as_it_is = _correlation(base, image)
    turned = (image[::-1], image[:, ::-1], image[::-1, ::-1])
    return max(_correlation(base, other) for other in turned) > max(as_it_is + 0.1, 0.5)


def _correlation(one: Array, other: Array) -> float:
    from scipy.ndimage import gaussian_filter

    a, b = (gaussian_filter(x, 2.0) for x in (one, other))
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-12))


def _frame(image: Array) -> tuple[int, int, int, int]:
    """Width of the constant frame at the top, bottom, left and right."""
    sides = (image, image[::-1], image.T, image.T[::-1])
    return (_flat_rows(sides[0]), _flat_rows(sides[1]), _flat_rows(sides[2]), _flat_rows(sides[3]))


def _flat_rows(image: Array) -> int:
    flat = np.abs(image - image[0, 0]).max(axis=1) < FLAT / 2
    return len(flat) if flat.all() else int(flat.argmin())


def gray(pixels: Pixels) -> Array:
    """The mean of the channels."""
    values = pixels.astype(np.float64)
    return values.mean(axis=2) if values.ndim == 3 else values
