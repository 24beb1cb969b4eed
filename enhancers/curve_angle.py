"""The ultrasound curve angles of a spine from its segmentation, with the lines they lie between.

A line goes through the paired transverse processes of a thoracic level, or along the shadow of a
lumbar vertebra; the angle of a curve is that between its two most tilted lines (Lee et al., "3D
ultrasound imaging provides reliable angle measurement with validity comparable to X-ray in patients
with adolescent idiopathic scoliosis", J Orthop Translat 2021). Nothing is learned: the lines follow
from the centroids and axes of the segmented structures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

CLASSES = ("background", "transverse process", "rib", "lumbar lump")
"""What the values of a segmentation mean."""
BACKGROUND, TRANSVERSE_PROCESS, RIB, LUMP = range(len(CLASSES))

LEAST_AREA = 0.3
"""Pieces smaller than this share of the median piece of their class are left out."""
MERGED_AREA = 1.6
"""From this multiple of the median area on, a piece is several that touch."""
FLOOR_AREA = 4
ELONGATED = 1.5
"""Least ratio of the axes of a lump along which a line can be drawn."""
OUTLIER_DEGREES, NEIGHBOURS = 15.0, 3
"""Tilts that differ more from what so many of the nearest levels let expect are left out."""
MOST_DEGREE = 5
ITERATIONS = 8

Points = NDArray[np.float64]


@dataclass(frozen=True)
class LevelLine:
    """A line through a level of the spine, from ``left`` to ``right``: (x, y) in pixels."""

    left: tuple[float, float]
    right: tuple[float, float]

    @property
    def tilt(self) -> float:
        """In degrees, positive where the right end is higher."""
        (x0, y0), (x1, y1) = self.left, self.right
        return math.degrees(math.atan2(y0 - y1, x1 - x0))

    @property
    def height(self) -> float:
        """The y of its middle, in pixels."""
        return (self.left[1] + self.right[1]) / 2


@dataclass(frozen=True)
class CurveAngle:
    """The angle of a curve in degrees and the lines that it lies between.

    ``degrees`` is the tilt of ``upper`` less that of ``lower``; positive for a curve that is convex
    to the right of the image.
    """

    degrees: float
    upper: LevelLine
    lower: LevelLine


@dataclass(frozen=True)
class SpineAngles:
    """UCA-T and UCA-L with every line that was found.

    An angle is None where fewer than two levels were found.
    """

    thoracic: CurveAngle | None
    lumbar: CurveAngle | None
    thoracic_lines: tuple[LevelLine, ...]
    lumbar_lines: tuple[LevelLine, ...]


def spine_angles(classes: NDArray[np.integer]) -> SpineAngles:
    """Measure the two curve angles in a segmentation.

    Parameters
    ----------
    classes : ndarray of int, shape (H, W)
        Places in `CLASSES`.
    """
    processes = _pieces(classes == TRANSVERSE_PROCESS)
    lumps = _pieces(classes == LUMP)
    thoracic = _steady(_paired(processes, lumps))
    lumbar = _steady(_along(lumps))
    return SpineAngles(most_tilted(thoracic), most_tilted(lumbar), thoracic, lumbar)


def most_tilted(lines: Sequence[LevelLine]) -> CurveAngle | None:
    """The angle between the two lines, sorted from the top, that differ most; None without two."""
    if len(lines) < 2:
        return None
    upper, lower = max(combinations(lines, 2), key=lambda two: abs(two[0].tilt - two[1].tilt))
    return CurveAngle(upper.tilt - lower.tilt, upper, lower)


def _pieces(marked: NDArray[np.bool_]) -> list[Points]:
    """The pixels (x, y) of each connected piece, without specks; those that touch are divided."""
    from scipy.ndimage import find_objects, label

    numbers, _ = label(marked)
    found = []
    for number, box in enumerate(find_objects(numbers), start=1):
        rows, columns = np.nonzero(numbers[box] == number)
        found.append(np.stack([columns + box[1].start, rows + box[0].start], 1).astype(np.float64))
    found = [piece for piece in found if len(piece) >= FLOOR_AREA]
    if not found:
        return []
    usual = float(np.median([len(piece) for piece in found]))
    divided: list[Points] = []
    for piece in found:
        if len(piece) >= LEAST_AREA * usual:
            divided += _divided(piece, usual)
    return divided


def _divided(piece: Points, usual: float) -> list[Points]:
    """A piece as those it consists of, one below the other."""
    count = round(len(piece) / usual)
    if len(piece) < MERGED_AREA * usual or count < 2:
        return [piece]
    return [piece[part] for part in np.array_split(np.argsort(piece[:, 1]), count)]


def _along(lumps: Sequence[Points]) -> list[LevelLine]:
    """The lines along the long axes of lumps."""
    lines = []
    for piece in lumps:
        middle = piece.mean(0)
        spread, axes = np.linalg.eigh(np.cov((piece - middle).T))
        if spread[1] < ELONGATED**2 * max(spread[0], 1e-9) or abs(axes[0, 1]) < math.sqrt(0.5):
            continue
        # A uniform bar of length l has the variance l² / 12.
        half = axes[:, 1] * np.sign(axes[0, 1]) * math.sqrt(3 * spread[1])
        (x0, y0), (x1, y1) = middle - half, middle + half
        lines.append(LevelLine((float(x0), float(y0)), (float(x1), float(y1))))
    return lines


def _paired(processes: Sequence[Points], lumps: Sequence[Points]) -> list[LevelLine]:
    """The lines through the left and right transverse process of each level."""
    if len(processes) < 4:
        return []
    centres = np.array([piece.mean(0) for piece in processes])
    below = np.array([piece.mean(0) for piece in lumps]).reshape(-1, 2)
    line, sides = _centre_line(centres, below)
    places = _along_line(centres, line)
    left, right = (np.flatnonzero(sides == side) for side in (-1, 1))
    if not len(left) or not len(right):
        return []
    gaps = np.abs(places[left][:, None] - places[right][None, :])
    pitches = np.concatenate([np.diff(np.sort(places[side])) for side in (left, right)])
    most = 0.6 * float(np.median(pitches)) if len(pitches) else 0.0
    lines = []
    for row, column in enumerate(gaps.argmin(1)):
        if gaps[:, column].argmin() == row and gaps[row, column] <= most:
            (x0, y0), (x1, y1) = centres[left[row]], centres[right[column]]
            lines.append(LevelLine((float(x0), float(y0)), (float(x1), float(y1))))
    return lines


def _centre_line(centres: Points, below: Points) -> tuple[np.poly1d, NDArray[np.float64]]:
    """The midline x(y) of pairs and lumps, and the side (-1 left, 1 right) of each centre.

    Both sides are fitted by one polynomial with an offset to either side, in turn with the choice
    of the sides, since a level may have lost one of its two structures.
    """
    every = np.concatenate([centres, below])
    middle, scale = every[:, 1].mean(), max(float(np.ptp(every[:, 1])) / 2, 1.0)
    heights = (every[:, 1] - middle) / scale
    degree = min(MOST_DEGREE, max(1, len(centres) // 4))
    sides = np.concatenate([np.zeros(len(centres)), np.zeros(len(below))])
    # The first guess is smooth: where sides are unknown a flexible line would follow one of them.
    powers = np.vander(heights, min(degree, 3) + 1)
    for _ in range(ITERATIONS):
        offsets = np.column_stack([powers, sides])
        found = np.linalg.lstsq(offsets, every[:, 0], rcond=None)[0]
        off = every[:, 0] - powers @ found[:-1]
        chosen = np.where(np.arange(len(every)) < len(centres), np.where(off < 0, -1.0, 1.0), 0.0)
        coefficients = found[:-1]
        if np.array_equal(chosen, sides) and powers.shape[1] == degree + 1:
            break
        sides, powers = chosen, np.vander(heights, degree + 1)
    shifted = np.poly1d(coefficients)(np.poly1d([1 / scale, -middle / scale]))
    return shifted, sides[: len(centres)]


def _along_line(centres: Points, line: np.poly1d) -> NDArray[np.float64]:
    """The length along the midline up to the point of it that is next to each centre, in pixels."""
    low, high = centres[:, 1].min(), centres[:, 1].max()
    margin = 0.1 * (high - low)
    y = np.linspace(low - margin, high + margin, 2000)
    x = line(y)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    squared = (centres[:, :1] - x) ** 2 + (centres[:, 1:] - y) ** 2
    return np.asarray(length[squared.argmin(1)])


def _steady(lines: Sequence[LevelLine]) -> tuple[LevelLine, ...]:
    """The lines from the top, without those whose tilt does not follow from their neighbours'."""
    ordered = sorted(lines, key=lambda line: line.height)
    if len(ordered) < NEIGHBOURS + 1:
        return tuple(ordered)
    heights = np.array([line.height for line in ordered])
    tilts = np.array([line.tilt for line in ordered])
    kept = []
    for place, line in enumerate(ordered):
        near = np.argsort(np.abs(heights - heights[place]), kind="stable")[1 : NEIGHBOURS + 1]
        expected = _on_line(heights[near], tilts[near], heights[place])
        # A gap is bridged by the median, which a line through few levels would overshoot.
        off = min(abs(tilts[place] - expected), abs(tilts[place] - np.median(tilts[near])))
        if off <= OUTLIER_DEGREES:
            kept.append(line)
    return tuple(kept)


def _on_line(heights: NDArray[np.float64], tilts: NDArray[np.float64], height: float) -> float:
    """The tilt at a height by the straight line through levels; their mean at one height."""
    off = heights - heights.mean()
    spread = float(off @ off)
    slope = float(off @ tilts) / spread if spread > 1e-9 else 0.0
    return float(tilts.mean() + slope * (height - heights.mean()))
