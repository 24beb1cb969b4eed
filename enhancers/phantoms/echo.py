"""Apical four-chamber echocardiogram: a sector with depth-dependent texture and attenuation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enhancers.phantoms.canvas import Canvas, Plane, as_plane, curve, paint


def draw(size: int, rng: np.random.Generator) -> tuple[Plane, NDArray[np.uint8]]:
    """Draw one frame; labels are 1 left ventricle, 2 myocardium, 3 left atrium."""
    canvas = Canvas(size, rng, warp=0.016, waves=4.0)
    # The beam is independent of the warp of the anatomy.
    x, y = Canvas(size, rng).x, Canvas(size, rng).y - np.float32(-0.99)
    depth, angle = np.hypot(x, y), np.arctan2(x, y)
    echo, cavity, muscle, atrium = _heart(canvas, rng)

    grain = _polar_texture(canvas, depth, angle)
    decibels = 0.22 * grain + 0.10 * canvas.texture(2, 8)
    # Time-gain compensation leaves a slow brightness change with depth.
    gain = 1.05 - rng.uniform(0.15, 0.35) * depth + 0.12 * np.cos(5.0 * depth + rng.uniform(0, 6))
    dropout = 1.0 - rng.uniform(0.2, 0.5) * np.exp(
        -(((angle - rng.uniform(-0.7, 0.7)) / 0.12) ** 2)
    )
    haze = 0.35 * np.exp(-depth / 0.16)
    image = 1.3 * (echo * gain + haze) * dropout * np.exp(decibels)
    image = image / (1.0 + 0.35 * image)

    half = np.deg2rad(rng.uniform(36.0, 43.0))
    sector = canvas.edge(depth - 1.9) * canvas.edge(0.05 - depth)
    sector = sector * canvas.edge((np.abs(angle) - half) * np.maximum(depth, 0.05))
    labels = np.zeros((size, size), np.uint8)
    labels[muscle > 0.5] = 2
    labels[atrium > 0.5] = 3
    labels[cavity > 0.5] = 1
    labels[sector < 0.5] = 0
    return image * sector, labels


def _heart(canvas: Canvas, rng: np.random.Generator) -> tuple[Plane, Plane, Plane, Plane]:
    """Reflectivity of the scene, and coverage of cavity, myocardium and left atrium."""
    tilt = rng.uniform(-6.0, 8.0)
    scale = rng.uniform(0.92, 1.08)
    wall = rng.uniform(0.085, 0.13)
    lx, ly = 0.15 + rng.uniform(-0.04, 0.04), -0.20 + rng.uniform(-0.03, 0.03)
    # Radii clockwise from +x: a bullet, pointed at the apex (up), wide at the mitral plane.
    ventricle = scale * np.array([0.25, 0.34, 0.39, 0.34, 0.25, 0.29, 0.41, 0.28])
    left = canvas.blob_distance(lx, ly, ventricle, tilt)
    right = canvas.blob_distance(
        lx - 0.52 * scale, ly + 0.10, 0.78 * ventricle * rng.uniform(0.9, 1.05), tilt + 16
    )
    plane_y = ly + 0.42 * scale
    left_atrium = canvas.ellipse_distance(
        lx + 0.03, plane_y + 0.30, rng.uniform(0.24, 0.29), rng.uniform(0.24, 0.30), tilt
    )
    right_atrium = canvas.ellipse_distance(lx - 0.50, plane_y + 0.28, 0.23, 0.25, tilt)

    echo = canvas.full(0.30) + 0.05 * canvas.texture(1, 5)
    heart = np.minimum(np.minimum(left - wall, right - 0.05), left_atrium - 0.045)
    heart = np.minimum(heart, right_atrium - 0.045)
    lung = canvas.edge(-(heart - 0.10), 14.0)
    paint(echo, 0.24, lung)
    pericardium = np.exp(-((heart / 0.018) ** 2)) * (canvas.y > ly - 0.35)
    paint(echo, 0.50, canvas.edge(heart, 3.0))
    echo += 0.38 * pericardium.astype(np.float32) * (0.75 + 0.25 * canvas.texture(1, 4))

    cavity, atrium = canvas.edge(left, 3.5), canvas.edge(left_atrium, 3.5)
    blood = as_plane(0.035 + 0.02 * np.abs(canvas.texture(2, 10)))
    for hollow in (cavity, canvas.edge(right, 3.5), atrium, canvas.edge(right_atrium, 3.5)):
        paint(echo, blood, hollow)
    endocardium = np.exp(-((left / 0.016) ** 2)) + 0.7 * np.exp(-((right / 0.016) ** 2))
    echo += 0.18 * endocardium.astype(np.float32)
    _valves(canvas, rng, echo, lx, plane_y)
    muscle = canvas.edge(left - wall, 2.0) * (1.0 - cavity) * (canvas.y < plane_y - 0.02)
    return echo, cavity, muscle.astype(np.float32), atrium * (1.0 - cavity)


def _valves(
    canvas: Canvas, rng: np.random.Generator, echo: Plane, lx: float, plane_y: float
) -> None:
    opening = rng.uniform(0.0, 0.12)
    lines = []
    for x, half in ((lx + 0.02, 0.22), (lx - 0.48, 0.19)):
        for side in (-1, 1):
            hinge = (x + side * half, plane_y)
            middle = (x + side * half * 0.5, plane_y - 0.02 - 0.5 * opening)
            tip = (x + side * (0.02 + 0.5 * opening), plane_y - 0.02 - opening)
            lines.append(curve((hinge, middle, tip), 0.013, 0.7))
    paint(echo, 0.75, 0.85 * canvas.tubes(lines, 2.5))
    for x in (lx - 0.23, lx + 0.27, lx - 0.72):
        paint(echo, 0.8, 0.8 * canvas.ellipse(x, plane_y, 0.03, 0.022, soft=4.0))


def _polar_texture(canvas: Canvas, depth: Plane, angle: Plane) -> Plane:
    """Texture along the beams: its lateral grain widens with depth as the beam does."""
    from scipy.ndimage import map_coordinates

    flat = Canvas(canvas.size, canvas.rng).texture(6, 0.32 * 256, 2.4)
    rows = depth / 2.0 * (canvas.size - 1)
    columns = (angle / 1.7 + 0.5) * (canvas.size - 1)
    sampled = map_coordinates(flat, [rows, columns], order=1, mode="reflect")
    return np.asarray(sampled, np.float32)
