"""Drawing tools of the phantoms: antialiased shapes, tubes and band-limited texture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Points = NDArray[np.float64]

FAR = 4.0
"""The distance assigned to pixels far outside a shape."""

REACH = 0.25
"""Range outside a shape in which its distance is exact, in canvas units."""


@dataclass(frozen=True, eq=False)
class Vessel:
    """A centre line with its half-widths: ``points`` (N, 2) as (x, y), ``radii`` (N,)."""

    points: Points
    radii: NDArray[np.float64]


class Canvas:
    """A square of ``size`` pixels with x to the right and y down, both in [-1, 1].

    Parameters
    ----------
    size : int
        Side in pixels.
    rng : numpy Generator
        Draws the warp and the textures.
    warp : float
        Amplitude (in canvas units) of a smooth displacement that makes outlines organic.
    waves : float
        Highest spatial frequency of the warp, in cycles across the canvas.
    """

    def __init__(
        self, size: int, rng: np.random.Generator, *, warp: float = 0.0, waves: float = 3.0
    ) -> None:
        self.size = size
        self.rng = rng
        self.pixel = 2.0 / size
        self.warp = warp
        self.x, self.y = _grid(size)
        if warp > 0:
            self.x = self.x + warp * self.texture(0.5, waves)
            self.y = self.y + warp * self.texture(0.5, waves)

    def full(self, value: float) -> Plane:
        """A plane of one value."""
        return np.full((self.size, self.size), value, np.float32)

    def texture(self, low: float, high: float, stretch: float = 1.0) -> Plane:
        """Gaussian noise between two spatial frequencies, mean 0 and standard deviation 1.

        Parameters
        ----------
        low, high : float
            Band in cycles across the canvas, so that a texture keeps its scale at any size.
        stretch : float
            Above 1 the grains are longer along x.
        """
        from scipy.fft import irfft2, rfft2

        spectrum = rfft2(self.rng.standard_normal((self.size, self.size), np.float32))
        fy, fx = _frequencies(self.size)

        def below(limit: float) -> Plane:
            across = np.exp(-0.5 * (fx * stretch / limit) ** 2)
            down = np.exp(-0.5 * (fy / limit) ** 2)
            return as_plane(down[:, None] * across[None, :])

        gain = below(high) - below(low)
        gain[0, 0] = 0.0
        plane = np.asarray(irfft2(spectrum * gain, (self.size, self.size)), np.float32)
        return as_plane(plane / np.float32(max(float(plane.std()), 1e-9)))

    def edge(self, distance: NDArray[np.floating], soft: float = 1.0) -> Plane:
        """Coverage (1 inside) of a signed distance, antialiased over ``soft`` pixels."""
        ramp = np.clip(0.5 - distance.astype(np.float32) / (self.pixel * soft), 0.0, 1.0)
        return as_plane(ramp * ramp * (3.0 - 2.0 * ramp))

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, angle: float = 0.0, soft: float = 1.5
    ) -> Plane:
        """Coverage of an ellipse; ``angle`` in degrees, clockwise on the screen."""
        reach = soft * self.pixel
        return self.edge(self.ellipse_distance(x, y, rx, ry, angle, reach=reach), soft)

    def ellipse_distance(
        self, x: float, y: float, rx: float, ry: float, angle: float = 0.0, reach: float = REACH
    ) -> Plane:
        """Signed distance (first order) to an ellipse, negative inside, `FAR` beyond ``reach``."""
        distance = self.full(FAR)
        box = self._box(x, y, max(rx, ry) + reach)
        u, v = self._turned(box, x, y, angle)
        u, v = u / np.float32(rx), v / np.float32(ry)
        level = np.sqrt(u * u + v * v)
        u, v = u / np.float32(rx), v / np.float32(ry)
        slope = np.sqrt(u * u + v * v)
        distance[box] = level * (level - 1.0) / np.maximum(slope, 1e-6)
        return distance

    def blob_distance(
        self,
        x: float,
        y: float,
        radii: Sequence[float] | NDArray[np.float64],
        angle: float = 0.0,
        reach: float = REACH,
    ) -> Plane:
        """Signed distance to a closed smooth outline, negative inside, `FAR` beyond ``reach``.

        ``radii`` are its distances from (x, y) at equal angles, clockwise from +x.
        """
        terms = np.fft.rfft(np.asarray(radii, np.float64)) / len(radii)
        order = np.arange(len(terms))
        # A table of radii, one per degree, instead of a Fourier sum at each pixel.
        table_theta = np.linspace(-np.pi, np.pi, 361)
        weight = np.where((order == 0) | (2 * order == len(radii)), 1.0, 2.0)
        table = (weight * terms * np.exp(1j * np.outer(table_theta, order))).real.sum(1)
        table = np.maximum(table, 0.15 * np.mean(radii))
        steepness = np.gradient(table, table_theta) / table
        cosine = (1.0 / np.sqrt(1.0 + steepness**2)).astype(np.float32)

        distance = self.full(FAR)
        box = self._box(x, y, float(table.max()) + reach)
        u, v = self._turned(box, x, y, angle)
        place = (np.arctan2(v, u) + np.float32(np.pi)) * np.float32(180.0 / np.pi)
        left = np.clip(place.astype(np.intp), 0, 359)
        part = place - left.astype(np.float32)
        edge = table.astype(np.float32)
        radius = edge[left] + part * (edge[left + 1] - edge[left])
        distance[box] = (np.sqrt(u * u + v * v) - radius) * cosine[left]
        return distance

    def blob(
        self,
        x: float,
        y: float,
        radii: Sequence[float] | NDArray[np.float64],
        angle: float = 0.0,
        soft: float = 1.5,
    ) -> Plane:
        """Coverage of `blob_distance`."""
        reach = soft * self.pixel
        return self.edge(self.blob_distance(x, y, radii, angle, reach), soft)

    def tubes_distance(self, vessels: Sequence[Vessel], reach: float = 1.5) -> Plane:
        """Signed distance to a union of tubes, exact to ``reach`` pixels outside, large beyond."""
        far = np.full(self.size * self.size, FAR, np.float32)
        if not vessels:
            return far.reshape(self.size, self.size)
        dense = [_densify(vessel, 0.75 * self.pixel) for vessel in vessels]
        points = (np.concatenate([vessel.points for vessel in dense]) + 1.0) / self.pixel - 0.5
        radii = np.concatenate([vessel.radii for vessel in dense]) / self.pixel
        half = np.ceil(radii + reach).astype(np.int64)
        for width in np.unique(half):
            chosen = half == width
            self._stamp(far, points[chosen], radii[chosen], int(width))
        return far.reshape(self.size, self.size)

    def tubes(self, vessels: Sequence[Vessel], soft: float = 1.0) -> Plane:
        """Coverage of a union of tubes; those thinner than a pixel are fainter, not wider."""
        reach = 0.5 * soft + 1.0
        distance = self.tubes_distance(vessels, reach)
        ramp = np.clip(0.5 - distance / (self.pixel * soft), 0.0, 1.0)
        return as_plane(ramp)

    def _stamp(self, far: Plane, points: Points, radii: NDArray[np.float64], half: int) -> None:
        span = np.arange(-half, half + 1)
        base = np.rint(points).astype(np.int64)
        columns = base[:, 0, None, None] + span[None, None, :]
        rows = base[:, 1, None, None] + span[None, :, None]
        gap = np.hypot(columns - points[:, 0, None, None], rows - points[:, 1, None, None])
        signed = ((gap - radii[:, None, None]) * self.pixel).astype(np.float32)
        inside = (columns >= 0) & (columns < self.size) & (rows >= 0) & (rows < self.size)
        index = rows * self.size + columns
        np.minimum.at(far, index[inside], signed[inside])

    def _box(self, x: float, y: float, half: float) -> tuple[slice, slice]:
        """The pixels within ``half`` of (x, y) along each axis, with room for the warp."""
        half += 4.0 * self.warp + self.pixel
        edges = [(at + side * half + 1.0) / self.pixel for at in (y, x) for side in (-1, 1)]
        top, bottom, left, right = (int(np.clip(edge, 0, self.size)) for edge in edges)
        return slice(top, bottom + 1), slice(left, right + 1)

    def _turned(
        self, box: tuple[slice, slice], x: float, y: float, angle: float
    ) -> tuple[Plane, Plane]:
        turn = np.deg2rad(angle)
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        u, v = self.x[box] - np.float32(x), self.y[box] - np.float32(y)
        return c * u + s * v, c * v - s * u


def as_plane(values: object) -> Plane:
    """``values`` as float32, without a copy where they are already."""
    return np.asarray(values, np.float32)


def paint(plane: NDArray[np.float32], value: float | Plane, coverage: Plane) -> None:
    """Lay ``value`` over ``plane`` where ``coverage`` is 1, in place."""
    plane += (value - plane) * coverage


def curve(points: Sequence[tuple[float, float]], radius: float, taper: float = 1.0) -> Vessel:
    """A smooth open curve through a few points; its radius ends at ``radius * taper``."""
    from scipy.interpolate import CubicSpline

    knots = np.asarray(points, np.float64)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(knots, axis=0).T))])
    where = np.linspace(0.0, along[-1], 48)
    line = CubicSpline(along, knots)(where)
    return Vessel(line, radius * np.linspace(1.0, taper, len(where)))


def tree(
    rng: np.random.Generator,
    start: tuple[float, float],
    heading: float,
    length: float,
    radius: float,
    *,
    depth: int = 3,
    bend: float = 0.0,
    wiggle: float = 0.05,
    children: int = 3,
) -> list[Vessel]:
    """A branching vessel.

    Parameters
    ----------
    start, heading, length, radius
        Of the trunk: canvas units and radians (clockwise, 0 to the right).
    depth : int
        Generations of branches after the trunk.
    bend : float
        Steady turn along the trunk, in radians over its length.
    wiggle : float
        Standard deviation of the random turn at each of 24 steps, in radians.
    children : int
        Branches a generation.
    """
    steps = 24
    turns = bend / steps + wiggle * rng.standard_normal(steps)
    headings = heading + np.cumsum(turns)
    move = length / steps * np.stack([np.cos(headings), np.sin(headings)], 1)
    points = np.concatenate([[start], np.asarray(start) + np.cumsum(move, 0)])
    radii = radius * np.linspace(1.0, 0.45, steps + 1)
    vessels = [Vessel(points, radii)]
    if depth == 0:
        return vessels
    side = 1 if rng.random() < 0.5 else -1
    for spot in np.linspace(0.3, 1.0, children + 1)[:-1] + rng.uniform(0.0, 0.15, children):
        k = int(min(spot, 1.0) * (steps - 1))
        vessels += tree(
            rng,
            (float(points[k, 0]), float(points[k, 1])),
            float(headings[k]) + side * rng.uniform(0.45, 0.95),
            length * rng.uniform(0.4, 0.65),
            float(radii[k]) * rng.uniform(0.55, 0.75),
            depth=depth - 1,
            bend=-side * rng.uniform(0.0, 0.5),
            wiggle=wiggle,
            children=children,
        )
        side = -side
    return vessels


def _densify(vessel: Vessel, spacing: float) -> Vessel:
    gaps = np.hypot(*np.diff(vessel.points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(gaps)])
    where = np.linspace(0.0, along[-1], max(2, int(along[-1] / spacing) + 1))
    x = np.interp(where, along, vessel.points[:, 0])
    y = np.interp(where, along, vessel.points[:, 1])
    return Vessel(np.stack([x, y], 1), np.interp(where, along, vessel.radii))


@lru_cache(maxsize=4)
def _grid(size: int) -> tuple[Plane, Plane]:
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1.0).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    x.setflags(write=False)
    y.setflags(write=False)
    return x, y


@lru_cache(maxsize=4)
def _frequencies(size: int) -> tuple[Plane, Plane]:
    fy = np.fft.fftfreq(size, 1.0 / size).astype(np.float32)
    fx = np.fft.rfftfreq(size, 1.0 / size).astype(np.float32)
    return fy, fx
