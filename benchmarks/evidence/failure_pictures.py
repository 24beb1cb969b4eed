"""Pictures of where each method fails, on drawn images only: those are free to show."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.evidence.failure_cases import DISCS, GRAIN, NONE, SHADED, FailureCase
from benchmarks.evidence.results import Failure, Judged, Plot, rounded
from enhancers import compare, registry
from enhancers.colour import luminance
from enhancers.degrade import degrade
from enhancers.evaluation import measures, texture
from enhancers.evaluation.cases import HELD_OUT_SEED
from enhancers.evaluation.problem import TestImage
from enhancers.image import Pixels, from_array
from enhancers.phantoms import phantom

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = HELD_OUT_SEED + 1
"""Of the drawn images; the networks were not trained on it."""
SIDE, PANEL, GAP, TITLE = 256, 256, 8, 30
"""Of the images, and of the picture's parts, in pixels."""
DPI = 100
GRAIN_WIDTH = 1.5
"""Correlation of the grain: standard deviation of its Gaussian kernel in pixels."""
DARKER, BORDER = 0.55, 20.0
"""Of the shaded MR slice: the left against the right, and the width of the border in pixels."""


def draw(folder: Path, scene: FailureCase, device: str) -> Failure:
    """Run a scene and draw it as ``fails-METHOD.png``: truth, given, result, error."""
    case = _truth(scene)
    given = _damaged(scene, case.truth)
    result = compare.enhance(
        from_array(given, scene.said), scene.method, params=dict(scene.given), device=device
    ).pixels
    judged = tuple(_judged(key, case, given, result) for key in scene.measures)
    file = f"fails-{scene.method}.png"
    folder.mkdir(parents=True, exist_ok=True)
    panels = tuple(_cropped(scene, one) for one in (case.truth, given, result))
    (folder / file).write_bytes(_png(_figure(scene, panels)))
    label = registry.get(scene.method).label
    return Failure(
        scene.method, judged,
        Plot(file, f"Where {label} fails: truth, image as given, result, and its error"),
    )  # fmt: skip


def _truth(scene: FailureCase) -> TestImage:
    if scene.truth == DISCS:
        return texture.disc_case(SEED, side=SIDE)
    kind = "cardiac_mr" if scene.truth == SHADED else scene.truth
    pixels = luminance(phantom(kind, size=SIDE, seed=SEED).pixels)
    if scene.truth == SHADED:
        pixels = pixels * _shade()
    return TestImage(scene.truth, scene.said, pixels)


def _shade() -> Pixels:
    """1 on the right, `DARKER` on the left, a soft border between them; shape (1, SIDE)."""
    place = (np.arange(SIDE) - SIDE / 2) / BORDER
    shade = DARKER + (1 - DARKER) / (1 + np.exp(-place))
    return np.asarray(shade, np.float32)[None, :]


def _damaged(scene: FailureCase, truth: Pixels) -> Pixels:
    if scene.damage == NONE:
        return truth
    if scene.damage == GRAIN:
        return _grained(truth, scene.level)
    return degrade(truth, scene.damage, scene.level, seed=SEED)


def _grained(truth: Pixels, level: float) -> Pixels:
    """With Gaussian noise that is correlated over a few pixels, of this standard deviation."""
    from scipy import ndimage

    white = np.random.default_rng(SEED).standard_normal(truth.shape)
    grain = ndimage.gaussian_filter(white, GRAIN_WIDTH, mode="wrap")
    noisy = truth + level * grain / grain.std()
    return np.asarray(noisy.clip(0, 1), np.float32)


def _judged(key: str, case: TestImage, given: Pixels, result: Pixels) -> Judged:
    """A measure before and after; none before where nothing was damaged."""
    before, after = (measures.score(one, case, [key])[0].value for one in (given, result))
    assert after is not None, key
    untouched = before is None or not np.isfinite(before)
    return Judged(key, None if untouched or before is None else rounded(before), rounded(after))


def _cropped(scene: FailureCase, pixels: Pixels) -> Pixels:
    if scene.crop is None:
        return pixels
    row, column, side = scene.crop
    return pixels[row : row + side, column : column + side]


def _figure(scene: FailureCase, panels: tuple[Pixels, ...]) -> Figure:
    from matplotlib.figure import Figure

    truth, _, result = panels
    width, height = 4 * PANEL + 3 * GAP, PANEL + TITLE
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    label = registry.get(scene.method).label
    titles = ("truth", "as given", label, f"error, white is {scene.white:g}")
    error = np.abs(result - truth) / scene.white
    for place, (pixels, title) in enumerate(zip((*panels, error), titles, strict=True)):
        left = place * (PANEL + GAP) / width
        axes = figure.add_axes((left, 0.0, PANEL / width, PANEL / height))
        axes.imshow(pixels, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(title, fontsize=10, pad=6)
    return figure


def _png(figure: Figure) -> bytes:
    """As an 8-bit gray PNG, a third of the size of a coloured one."""
    from PIL import Image

    drawn, written = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, dpi=DPI, facecolor="white")
    Image.open(drawn).convert("L").save(written, "PNG", optimize=True)
    return written.getvalue()
