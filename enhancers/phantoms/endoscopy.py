"""Colonoscopy frame: a lumen, haustral folds, mucosal vessels, specular highlights, vignette."""

from __future__ import annotations

import numpy as np

from enhancers.phantoms.canvas import Canvas, Plane, Vessel, as_plane, tree


def draw(size: int, rng: np.random.Generator) -> tuple[Plane, None]:
    """Draw one frame: the wall is a tube seen along its axis, lit from the camera."""
    canvas = Canvas(size, rng, warp=0.05, waves=2.5)
    x, y = rng.uniform(-0.28, 0.28), rng.uniform(-0.25, 0.25)
    angle = np.arctan2(canvas.y - y, canvas.x - x)
    radius = np.hypot(canvas.x - x, canvas.y - y) * (
        1.0
        + 0.10 * np.cos(3 * angle + rng.uniform(0, 6))
        + 0.06 * np.cos(2 * angle + rng.uniform(0, 6))
    )
    relief, shadow = _folds(canvas, rng, radius, angle)
    relief += 0.010 * canvas.texture(2, 7) + 0.0010 * canvas.texture(12, 45)

    gy, gx = np.gradient(relief.astype(np.float64), canvas.pixel)
    facing = 1.0 / np.sqrt(1.0 + gx**2 + gy**2)
    toward = -(gx * (canvas.x - x) + gy * (canvas.y - y)) / np.maximum(radius, 0.05)
    depth = 1.0 / (0.16 + radius)
    light = np.clip(1.15 / (1.0 + 0.16 * depth**2), 0, 1) * shadow
    light = light * (0.62 * facing + 0.38 + 0.22 * np.tanh(toward))

    base = np.array([0.86, 0.50, 0.42]) + rng.uniform(-0.05, 0.05, 3) * np.array([0.5, 1, 1])
    image = light[..., None] * base * (1.0 + 0.05 * canvas.texture(1, 5)[..., None])
    image[..., 1:] *= 1.0 - 0.25 * np.clip(1.0 - light, 0, 1)[..., None]
    image *= 1.0 - _mucosal_vessels(canvas, rng, radius)[..., None] * np.array([0.10, 0.34, 0.30])
    image += _highlights(canvas, rng, light, toward)[..., None] * np.array([1.0, 0.98, 0.95])
    plain = Canvas(size, rng)
    rim = np.hypot(plain.x, plain.y)
    aperture = plain.edge(rim - 0.97, 3.0) * (1.0 - 0.28 * np.clip(rim, 0, 1) ** 3)
    return (image * aperture[..., None]).astype(np.float32), None


def _folds(
    canvas: Canvas, rng: np.random.Generator, radius: Plane, angle: Plane
) -> tuple[Plane, Plane]:
    """Height of the haustral folds, and the shadow each throws into the lumen behind it."""
    relief, shadow = canvas.full(0.0), canvas.full(1.0)
    where = rng.uniform(0.20, 0.26)
    while where < 1.25:
        phase = rng.uniform(0, 2 * np.pi)
        edge = where * (
            1.0 + 0.09 * np.cos(3 * angle + phase) + 0.05 * np.cos(5 * angle + 2 * phase)
        )
        # A fold spans part of the circumference and fades at its ends.
        span = np.clip(0.75 + 0.9 * np.cos(angle - rng.uniform(0, 2 * np.pi)), 0, 1)
        offset = (radius - edge) / (0.22 * where + 0.02)
        relief += (0.17 * where * span * np.exp(-(np.maximum(offset, 1.6 * -offset) ** 2))).astype(
            np.float32
        )
        behind = np.exp(-np.maximum(-offset, 0) / 0.75) / (
            1.0 + np.exp(np.minimum(offset * 14, 40.0))
        )
        shadow *= (1.0 - 0.72 * span * behind).astype(np.float32)
        where *= rng.uniform(1.38, 1.65)
    return relief, shadow


def _mucosal_vessels(canvas: Canvas, rng: np.random.Generator, radius: Plane) -> Plane:
    vessels: list[Vessel] = []
    for _ in range(9):
        start = (rng.uniform(-0.9, 0.9), rng.uniform(-0.9, 0.9))
        vessels += tree(
            rng, start, rng.uniform(0, 6.28), rng.uniform(0.35, 0.6), 0.008, depth=2, wiggle=0.16
        )
    return as_plane(canvas.tubes(vessels, 2.5) * np.clip((radius - 0.25) * 3.0, 0, 1))


def _highlights(canvas: Canvas, rng: np.random.Generator, light: Plane, toward: Plane) -> Plane:
    """Wet reflections: small sharp patches where the wall faces the lamp."""
    glint = canvas.texture(3, 10) + 1.2 * np.tanh(1.5 * toward) + 2.5 * (light - 0.7)
    cut = float(np.quantile(glint, rng.uniform(0.986, 0.994)))
    spot = np.clip((glint - cut) / 0.20, 0, 1)
    glow = np.clip((glint - cut + 0.9) / 0.9, 0, 1) ** 2
    return as_plane(0.75 * spot + 0.10 * glow)
