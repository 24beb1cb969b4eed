"""Axial CT of the abdomen or the thorax, drawn in HU and shown in a soft-tissue window.

Values are Hounsfield units until the last step, where [-160, 240] HU maps to [0, 1].
"""

from __future__ import annotations

import numpy as np

from enhancers.phantoms.canvas import Canvas, Plane, paint, tree

WINDOW_LOW, WINDOW_HIGH = -160.0, 240.0
AIR, LUNG, FAT, MUSCLE, CORTEX, MARROW = -1000.0, -840.0, -105.0, 58.0, 620.0, 190.0


def draw(size: int, rng: np.random.Generator) -> tuple[Plane, None]:
    """Draw one slice: the abdomen (three in five) or the thorax."""
    canvas = Canvas(size, rng, warp=0.013, waves=5.0)
    hu = canvas.full(AIR)
    rx, ry = rng.uniform(0.84, 0.95), rng.uniform(0.60, 0.72)
    body = canvas.ellipse_distance(0, 0, rx, ry)
    fat = rng.uniform(0.04, 0.11)
    paint(hu, MUSCLE - 10, canvas.edge(body, 1.5))
    paint(hu, FAT + 6 * canvas.texture(4, 40), canvas.edge(body + 0.014, 1.5))
    wall = body + fat
    paint(hu, MUSCLE + 5 * canvas.texture(5, 60), canvas.edge(wall, 2.0))
    inner = canvas.edge(wall + 0.07, 2.5)
    contrast = rng.uniform(60.0, 150.0)
    back = ry - fat
    if rng.random() < 0.6:
        _abdomen(canvas, rng, hu, inner, back, contrast)
    else:
        _thorax(canvas, rng, hu, inner, back, contrast)
    _ribs(canvas, rng, hu, rx - fat - 0.035, ry - fat - 0.035)
    _spine(canvas, hu, back)
    table = canvas.ellipse_distance(0, -1.55, 2.6, ry + 1.60)
    outside = canvas.edge(-body, 1.5)
    hu += 420.0 * np.exp(-((table / 0.008) ** 2)) * outside * (canvas.y > 0)
    tissue = np.clip((hu + 200.0) / 100.0, 0.0, 1.0)
    hu += tissue * 4.0 * canvas.texture(6, 70)
    return (hu - WINDOW_LOW) / (WINDOW_HIGH - WINDOW_LOW), None


def _ribs(canvas: Canvas, rng: np.random.Generator, hu: Plane, rx: float, ry: float) -> None:
    start = rng.uniform(0, 26)
    for degrees in np.arange(start, 360 + start, 27.0):
        angle = np.deg2rad(degrees)
        if abs(np.cos(angle)) < 0.30:
            continue
        x, y = rx * np.cos(angle), ry * np.sin(angle)
        tangent = np.rad2deg(np.arctan2(ry * np.cos(angle), -rx * np.sin(angle)))
        length = rng.uniform(0.045, 0.10)
        paint(hu, CORTEX, canvas.ellipse(x, y, length, 0.027, tangent, 2.0))
        paint(hu, MARROW, canvas.ellipse(x, y, length - 0.02, 0.012, tangent, 2.0))


def _spine(canvas: Canvas, hu: Plane, back: float) -> None:
    y = back - 0.29
    for side in (-1, 1):
        muscle = canvas.ellipse(side * 0.20, y + 0.19, 0.17, 0.095, -side * 12, 3)
        paint(hu, MUSCLE, muscle)
    paint(hu, CORTEX - 200, canvas.ellipse(0, y, 0.145, 0.115, soft=2.5))
    paint(hu, MARROW - 20 + 35 * canvas.texture(10, 60), canvas.ellipse(0, y, 0.128, 0.098, soft=3))
    for side in (-1, 1):
        paint(hu, CORTEX, canvas.ellipse(side * 0.095, y + 0.13, 0.03, 0.055, side * 25, 2.5))
        paint(hu, CORTEX - 150, canvas.ellipse(side * 0.20, y + 0.16, 0.10, 0.026, side * 12, 2.5))
        paint(hu, CORTEX, canvas.ellipse(side * 0.05, y + 0.20, 0.06, 0.022, -side * 40, 2.5))
    paint(hu, CORTEX - 80, canvas.ellipse(0, y + 0.26, 0.022, 0.075, soft=2.5))
    paint(hu, 30.0, canvas.ellipse(0, y + 0.135, 0.06, 0.045, soft=2.5))


def _vessel(canvas: Canvas, hu: Plane, x: float, y: float, r: float, value: float) -> None:
    paint(hu, value, canvas.ellipse(x, y, r, r, soft=2.5))


def _abdomen(
    canvas: Canvas, rng: np.random.Generator, hu: Plane, inner: Plane, back: float, contrast: float
) -> None:
    paint(hu, FAT + 5 * canvas.texture(5, 40), inner)
    spine_y = back - 0.29
    parenchyma = 58.0 + 0.45 * contrast
    # The liver: large on the patient's right, tapering across the midline.
    liver = canvas.blob_distance(
        -0.40, -0.07, [0.62, 0.20, 0.28, 0.42, 0.40, 0.42, 0.44, 0.46], rng.uniform(-8, 6)
    )
    coverage = canvas.edge(liver, 2.5) * inner
    paint(hu, parenchyma + 3.5 * canvas.texture(5, 40), coverage)
    portal = tree(rng, (-0.12, 0.05), np.pi + 0.25, 0.45, 0.03, depth=2, wiggle=0.08)
    hepatic = tree(rng, (-0.15, 0.12), np.pi + 0.9, 0.42, 0.024, depth=1, wiggle=0.08)
    paint(hu, parenchyma + 0.35 * contrast, 0.85 * canvas.tubes(portal + hepatic, 2.5) * coverage)
    _stomach(canvas, rng, hu, inner)
    spleen = canvas.blob(0.62, 0.08, [0.14, 0.22, 0.26, 0.19, 0.11, 0.20, 0.27, 0.21], 18, 2.5)
    paint(hu, parenchyma + 12 + 3 * canvas.texture(5, 40), spleen * inner)
    for side in (-1, 1):
        x, y = side * rng.uniform(0.34, 0.40), spine_y + rng.uniform(-0.05, 0.03)
        kidney = canvas.ellipse_distance(x, y, 0.115, 0.155, side * 22)
        paint(hu, FAT, canvas.edge(kidney - 0.03, 3.0))
        paint(hu, 60 + 0.9 * contrast, canvas.edge(kidney, 2.5))
        medulla = canvas.edge(kidney + 0.045 + 0.015 * canvas.texture(3, 9), 3.5)
        paint(hu, 45 + 0.6 * contrast, medulla)
        paint(hu, FAT + 30, canvas.ellipse(x - side * 0.05, y, 0.05, 0.055, 0, 4.0))
    _bowel(canvas, rng, hu, inner, contrast)
    _vessel(canvas, hu, 0.07, spine_y - 0.19, 0.062, 60 + contrast)
    paint(hu, 55 + 0.6 * contrast, canvas.ellipse(-0.13, spine_y - 0.17, 0.085, 0.055, -10, 2.5))
    _vessel(canvas, hu, 0.04, spine_y - 0.33, 0.028, 60 + 0.95 * contrast)
    _vessel(canvas, hu, -0.05, spine_y - 0.34, 0.038, 55 + 0.7 * contrast)
    pancreas = canvas.blob(
        0.10, spine_y - 0.42, [0.26, 0.11, 0.06, 0.09, 0.17, 0.08, 0.06, 0.09], -14, 3.0
    )
    paint(hu, 45 + 0.35 * contrast + 12 * canvas.texture(8, 30), 0.9 * pancreas * inner)


def _stomach(canvas: Canvas, rng: np.random.Generator, hu: Plane, inner: Plane) -> None:
    stomach = canvas.blob_distance(
        0.36, -0.24, [0.27, 0.22, 0.17, 0.20, 0.25, 0.22, 0.19, 0.23], rng.uniform(-10, 25)
    )
    paint(hu, 65.0, canvas.edge(stomach, 2.5) * inner)
    lumen = canvas.edge(stomach + 0.028, 3.0) * inner
    paint(hu, 22 + 14 * canvas.texture(5, 25), lumen)
    level = canvas.y - np.float32(-0.24 + rng.uniform(-0.10, 0.02))
    paint(hu, AIR + 60, lumen * canvas.edge(level, 2.0))


def _bowel(
    canvas: Canvas, rng: np.random.Generator, hu: Plane, inner: Plane, contrast: float
) -> None:
    for _ in range(int(rng.integers(3, 7))):
        x, y = rng.uniform(0.16, 0.62), rng.uniform(-0.12, 0.16)
        radius = rng.uniform(0.05, 0.09)
        loop = canvas.ellipse_distance(
            x, y, radius * rng.uniform(1, 1.5), radius, rng.uniform(0, 180)
        )
        paint(hu, 50 + 0.4 * contrast, canvas.edge(loop, 2.5) * inner)
        paint(hu, 20 + 10 * canvas.texture(5, 25), canvas.edge(loop + 0.02, 2.5) * inner)
        if rng.random() < 0.5:
            gas = canvas.ellipse(x, y - 0.02, radius * 0.6, radius * 0.4, 0, 3.0)
            paint(hu, AIR + 100, gas * canvas.edge(loop + 0.02, 2.5) * inner)


def _thorax(
    canvas: Canvas, rng: np.random.Generator, hu: Plane, inner: Plane, back: float, contrast: float
) -> None:
    paint(hu, FAT + 5 * canvas.texture(5, 40), inner)
    spine_y = back - 0.29
    hx, hy = 0.10 + rng.uniform(-0.03, 0.05), -0.14 + rng.uniform(-0.04, 0.04)
    for side in (-1, 1):
        radii = [0.36, 0.40, 0.36, 0.34, 0.28, 0.36, 0.44, 0.42]
        lung = canvas.edge(canvas.blob_distance(side * 0.45, 0.02, radii), 2.0) * inner
        paint(hu, LUNG + 15 * canvas.texture(3, 20), lung)
        hilum = (side * 0.16, 0.02)
        for heading in (-0.9, -0.3, 0.3, 0.9):
            aim = heading if side > 0 else np.pi - heading
            vessels = tree(rng, hilum, aim, 0.42, 0.030, depth=2, wiggle=0.06)
            paint(hu, 30 + 0.6 * contrast, canvas.tubes(vessels, 1.5) * lung)
    heart = canvas.blob_distance(
        hx, hy, [0.40, 0.30, 0.25, 0.25, 0.27, 0.25, 0.26, 0.32], rng.uniform(0, 30)
    )
    paint(hu, FAT + 10, canvas.edge(heart - 0.02, 3.0))
    paint(hu, 50 + 0.35 * contrast, canvas.edge(heart, 2.5))
    chambers = (
        (0.12, 0.06, 0.17, 0.10, 30),
        (-0.12, -0.06, 0.11, 0.13, 20),
        (-0.03, 0.13, 0.14, 0.08, 0),
    )
    for dx, dy, a, b, angle in chambers:
        level = 50 + contrast * rng.uniform(0.7, 1.0)
        paint(hu, level, canvas.ellipse(hx + dx, hy + dy, a, b, angle, 4.0))
    mediastinum = canvas.ellipse(0, (hy + spine_y) / 2 + 0.1, 0.15, 0.17, 0, 3.0)
    paint(hu, FAT + 20, mediastinum)
    _vessel(canvas, hu, 0.12, spine_y - 0.13, 0.075, 60 + contrast)
    paint(hu, 40.0, canvas.ellipse(0.0, spine_y - 0.19, 0.045, 0.035, 0, 2.5))
    paint(hu, CORTEX - 250, canvas.ellipse(0, -back + 0.035, 0.13, 0.026, 0, 2.5))
