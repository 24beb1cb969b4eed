"""Frontal chest radiograph: attenuation of soft tissue, air and bone added along the beam."""

from __future__ import annotations

import numpy as np

from enhancers.phantoms.canvas import Canvas, Plane, Vessel, as_plane, curve, tree


def draw(size: int, rng: np.random.Generator) -> tuple[Plane, None]:
    """Draw one image; bone is bright, as on a viewing screen."""
    canvas = Canvas(size, rng, warp=0.010, waves=3.5)
    width, top, dome = rng.uniform(0.68, 0.78), rng.uniform(-0.72, -0.62), rng.uniform(0.38, 0.52)
    lungs = _lungs(canvas, rng, width, top, dome)
    body = _body(canvas, width)
    thick = body * (1.02 + 0.04 * canvas.texture(0.5, 2))
    thick -= lungs * (0.62 + 0.03 * canvas.texture(1, 4)) * _bulge(canvas, width)
    thick += _mediastinum(canvas, rng, dome)
    thick += 0.16 * canvas.edge(dome + 0.05 - canvas.y, 30.0) * body
    thick += _bones(canvas, rng, width, top) * body
    thick += _vessels(canvas, rng, lungs)
    thick += lungs * 0.022 * canvas.texture(6, 40) + body * 0.010 * canvas.texture(20, 80)
    bubble = canvas.ellipse(0.38, dome + 0.18, 0.13, 0.07, rng.uniform(-10, 10), 8.0)
    thick -= 0.22 * bubble
    # Dense paths compress toward white, as in the display curve of a digital radiograph.
    return as_plane(1.13 * (1.0 - np.exp(-0.98 * np.maximum(thick, 0.0)))), None


def _bulge(canvas: Canvas, width: float) -> Plane:
    """Lung thickness along the beam: thinner at the rib cage and at the apices."""
    across = np.clip(np.abs(canvas.x) / (width + 0.05), 0, 1)
    return as_plane((1.0 - 0.55 * across**4) * np.clip(1.25 + 0.35 * canvas.y, 0.75, 1.15))


def _body(canvas: Canvas, width: float) -> Plane:
    trunk = np.maximum(np.abs(canvas.x) - (width + 0.17 + 0.05 * canvas.y), -0.85 - canvas.y)
    shoulder_line = -0.80 + 0.42 * np.clip(np.abs(canvas.x) - 0.22, 0, 1) ** 1.3
    shoulders = np.maximum(shoulder_line - canvas.y, np.abs(canvas.x) - 1.2)
    neck = np.maximum(np.abs(canvas.x) - 0.21, canvas.y + 0.6)
    arms = np.maximum(np.abs(np.abs(canvas.x) - 1.02) - 0.15, -0.45 - canvas.y)
    upper = np.maximum(shoulders, canvas.y + 0.1)
    shape = np.minimum(np.minimum(np.maximum(trunk, shoulders), upper), np.minimum(neck, arms))
    depth = np.clip(-np.maximum(trunk, -0.5) * 3.0, 0.0, 1.0)
    return as_plane(canvas.edge(shape, 5.0) * (0.78 + 0.22 * np.sqrt(depth)))


def _lungs(
    canvas: Canvas, rng: np.random.Generator, width: float, top: float, dome: float
) -> Plane:
    lungs = canvas.full(0.0)
    for side in (-1, 1):
        u = side * canvas.x
        inner, outer = 0.10, width
        centre = 0.5 * (inner + outer)
        level = (canvas.y - top) / 0.55
        half = 0.5 * (outer - inner) * np.sqrt(np.clip(1.0 - np.clip(1.0 - level, 0, 1) ** 2, 0, 1))
        shift = 0.10 * np.clip(1.0 - level, 0, 1)
        wall = np.abs(u - centre + shift) - half
        lower = dome + (0.06 if side > 0 else rng.uniform(-0.02, 0.03))
        floor = lower + 0.55 * np.clip(np.abs(u - 0.36) - 0.02, 0, 1) ** 2
        diaphragm = canvas.y - floor - 0.25 * np.clip(u - 0.52, 0, 1)
        lungs += canvas.edge(np.maximum(wall, np.maximum(diaphragm, top - canvas.y)), 5.0)
    return np.minimum(lungs, 1.0)


def _mediastinum(canvas: Canvas, rng: np.random.Generator, dome: float) -> Plane:
    size = rng.uniform(0.88, 1.1)
    radii = size * np.array([0.47, 0.40, 0.33, 0.32, 0.30, 0.32, 0.29, 0.33])
    heart = canvas.blob_distance(0.13, dome - 0.24, radii, rng.uniform(25, 38))
    depth = np.clip(-heart / 0.30, 0.0, 1.0)
    shade = 0.50 * canvas.edge(heart, 6.0) * (0.55 + 0.45 * np.sqrt(depth))
    column = 0.30 * canvas.edge(np.abs(canvas.x) - 0.115, 9.0)
    knob = 0.22 * canvas.ellipse(0.13, -0.30, 0.09, 0.10, 0, 8.0)
    aorta = 0.14 * canvas.edge(np.abs(canvas.x - 0.12) - 0.06, 9.0) * (canvas.y > -0.3)
    trachea = canvas.edge(np.abs(canvas.x + 0.01) - 0.05, 6.0) * canvas.edge(canvas.y + 0.32, 8.0)
    hila = 0.13 * (
        canvas.ellipse(-0.19, -0.10, 0.07, 0.13, 12, 14)
        + canvas.ellipse(0.20, -0.14, 0.06, 0.11, -12, 14)
    )
    return as_plane(np.maximum(shade, column) + knob + aorta + hila - 0.16 * trachea)


def _bone(canvas: Canvas, shafts: list[Vessel], cortex: float, core: float, rim: float) -> Plane:
    """Shafts seen from the side: dense rims of width ``rim`` around a lighter core."""
    distance = canvas.tubes_distance(shafts, 3.0)
    shell = np.exp(-(((distance + 0.5 * rim) / rim) ** 2))
    return as_plane((core + cortex * shell) * canvas.edge(distance, 2.5))


def _mirrored(points: tuple[tuple[float, float], ...], side: int) -> list[tuple[float, float]]:
    return [(side * x, y) for x, y in points]


def _bones(canvas: Canvas, rng: np.random.Generator, width: float, top: float) -> Plane:
    step, slope = rng.uniform(0.128, 0.150), rng.uniform(0.02, 0.08)
    back: list[Vessel] = []
    front: list[Vessel] = []
    for side in (-1, 1):
        for k in range(10):
            y = top - 0.04 + k * step
            narrowing = np.sqrt(1.0 - (1.0 - (0.6 + k) / 5.2) ** 2) if k < 4 else 1.0
            reach = (width + 0.02) * float(narrowing)
            end = y + 0.30 + slope
            path = (
                (0.05, y),
                (0.4 * reach, y - 0.035),
                (0.75 * reach, y + 0.05 + slope),
                (0.96 * reach, y + 0.17 + slope),
                (reach, end),
            )
            back.append(curve(_mirrored(path, side), 0.027 - 0.0006 * k, 0.85))
            if 1 <= k <= 6:
                rise = ((reach, end), (0.85 * reach, y + 0.46), (0.55 * reach, y + 0.54))
                front.append(curve(_mirrored(rise, side), 0.027, 0.8))
    bones = _bone(canvas, back, 0.085, 0.075, 0.010) + _bone(canvas, front, 0.035, 0.035, 0.010)
    bones += _spine(canvas)
    return bones + _shoulders(canvas, rng, width, top)


def _spine(canvas: Canvas) -> Plane:
    column = canvas.full(0.0)
    for k in range(14):
        y = -0.98 + 0.148 * k
        column += 0.10 * canvas.ellipse(0, y, 0.088, 0.062, 0, 3.5)
        column += 0.05 * canvas.ellipse(0, y, 0.018, 0.045, 0, 3.0)
        for x in (-0.05, 0.05):
            column += 0.05 * canvas.ellipse(x, y - 0.01, 0.017, 0.024, 0, 3.0)
    return column


def _shoulders(canvas: Canvas, rng: np.random.Generator, width: float, top: float) -> Plane:
    y = top + 0.03 + rng.uniform(-0.03, 0.03)
    clavicle = ((0.07, y + 0.07), (0.28, y - 0.02), (0.50, y - 0.05), (0.74, y - 0.09))
    blade = ((0.62, y + 0.02), (width + 0.03, y + 0.28), (width - 0.02, y + 0.52))
    arm = ((0.93, y + 0.02), (1.02, y + 0.5), (1.05, y + 1.0))
    sides = (-1, 1)
    shade = _bone(canvas, [curve(_mirrored(clavicle, s), 0.032) for s in sides], 0.12, 0.13, 0.012)
    shade += _bone(canvas, [curve(_mirrored(blade, s), 0.024) for s in sides], 0.05, 0.05, 0.012)
    shade += _bone(canvas, [curve(_mirrored(arm, s), 0.065) for s in sides], 0.14, 0.12, 0.02)
    for side in sides:
        shade += 0.20 * canvas.ellipse(side * 0.91, y - 0.02, 0.095, 0.10, 0, 4.0)
    return shade


def _vessels(canvas: Canvas, rng: np.random.Generator, lungs: Plane) -> Plane:
    vessels: list[Vessel] = []
    for side in (-1, 1):
        for heading in (-1.15, -0.55, 0.0, 0.5, 0.95, 1.3):
            aim = heading if side > 0 else np.pi - heading
            start = (side * 0.17, -0.12 + 0.05 * heading)
            vessels += tree(rng, start, aim, rng.uniform(0.4, 0.6), 0.019, depth=2, wiggle=0.05)
    return 0.10 * canvas.tubes(vessels, 3.0) * lungs
