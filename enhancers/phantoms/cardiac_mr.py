"""Short-axis cardiac MR (balanced SSFP contrast): heart, thorax, lungs, liver, spine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enhancers.phantoms.canvas import Canvas, Plane, Vessel, curve, paint, tree

BLOOD, MUSCLE, FAT, LUNG, LIVER, BONE = 0.80, 0.27, 0.72, 0.05, 0.38, 0.42


def draw(size: int, rng: np.random.Generator) -> tuple[Plane, NDArray[np.uint8]]:
    """Draw one slice; labels are 1 left ventricle, 2 myocardium, 3 right ventricle."""
    canvas = Canvas(size, rng, warp=0.014, waves=4.0)
    image = canvas.full(0.004)
    _thorax(canvas, rng, image)
    labels = _heart(canvas, rng, image)
    body = np.clip(image * 8.0, 0.0, 1.0)
    texture = 0.022 * canvas.texture(8, 60) + 0.02 * canvas.texture(2, 10)
    # No shading of a coil: the truth is what a bias correction is to arrive at.
    return (image * (1.0 + texture) + 0.010 * body * canvas.texture(10, 70)), labels


def _thorax(canvas: Canvas, rng: np.random.Generator, image: Plane) -> None:
    rx, ry = rng.uniform(0.86, 0.95), rng.uniform(0.66, 0.76)
    body = canvas.ellipse_distance(0, 0.03, rx, ry)
    fat = rng.uniform(0.05, 0.10)
    paint(image, FAT + 0.04 * canvas.texture(2, 12), canvas.edge(body, 2.0))
    paint(image, MUSCLE, canvas.edge(body + fat, 2.0))
    for k, angle in enumerate(np.deg2rad(np.arange(15, 360, 26.0))):
        inset = 1.0 - (fat + 0.055) / np.hypot(rx * np.cos(angle), ry * np.sin(angle))
        x, y = inset * rx * np.cos(angle), 0.03 + inset * ry * np.sin(angle)
        tangent = np.rad2deg(np.arctan2(ry * np.cos(angle), -rx * np.sin(angle)))
        coverage = canvas.ellipse(x, y, 0.085 + 0.02 * (k % 3), 0.022, tangent + 8, 2.5)
        paint(image, FAT * 0.85, 0.75 * coverage)
    chest = canvas.edge(body + fat + 0.105, 2.0)
    paint(image, 0.32, chest)
    for side in (-1, 1):
        lung = canvas.blob_distance(
            side * 0.44, 0.03, [0.26, 0.34, 0.36, 0.32, 0.24, 0.36, 0.43, 0.36]
        )
        coverage = canvas.edge(lung, 3.0) * chest
        paint(image, LUNG + 0.012 * canvas.texture(3, 20), coverage)
        vessels = tree(rng, (side * 0.2, 0.1), 0.0 if side > 0 else np.pi, 0.38, 0.014, depth=2)
        paint(image, 0.30, 0.7 * canvas.tubes(vessels, 1.5) * coverage)
    _liver(canvas, rng, image, chest)
    _spine(canvas, image, 0.03 + ry - fat - 0.20)


def _liver(canvas: Canvas, rng: np.random.Generator, image: Plane, chest: Plane) -> None:
    dome = rng.uniform(-0.02, 0.14)
    liver = canvas.blob_distance(
        -0.50, 0.30 + dome, [0.40, 0.22, 0.27, 0.36, 0.36, 0.34, 0.32, 0.38], rng.uniform(-8, 8)
    )
    coverage = canvas.edge(liver, 3.0) * chest
    paint(image, LIVER + 0.01 * canvas.texture(3, 30), coverage)
    vessels = tree(rng, (-0.25, 0.32 + dome), np.pi + 0.2, 0.42, 0.022, depth=2, wiggle=0.09)
    paint(image, 0.62, 0.8 * canvas.tubes(vessels, 2.0) * coverage)


def _spine(canvas: Canvas, image: Plane, y: float) -> None:
    muscles = canvas.ellipse(-0.17, y + 0.10, 0.15, 0.10, 12, 4) + canvas.ellipse(
        0.17, y + 0.10, 0.15, 0.10, -12, 4
    )
    paint(image, MUSCLE, np.minimum(muscles, 1.0))
    paint(image, 0.12, canvas.ellipse(0, y - 0.06, 0.135, 0.115, soft=3))
    paint(
        image, BONE + 0.03 * canvas.texture(4, 30), canvas.ellipse(0, y - 0.06, 0.12, 0.10, soft=3)
    )
    paint(image, 0.85, canvas.ellipse(0, y + 0.075, 0.055, 0.035, soft=3))
    paint(image, 0.35, canvas.ellipse(0, y + 0.078, 0.032, 0.018, soft=3))
    paint(image, 0.45, 0.7 * canvas.tubes([curve(((0, y + 0.12), (0, y + 0.22)), 0.02)], 3.0))
    # The descending aorta lies to the left of the spine, on the right of the screen.
    paint(image, 0.10, canvas.ellipse(0.17, y - 0.12, 0.083, 0.083, soft=3))
    paint(image, BLOOD, canvas.ellipse(0.17, y - 0.12, 0.072, 0.072, soft=3))


def _heart(canvas: Canvas, rng: np.random.Generator, image: Plane) -> NDArray[np.uint8]:
    x, y = 0.17 + rng.uniform(-0.05, 0.05), -0.10 + rng.uniform(-0.04, 0.05)
    radius, wall = rng.uniform(0.135, 0.19), rng.uniform(0.055, 0.09)
    outer = radius + wall
    turn = rng.uniform(-20.0, 10.0)
    fat = canvas.blob_distance(
        x - 0.11, y + 0.01, np.array([1.5, 1.35, 1.25, 1.5, 1.9, 1.75, 1.5, 1.4]) * outer, turn
    )
    paint(image, FAT * 0.9, 0.85 * canvas.edge(fat, 4.0))
    squeeze = rng.uniform(0.9, 1.05)
    crescent = np.array([0.5, 1.15, 1.25, 1.15, 1.0, 1.1, 1.45, 1.25]) * outer * squeeze
    right = canvas.blob_distance(x - 0.95 * outer, y - 0.02, crescent, turn)
    paint(image, MUSCLE, canvas.edge(right - 0.025, 2.5))
    right_blood = canvas.edge(right, 2.5)
    paint(image, BLOOD - 0.03, right_blood)
    left = canvas.ellipse_distance(x, y, radius * 1.04, radius * 0.97, turn)
    epicardium = canvas.edge(left - wall, 2.0)
    paint(image, MUSCLE, epicardium)
    cavity = canvas.edge(left, 2.5)
    paint(image, BLOOD + 0.02 * canvas.texture(1, 6), cavity)
    for spread in (40.0, 150.0):
        direction = np.deg2rad(spread + turn + rng.uniform(-12, 12))
        spot = (x + 0.62 * radius * np.cos(direction), y + 0.62 * radius * np.sin(direction))
        size = rng.uniform(0.16, 0.24) * radius
        paint(image, MUSCLE + 0.03, canvas.ellipse(*spot, size * 1.2, size, spread, 2.5))
    trabeculae = _trabeculae(rng, x - 1.25 * outer, y, outer)
    paint(image, MUSCLE, 0.7 * canvas.tubes(trabeculae, 2.0) * right_blood)

    labels = np.zeros((canvas.size, canvas.size), np.uint8)
    labels[right_blood > 0.5] = 3
    labels[epicardium > 0.5] = 2
    labels[cavity > 0.5] = 1
    return labels


def _trabeculae(rng: np.random.Generator, x: float, y: float, scale: float) -> list[Vessel]:
    lines = []
    for _ in range(4):
        start = (x + scale * rng.uniform(-0.9, -0.1), y + scale * rng.uniform(-0.8, 0.9))
        end = (start[0] + scale * rng.uniform(0.15, 0.4), start[1] + scale * rng.uniform(-0.3, 0.3))
        lines.append(curve((start, end), 0.011, 0.6))
    return lines
