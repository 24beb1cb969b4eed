"""Pictures of where each method fails, on phantoms only, which may be published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.evidence.failure_cases import DISCS, GRAIN, NONE, FailureCase
from benchmarks.evidence.results import Failure, Judged, Plot, rounded
from benchmarks.small_png import small_png
from enhancers import compare, registry
from enhancers.colour import luminance
from enhancers.degrade import degrade_image
from enhancers.evaluation import measures, texture
from enhancers.evaluation.cases import HELD_OUT_SEED
from enhancers.evaluation.problem import TestImage
from enhancers.image import MedicalImage, Pixels, from_array
from enhancers.phantoms import phantom

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = HELD_OUT_SEED + 1
"""Of the phantoms; networks are not trained on this seed."""
SIDE, PANEL, GAP, TITLE = 256, 256, 8, 30
"""Sizes in pixels: of the images, and of the panels, gaps and titles of the picture."""
DPI = 100
GRAIN_WIDTH = 1.5
"""Gaussian σ in pixels of the correlation of the noise."""


def draw(folder: Path, failure: FailureCase, device: str) -> Failure:
    """Run a failure case and draw it as ``fails-METHOD.png``: truth, input, result, error."""
    case = _truth(failure)
    image = _degraded(failure, case.truth)
    given = image.pixels
    result = compare.enhance(
        image,
        failure.method,
        params=dict(failure.given),
        device=device,
    ).pixels
    judged = tuple(_measure(key, case, given, result) for key in failure.measures)
    file = f"fails-{failure.method}.png"
    folder.mkdir(parents=True, exist_ok=True)
    panels = tuple(_cropped(failure, one) for one in (case.truth, given, result))
    (folder / file).write_bytes(small_png(_figure(failure, panels), DPI))
    label = registry.get(failure.method).label
    return Failure(
        failure.method, judged,
        Plot(file, f"Where {label} fails: truth, image as given, result, and its error"),
    )  # fmt: skip


def _truth(failure: FailureCase) -> TestImage:
    if failure.truth == DISCS:
        return texture.disc_case(SEED, side=SIDE)
    pixels = luminance(phantom(failure.truth, size=SIDE, seed=SEED).pixels)
    return TestImage(failure.truth, failure.modality, pixels)


def _degraded(failure: FailureCase, truth: Pixels) -> MedicalImage:
    if failure.degradation == GRAIN:
        return from_array(_with_grain(truth, failure.level), failure.modality)
    image = from_array(truth, failure.modality)
    if failure.degradation == NONE:
        return image
    return degrade_image(image, failure.degradation, failure.level, seed=SEED)


def _with_grain(truth: Pixels, level: float) -> Pixels:
    """Add Gaussian noise of standard deviation ``level``, correlated over a few pixels."""
    from scipy import ndimage

    white = np.random.default_rng(SEED).standard_normal(truth.shape)
    grain = ndimage.gaussian_filter(white, GRAIN_WIDTH, mode="wrap")
    noisy = truth + level * grain / grain.std()
    return np.asarray(noisy.clip(0, 1), np.float32)


def _measure(key: str, case: TestImage, given: Pixels, result: Pixels) -> Judged:
    """A measure before and after the method; None before where nothing was degraded."""
    before, after = (measures.score(one, case, [key])[0].value for one in (given, result))
    assert after is not None, key
    assert np.isfinite(after), f"{case.key} shows no failure: the result is the truth"
    untouched = before is None or not np.isfinite(before)
    return Judged(key, None if untouched or before is None else rounded(before), rounded(after))


def _cropped(failure: FailureCase, pixels: Pixels) -> Pixels:
    if failure.crop is None:
        return pixels
    row, column, side = failure.crop
    return pixels[row : row + side, column : column + side]


def _figure(failure: FailureCase, panels: tuple[Pixels, ...]) -> Figure:
    from matplotlib.figure import Figure

    truth, _, result = panels
    width, height = 4 * PANEL + 3 * GAP, PANEL + TITLE
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    label = registry.get(failure.method).label
    titles = ("truth", "as given", label, f"error, white is {failure.white:g}")
    error = np.abs(result - truth) / failure.white
    for place, (pixels, title) in enumerate(zip((*panels, error), titles, strict=True)):
        left = place * (PANEL + GAP) / width
        axes = figure.add_axes((left, 0.0, PANEL / width, PANEL / height))
        axes.imshow(pixels, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(title, fontsize=10, pad=6)
    return figure
