"""The spine of the phantom in three dimensions: curves, vertebrae, ribs, and their outlines.

Lengths are shares of the height of the image, x to the right and y down from its upper left corner;
depth grows from the skin inwards, 0 at the transverse processes of a straight spine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.curve_angle import BACKGROUND, LUMP, RIB, TRANSVERSE_PROCESS
from enhancers.phantoms.canvas import Plane, as_plane

LEVELS = (*(f"T{number}" for number in range(2, 13)), *(f"L{number}" for number in range(1, 6)))
"""The vertebrae that are drawn, from the head downwards."""
THORACIC = 11
"""How many of them are thoracic."""
SPINOUS_PROCESS = BACKGROUND
"""The kind of a structure that is drawn, and background in the mask."""
TOP, THORACIC_PITCH, JUNCTION, LUMBAR_PITCH = 0.06, (0.046, 0.056), 0.064, 0.073
RELAXED = 0.3
"""Part of its tilt that the spine keeps beyond the end of a curve."""
CHEST = 0.5
"""Part of the tilt of a vertebra that its ribs level out towards the side."""
RIM = 0.02
"""How far outside an outline its distance is given."""


@dataclass(frozen=True)
class Curves:
    """The ultrasound curve angles of a spine in degrees, -50 to 50.

    Each is the tilt of the upper end of the curve less that of its lower end; it is positive for a
    curve that is convex to the right of the image.
    """

    thoracic: float
    lumbar: float


@dataclass(frozen=True)
class Vertebra:
    """A vertebra: ``x``, ``y`` of its centre, and how it is turned.

    ``tilt`` in degrees is positive where its right end in the image is raised; ``rotation`` in
    degrees, about the axis of the spine, is positive where its right side lies deeper.
    """

    name: str
    x: float
    y: float
    tilt: float
    rotation: float
    depth: float
    scale: float


@dataclass(frozen=True, eq=False)
class Part:
    """A structure as it is drawn.

    Parameters
    ----------
    kind : int
        `TRANSVERSE_PROCESS`, `RIB`, `LUMP` or `SPINOUS_PROCESS`.
    depth : float
    box : tuple of slice
        The pixels that ``distance`` is of.
    distance : ndarray, float32
        Signed, negative inside.
    upper : ndarray, bool
        Above the structure in its own frame, where its surface faces the transducer.
    """

    kind: int
    depth: float
    box: tuple[slice, slice]
    distance: Plane
    upper: NDArray[np.bool_]


def spine(curves: Curves, rng: np.random.Generator) -> tuple[Vertebra, ...]:
    """The vertebrae of a spine with these curves; all but the angles is drawn from ``rng``."""
    along = _positions(rng)
    tilts = _tilts(curves, along, rng)
    steps = np.linspace(along[0], along[-1], 400)
    slopes = np.deg2rad(np.interp(steps, along, tilts))
    step = steps[1] - steps[0]
    x = np.interp(along, steps, np.cumsum(np.sin(slopes)) * step)
    y = np.interp(along, steps, np.cumsum(np.cos(slopes)) * step)
    x += 0.5 - x.mean()
    y += 0.5 - (y[0] + y[-1]) / 2
    rotations = _rotations(curves, along, rng)
    wave = rng.uniform(0.002, 0.009) * np.sin(2 * np.pi * (along * rng.uniform(0.7, 1.4)
                                                           + rng.uniform()))  # fmt: skip
    depths = wave + rng.normal(0.0, 0.005, len(along))
    scales = rng.uniform(0.92, 1.08) * (1 + rng.normal(0.0, 0.025, len(along)))
    return tuple(
        Vertebra(name, *(float(value) for value in values))
        for name, *values in zip(LEVELS, x, y, tilts, rotations, depths, scales, strict=True)
    )


def angles(vertebrae: tuple[Vertebra, ...]) -> Curves:
    """The curve angles of a spine: between its most tilted thoracic, and lumbar, vertebrae."""
    tilts = [each.tilt for each in vertebrae]
    return Curves(widest(tilts[:THORACIC]), widest(tilts[THORACIC:]))


def widest(tilts: list[float]) -> float:
    """The largest tilt of a level less that of one below it, by its size; with its sign."""
    found = [a - b for place, a in enumerate(tilts) for b in tilts[place + 1 :]]
    return max(found, key=abs)


def _positions(rng: np.random.Generator) -> NDArray[np.float64]:
    """Of each level along the spine."""
    thoracic = np.linspace(*THORACIC_PITCH, THORACIC - 1)
    lumbar = np.full(len(LEVELS) - THORACIC - 1, LUMBAR_PITCH)
    gaps = np.concatenate([thoracic, [JUNCTION], lumbar]) * rng.uniform(0.97, 1.03)
    return TOP + np.concatenate([[0.0], np.cumsum(gaps)])


def _tilts(
    curves: Curves, along: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Tilt of each level in degrees: monotone between the ends of a curve, relaxed beyond."""
    from scipy.interpolate import PchipInterpolator

    middle, low = rng.normal(0.0, 2.5, 2)
    half, half_low = curves.thoracic / 2, curves.lumbar / 2
    first = int(rng.integers(1, 5))
    last = int(rng.integers(THORACIC - 3, THORACIC))
    if abs(low + half_low - middle) > abs(half):
        # The tilt grows on towards the lumbar curve, so that the last level is the most tilted.
        last = THORACIC - 1
    knots = {
        0: middle + RELAXED * half,
        first: middle + half,
        last: middle - half,
        # The few lumbar levels share their curve equally.
        **dict(enumerate(np.linspace(low + half_low, low - half_low, 5), start=THORACIC)),
    }
    places = list(knots)
    line = PchipInterpolator(along[places], list(knots.values()))
    return np.asarray(line(along), np.float64)


def _rotations(
    curves: Curves, along: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Axial rotation of each level in degrees: it is most at the apex of a curve."""
    total = rng.normal(0.0, 1.5, len(along))
    for angle, apex, width in (
        (curves.thoracic, along[THORACIC // 2], 0.14),
        (curves.lumbar, along[THORACIC + 2], 0.10),
    ):
        most = rng.uniform(0.2, 0.5) * angle
        total += most * np.exp(-0.5 * ((along - apex) / width) ** 2)
    return np.asarray(total)


def parts(vertebrae: tuple[Vertebra, ...], size: int, dx: float, dy: float) -> Iterator[Part]:
    """Every structure of a spine that is moved by ``dx`` and ``dy``, on ``size`` pixels."""
    for place, vertebra in enumerate(vertebrae):
        frame = _Frame(vertebra, size, dx, dy)
        if place < THORACIC:
            share = place / (THORACIC - 1)
            span = (0.088 - 0.022 * share) * vertebra.scale
            yield frame.spinous_process(0.016)
            for side in (-1, 1):
                yield frame.transverse_process(side, span, 0.018 + 0.002 * share)
                # The last rib is short.
                yield frame.rib(side, span, 0.13 if place < THORACIC - 1 else 0.07)
        else:
            yield frame.spinous_process(0.024)
            yield frame.lump(0.068 * vertebra.scale, 0.02 * vertebra.scale)


class _Frame:
    """Draws in the frame of a vertebra: u to its right end, v down along the spine."""

    def __init__(self, vertebra: Vertebra, size: int, dx: float, dy: float) -> None:
        self.size, self.vertebra = size, vertebra
        self.x, self.y = vertebra.x + dx, vertebra.y + dy
        turn = np.deg2rad(vertebra.tilt)
        self.cos, self.sin = float(np.cos(turn)), float(np.sin(turn))
        spin = np.deg2rad(vertebra.rotation)
        self.narrowed, self.deeper = float(np.cos(spin)), float(np.sin(spin))

    def _depth(self, u: float) -> float:
        return self.vertebra.depth + u * self.deeper

    def _box(self, u: float, v: float, reach: float) -> tuple[tuple[slice, slice], Plane, Plane]:
        """Pixels around a place, and their u and v from it."""
        x = self.x + u * self.cos + v * self.sin
        y = self.y - u * self.sin + v * self.cos
        edges = [
            int(np.clip(np.floor((at + side * reach) * self.size), 0, self.size))
            for at in (y, x)
            for side in (-1, 1)
        ]
        box = slice(edges[0], edges[1] + 1), slice(edges[2], edges[3] + 1)
        rows, columns = np.mgrid[box[0].start : min(box[0].stop, self.size),
                                 box[1].start : min(box[1].stop, self.size)]  # fmt: skip
        across = (columns + 0.5) / self.size - x
        down = (rows + 0.5) / self.size - y
        return (
            box,
            as_plane(across * self.cos - down * self.sin),
            as_plane(across * self.sin + down * self.cos),
        )

    def transverse_process(self, side: int, span: float, radius: float) -> Part:
        """A semicircle with its round side up."""
        u = side * span * self.narrowed + 0.03 * self.deeper
        # So that the centroid of the half disc is in line with the vertebra.
        box, across, down = self._box(u, 0.42 * radius, 2 * radius + RIM)
        disc = np.hypot(across / 1.25, down) - radius
        return Part(TRANSVERSE_PROCESS, self._depth(u), box, np.maximum(disc, down), down < 0)

    def rib(self, side: int, span: float, length: float) -> Part:
        """A band from the transverse process to the side and down."""
        start = side * (span * self.narrowed + 0.024) + 0.03 * self.deeper
        middle = start + side * length / 2
        box, across, down = self._box(middle, 0.0, 0.7 * length + RIM)
        # The chest follows the tilt of its vertebra in part.
        level = side * float(np.tan(np.deg2rad(self.vertebra.tilt))) * CHEST
        distance = np.full(across.shape, 1.0, np.float32)
        for share in np.linspace(0.0, 1.0, 24):
            u = side * (share - 0.5) * length
            v = share * length * (level + 0.1 + 0.25 * share)
            distance = np.minimum(distance, np.hypot(across - u, down - v))
        return Part(RIB, self._depth(start) + 0.004, box, as_plane(distance - 0.0075), down < 0.01)

    def lump(self, half_width: float, half_height: float) -> Part:
        """A rectangle with rounded corners."""
        box, across, down = self._box(0.03 * self.deeper, 0.0, half_width + RIM)
        corner = 0.008
        a = np.abs(across) - (half_width * self.narrowed - corner)
        b = np.abs(down) - (half_height - corner)
        outside = np.hypot(np.maximum(a, 0), np.maximum(b, 0))
        distance = as_plane(outside + np.minimum(np.maximum(a, b), 0) - corner)
        return Part(LUMP, self._depth(0.0), box, distance, down < 0)

    def spinous_process(self, half_height: float) -> Part:
        """A short line, which a rotation carries to the concave side; it lies shallower."""
        box, across, down = self._box(0.09 * self.deeper, 0.01, half_height + RIM)
        distance = np.hypot(across, np.maximum(np.abs(down) - half_height, 0)) - 0.007
        return Part(SPINOUS_PROCESS, self._depth(0.0) - 0.04, box, as_plane(distance), down < 0)
