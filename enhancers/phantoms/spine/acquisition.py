"""Coronal projections of the phantom's volume at five depths, as a scanner makes them.

The echo of each place is a circular complex Gaussian whose variance is the sum of what tissue, haze
and receiver contribute (fully developed speckle). A projection is the mean envelope of the layers
of a slab, log-compressed to `DYNAMIC_RANGE` dB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from enhancers.curve_angle import LUMP, RIB, TRANSVERSE_PROCESS
from enhancers.phantoms.canvas import Canvas, Plane, as_plane
from enhancers.phantoms.spine.anatomy import SPINOUS_PROCESS, Part

DEPTHS = 5
OPTIMAL_SHARES = (0.109, 0.205, 0.252, 0.259, 0.174)
"""How often each depth, from superficial to deep, is the best one (the paper's weights)."""
SPACING = 0.016
"""Between depths, in shares of the height of the image."""
SHALLOWER, DEEPER = 1.1, 1.8
"""Standard deviation, in depths, of the visibility of a bone above it, and below in its shadow."""
DYNAMIC_RANGE = 45.0
"""In dB, from black to white."""
TISSUE, GRAY = 0.62, {TRANSVERSE_PROCESS: 0.10, RIB: 0.22, LUMP: 0.10, SPINOUS_PROCESS: 0.34}
"""Gray of soft tissue and of the structures in the artefact-free image."""
HALF_WIDTH = 0.30
"""Of the scanned strip, in shares of the image."""
CELL = (0.0042, 0.0030)
"""Standard deviation of the point-spread function, across and along the sweep."""


@dataclass(frozen=True)
class Level:
    """How difficult a subject is to image.

    Parameters
    ----------
    attenuation : float
        In dB from one depth to the next; the gain compensates it, and amplifies noise.
    noise, haze : float
        Of the receiver and of multipath reflections, in dB relative to white.
    layers : int
        Layers of a slab, which a projection averages.
    strips, shadows, streaks : tuple of (int, int)
        Least and most missing strips and shadows of a sweep, and streaks of a projection.
    """

    attenuation: float
    noise: float
    haze: float
    layers: int
    strips: tuple[int, int]
    shadows: tuple[int, int]
    streaks: tuple[int, int]


LEVELS: Mapping[str, Level] = {
    "easy": Level(0.8, -44.0, -38.0, 5, (0, 2), (0, 1), (0, 1)),
    "moderate": Level(1.4, -38.0, -33.0, 4, (1, 3), (0, 2), (0, 2)),
    "poor": Level(2.2, -32.0, -28.0, 3, (2, 5), (1, 3), (1, 4)),
}
"""By name, from a slim subject to one who is difficult to image."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What all depths have in common: structures, tissue, and the strip that was scanned."""

    parts: Sequence[Part]
    tissue: Plane
    body: NDArray[np.bool_]
    size: int


def scene(parts: Sequence[Part], size: int, rng: np.random.Generator) -> Scene:
    """Draw tissue and strip."""
    canvas = Canvas(size, rng)
    tissue = TISSUE + 0.025 * canvas.texture(0.5, 3) + 0.02 * canvas.texture(3, 16, 0.4)
    # The operator's path is independent of the spine.
    rows = np.linspace(0, 1, size)[:, None]
    wander = 0.012 * np.sin(2 * np.pi * (rows * rng.uniform(0.4, 1.2) + rng.uniform()))
    across = np.abs((np.arange(size) + 0.5)[None] / size - 0.5 - wander)
    return Scene(parts, as_plane(tissue), np.asarray(across < HALF_WIDTH), size)


def mask_of(scene: Scene) -> NDArray[np.uint8]:
    """Classes, uint8 (H, W): 0 background, 1 transverse process, 2 rib, 3 lumbar lump."""
    mask = np.zeros((scene.size, scene.size), np.uint8)
    for kind in (RIB, TRANSVERSE_PROCESS, LUMP):
        for part in scene.parts:
            if part.kind == kind:
                mask[part.box][part.distance < 0] = kind
    mask[~scene.body] = 0
    return mask


def ideal(scene: Scene) -> Plane:
    """The artefact-free image: every structure, tissue without speckle, black outside."""
    return as_plane(np.clip(_gray(scene, scene.tissue, None), 0, 1) * scene.body)


def visibility(part: Part, depth: float) -> float:
    """How much of a structure is seen at a depth: 1 at its own, less above it, and below."""
    off = (depth - part.depth) / SPACING
    return float(np.exp(-0.5 * (off / (SHALLOWER if off < 0 else DEEPER)) ** 2))


def _gray(scene: Scene, tissue: Plane, depth: float | None) -> Plane:
    """Mean gray of a depth; of all of them together if ``depth`` is None."""
    gray = tissue.copy()
    pixel = 1.0 / scene.size
    darkness = np.zeros_like(gray)
    bright = np.zeros_like(gray)
    for part in scene.parts:
        seen = 1.0 if depth is None else visibility(part, depth)
        if depth is None and part.kind == SPINOUS_PROCESS:
            seen = 0.6
        inside = np.clip(0.5 - part.distance / (1.6 * pixel), 0, 1)
        dark = seen * inside * (1 - GRAY[part.kind] / TISSUE)
        np.maximum(darkness[part.box], dark, out=darkness[part.box])
        if part.kind != SPINOUS_PROCESS:
            # The surface of a bone that faces the transducer is bright around its shadow.
            rim = np.exp(-(((part.distance - 0.005) / 0.005) ** 2)) * (0.4 + 0.6 * part.upper)
            np.maximum(bright[part.box], 0.16 * seen * rim, out=bright[part.box])
    return as_plane((gray + bright) * (1 - darkness))


@dataclass(frozen=True, eq=False)
class Sweep:
    """Artefacts that all depths of one sweep share: ``loss`` in dB, and rows that are missing."""

    loss: Plane
    missing: NDArray[np.bool_]


def sweep(size: int, level: Level, rng: np.random.Generator, *, artefacts: bool) -> Sweep:
    """Draw what the movement and the contact of the probe do to all depths."""
    canvas = Canvas(size, rng)
    x, y = (canvas.x + 1) / 2, (canvas.y + 1) / 2
    loss = np.zeros((size, size), np.float32)
    missing = np.zeros((size, size), bool)
    if not artefacts:
        return Sweep(loss, missing)
    for _ in range(rng.integers(level.strips[0], level.strips[1] + 1)):
        slant = np.tan(np.deg2rad(rng.uniform(-4, 4)))
        middle = rng.uniform(0.05, 0.95) + slant * (x - 0.5)
        missing |= np.abs(y - middle) < rng.uniform(0.004, 0.014)
    for _ in range(rng.integers(level.shadows[0], level.shadows[1] + 1)):
        # Lost contact, towards one side, or a hair or scar that lies along the sweep.
        place, length = rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.2)
        along = np.exp(-(((y - place) / length) ** 4))
        if rng.random() < 0.5:
            edge = rng.uniform(0.12, 0.24)
            across = 1 / (1 + np.exp(-(rng.choice((-1, 1)) * (x - 0.5) - edge) / 0.015))
        else:
            across = np.exp(-(((x - rng.uniform(0.25, 0.75)) / rng.uniform(0.006, 0.02)) ** 2))
        loss += as_plane(rng.uniform(8, 22) * along * across)
    return Sweep(loss, missing)


def acquire(
    parts: Sequence[Part], size: int, level: Level, rng: np.random.Generator, *, artefacts: bool
) -> tuple[Scene, list[float], Plane]:
    """Scan structures: the scene, the depths of the projections, and these, (5, H, W).

    What is drawn from ``rng`` does not depend on the structures, so that no artefact tells of them.
    """
    view = scene(parts, size, rng)
    shares = np.array(OPTIMAL_SHARES)
    aim = int(rng.choice(DEPTHS, p=shares / shares.sum())) + float(rng.uniform(-0.3, 0.3))
    places = [(number - aim) * SPACING for number in range(DEPTHS)]
    shared = sweep(size, level, rng, artefacts=artefacts)
    images = [
        projection(view, shared, place, number, level, rng, artefacts=artefacts)
        for number, place in enumerate(places)
    ]
    return view, places, np.stack(images)


def projection(
    scene: Scene, sweep: Sweep, depth: float, number: int, level: Level, rng: np.random.Generator,
    *, artefacts: bool,
) -> Plane:  # fmt: skip
    """The projection ``number``, 0 the most superficial, at ``depth``; gray in [0, 1]."""
    size = scene.size
    canvas = Canvas(size, rng)
    # Each depth has muscle of its own, with fibres along the spine.
    tissue = scene.tissue + 0.03 * canvas.texture(1, 5) + 0.02 * canvas.texture(4, 24, 2.5)
    echo = _gray(scene, as_plane(tissue), depth) * DYNAMIC_RANGE - DYNAMIC_RANGE
    lost = level.attenuation * number + sweep.loss + level.attenuation * canvas.texture(0.5, 2)
    # The gain compensates what is lost on average, and amplifies the receiver's noise.
    gain = 0.85 * level.attenuation * number
    haze = level.haze + 0.8 * level.attenuation * number + 3.0 * canvas.texture(0.5, 4)
    intensity = _power(echo - lost + gain) + _power(haze - sweep.loss) + _power(level.noise + gain)
    if artefacts:
        for _ in range(rng.integers(level.streaks[0], level.streaks[1] + 1)):
            intensity += _power(_streak(canvas, rng))
    envelope = np.sqrt(intensity) * speckle(size, level.layers, rng)
    gray = 1 + 20 * np.log10(np.maximum(envelope, 1e-4)) / DYNAMIC_RANGE
    gray[sweep.missing] = 0.02
    return as_plane(np.clip(gray, 0, 1) * scene.body)


def _power(decibels: Plane | float) -> Plane:
    return as_plane(10 ** (np.asarray(decibels) / 10))


def _streak(canvas: Canvas, rng: np.random.Generator) -> Plane:
    """A bright multipath reflection in dB, along or across the sweep, slightly bent."""
    turn = np.deg2rad(rng.normal(0, 8) + (90 if rng.random() < 0.6 else 0))
    x = (canvas.x + 1) / 2 - rng.uniform(0.25, 0.75)
    y = (canvas.y + 1) / 2 - rng.uniform(0.05, 0.95)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    across = across - rng.normal(0, 0.6) * along**2
    length, width = rng.uniform(0.04, 0.16), rng.uniform(0.0025, 0.006)
    fall = (across / width) ** 2 + (along / length) ** 4
    return as_plane(rng.uniform(-9, -3) - 4.3 * np.minimum(fall, 20))


def speckle(size: int, layers: int, rng: np.random.Generator) -> Plane:
    """Mean envelope of ``layers`` fields of fully developed speckle, mean 1 over all of them.

    Each is the modulus of a circular complex Gaussian field that is correlated over `CELL`, and so
    has a Rayleigh distribution.
    """
    from scipy.fft import fft2, ifft2

    total = np.zeros((size, size), np.float32)
    for _ in range(layers):
        field = rng.standard_normal((2, size, size), np.float32)
        blurred = ifft2(fft2(field[0] + 1j * field[1]) * _transfer(size))
        total += np.abs(blurred)
    # E|c| of a circular Gaussian with E|c|² = 2 is sqrt(pi / 2).
    return as_plane(total / layers / np.sqrt(np.pi / 2))


@lru_cache(maxsize=4)
def _transfer(size: int) -> Plane:
    """Transfer function of the point-spread function, of mean power 1."""
    # Below about half a pixel the cells would alias.
    sx, sy = (max(cell * size, 0.5) for cell in CELL)
    frequencies = np.fft.fftfreq(size)
    gain = np.exp(
        -2 * np.pi**2 * ((sx * frequencies[None]) ** 2 + (sy * frequencies[:, None]) ** 2)
    )
    made = as_plane(gain / np.sqrt(np.mean(gain**2)))
    made.setflags(write=False)
    return made
