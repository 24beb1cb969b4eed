"""Colour fundus photograph: optic disc, arcades of vessels, macula, circular aperture."""

from __future__ import annotations

import numpy as np

from enhancers.phantoms.canvas import Canvas, Plane, Vessel, as_plane, tree


def draw(size: int, rng: np.random.Generator) -> tuple[Plane, None]:
    """Draw one eye, left or right."""
    canvas = Canvas(size, rng, warp=0.006, waves=3.0)
    side = 1 if rng.random() < 0.5 else -1
    disc = (side * rng.uniform(0.40, 0.50), rng.uniform(-0.08, 0.06))
    fovea = (disc[0] - side * rng.uniform(0.55, 0.62), disc[1] + rng.uniform(0.04, 0.10))
    image = _retina(canvas, rng, disc, fovea)
    arteries, veins = _arcades(rng, disc, side)
    near = np.exp(-(((canvas.x - fovea[0]) ** 2 + (canvas.y - fovea[1]) ** 2) / 0.16**2))
    keep = (1.0 - 0.9 * near).astype(np.float32)
    _stain(image, canvas.tubes(veins, 1.8) * keep, (0.20, 0.52, 0.34))
    _stain(image, canvas.tubes(arteries, 1.8) * keep, (0.10, 0.40, 0.30))
    reflex = canvas.tubes([Vessel(v.points, 0.22 * v.radii) for v in arteries[:6]], 1.5)
    image += 0.05 * reflex[..., None] * np.array([1.0, 0.8, 0.5], np.float32)
    frame = Canvas(size, rng)
    aperture = frame.edge(np.hypot(frame.x, frame.y) - 0.95, 3.0)
    notch = frame.edge(np.abs(frame.y) - 0.90, 3.0)
    return image * (aperture * notch)[..., None], None


def _retina(
    canvas: Canvas,
    rng: np.random.Generator,
    disc: tuple[float, float],
    fovea: tuple[float, float],
) -> Plane:
    base = np.array([0.78, 0.36, 0.13]) + rng.uniform(-0.06, 0.06) * np.array([1.0, 0.8, 0.6])
    radius2 = canvas.x**2 + canvas.y**2
    light = 1.0 - rng.uniform(0.2, 0.38) * radius2
    light += rng.uniform(-0.10, 0.10) * canvas.x + rng.uniform(-0.10, 0.10) * canvas.y
    choroid = 0.05 * canvas.texture(2, 9) + 0.03 * canvas.texture(8, 40)
    image = as_plane(light[..., None] * base)
    image *= as_plane(1.0 + choroid[..., None] * np.array([0.6, 1.0, 0.8], np.float32))
    spot = (canvas.x - fovea[0]) ** 2 + (canvas.y - fovea[1]) ** 2
    macula = 0.30 * np.exp(-spot / 0.17**2) + 0.18 * np.exp(-spot / 0.055**2)
    image *= 1.0 - macula[..., None] * np.array([0.7, 1.0, 1.0], np.float32)
    # Nerve fibres: faint bright striae that fan out from the disc.
    angle = np.arctan2(canvas.y - disc[1], canvas.x - disc[0])
    away = np.hypot(canvas.x - disc[0], canvas.y - disc[1])
    striae = np.sin(46 * angle + 3 * canvas.texture(1, 4)) * np.exp(-(((away - 0.3) / 0.2) ** 2))
    image += 0.010 * striae[..., None] * np.array([0.8, 1.0, 0.6], np.float32)
    _disc(canvas, rng, image, disc)
    return image


def _disc(
    canvas: Canvas, rng: np.random.Generator, image: Plane, disc: tuple[float, float]
) -> None:
    radius = rng.uniform(0.115, 0.14)
    rim = canvas.ellipse_distance(*disc, radius * 0.95, radius * 1.05)
    halo = np.exp(-((np.maximum(rim, 0) / 0.05) ** 2))
    image += 0.06 * halo[..., None] * np.array([0.8, 1.0, 0.8], np.float32)
    cup = canvas.ellipse(disc[0], disc[1] + 0.01, 0.45 * radius, 0.5 * radius, 0, 8.0)
    for coverage, colour in (
        (canvas.edge(rim, 5.0), (0.95, 0.66, 0.36)),
        (0.85 * cup, (0.99, 0.85, 0.60)),
    ):
        shade = np.array(colour, np.float32) * (1.0 + 0.02 * canvas.texture(3, 20)[..., None])
        image += (shade - image) * coverage[..., None]


def _arcades(
    rng: np.random.Generator, disc: tuple[float, float], side: int
) -> tuple[list[Vessel], list[Vessel]]:
    """Arteries and veins: temporal arcades that bow around the macula, and nasal branches."""
    arteries: list[Vessel] = []
    veins: list[Vessel] = []
    for vertical in (-1, 1):
        for vessels, width, offset in ((arteries, 0.0165, 0.0), (veins, 0.022, 0.16)):
            start = (disc[0] + rng.uniform(-0.02, 0.02), disc[1] + 0.02 * vertical)
            lean = 1.15 + offset + rng.uniform(-0.12, 0.12)
            # Angles are for a right-hand disc with the macula on its left, mirrored for the other.
            heading = np.pi - lean if side > 0 else lean
            bend = -(1.25 + rng.uniform(-0.2, 0.25)) * side
            vessels.extend(
                tree(
                    rng,
                    start,
                    vertical * heading,
                    1.35,
                    width,
                    depth=3,
                    bend=-vertical * bend,
                    wiggle=0.07,
                    children=3,
                )
            )
            nasal = 0.55 + offset + rng.uniform(-0.25, 0.25)
            heading = nasal if side > 0 else np.pi - nasal
            vessels.extend(
                tree(
                    rng,
                    start,
                    vertical * heading,
                    0.75,
                    0.7 * width,
                    depth=2,
                    bend=rng.uniform(-0.3, 0.3),
                    wiggle=0.08,
                    children=3,
                )
            )
    return arteries, veins


def _stain(image: Plane, coverage: Plane, absorbed: tuple[float, float, float]) -> None:
    image *= 1.0 - coverage[..., None] * np.array(absorbed, np.float32)
