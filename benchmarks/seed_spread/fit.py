"""From samples to a calibration: fitted on some subjects, judged on the others."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import spearmanr, t

from benchmarks.seed_spread.samples import Samples
from enhancers.compare.seed_spread import FLOOR, Interval, Measured, Model, features

BLOCK = 8
COVERED = 0.95

Array = NDArray[np.float64]

COLUMNS: dict[Model, tuple[int, ...]] = {
    "constant": (0,),
    "spread": (0, 1),
    "spread and detail": (0, 1, 2),
}
"""The columns of `Pixels.table` that each model uses."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """The pixels of an image.

    Parameters
    ----------
    subject : str
    squared : ndarray, shape (N,)
        Squared errors of the mean over the seeds.
    table : ndarray, shape (N, 3)
        Predictors of the squared error: u², spread and detail.
    blocks : (ndarray, ndarray)
        Mean spread and mean squared error of blocks.
    finest : float
        Power of the first seed's result in the finest octave, over that of the truth.
    """

    subject: str
    squared: Array
    table: Array
    blocks: tuple[Array, Array]
    finest: float


def pixels_of(samples: Samples, *, relative: bool, fitted: bool) -> Pixels:
    """The pixels of an image with what predicts their errors."""
    results = samples.results.astype(np.float64)
    truth = samples.truth.astype(np.float64)
    mean = results.mean(0)
    if fitted:
        gain, offset = np.polyfit(mean.ravel(), truth.ravel(), 1)
        truth = (truth - offset) / gain
    squared = (mean - truth) ** 2
    deviation = results.std(0, ddof=1).astype(np.float32)
    spread, detail = features(mean.astype(np.float32), deviation)
    unit = samples.sigma if relative else 1.0
    table = np.stack([np.full(mean.shape, unit**2), spread, detail], -1).reshape(-1, 3)
    blocks = _block_means(spread), _block_means(squared)
    finest = _finest(results[0]) / max(_finest(truth), 1e-12)
    return Pixels(samples.subject, squared.ravel(), table, blocks, finest)


def _finest(plane: Array) -> float:
    """Power at frequencies from a quarter to half a cycle per pixel, under a Hann window."""
    windowed = (plane - plane.mean()) * np.outer(*(np.hanning(side) for side in plane.shape))
    power = np.abs(np.fft.fft2(windowed)) ** 2
    away = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side) for side in plane.shape), indexing="ij"))
    return float(power[(away >= 0.25) & (away < 0.5)].sum())


def _block_means(plane: Array) -> Array:
    rows, columns = plane.shape[0] // BLOCK, plane.shape[1] // BLOCK
    cut = plane[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return np.asarray(cut.mean((1, 3)).ravel())


def fit(images: Sequence[Pixels]) -> Measured:
    """Fit every model on half of the subjects and judge it on the other half."""
    halves = split([image.subject for image in images])
    learned = [image for image in images if image.subject in halves[0]]
    judged = [image for image in images if image.subject in halves[1]]
    weights = {model: _weights(learned, columns) for model, columns in COLUMNS.items()}
    losses = {model: [_loss(image, found) for image in judged] for model, found in weights.items()}

    def better(model: Model, than: Model) -> Interval:
        return by_subject(judged, [b - a for a, b in zip(losses[model], losses[than], strict=True)])

    gains = {model: better(model, "constant") for model in COLUMNS}
    detail_gain = better("spread and detail", "spread")
    model: Model = "spread and detail" if detail_gain.low > 0 else "spread"
    if gains[model].low <= 0:
        model = "constant"
    chosen = weights[model]
    shares = [
        float(np.mean(image.squared <= 4 * _expected(image, chosen))) for image in judged
    ]  # fmt: skip
    errors = math.sqrt(float(np.mean([image.squared.mean() for image in judged])))
    spreads = math.sqrt(float(np.mean([image.table[:, 1].mean() for image in judged])))
    floor, spread, detail = map(float, chosen)
    return Measured(
        model=model,
        floor=floor,
        spread=spread,
        detail=detail,
        ratio=spreads / errors,
        correlation=by_subject(judged, [_correlation(image) for image in judged]),
        coverage=by_subject(judged, shares),
        gain=gains["spread"] if model == "constant" else gains[model],
        narrower=1.0 - _width(learned, judged, chosen) / _width(
            learned, judged, weights["constant"]
        ),
        detail_gain=detail_gain,
        finest=float(np.median([image.finest for image in judged])),
        images=len(judged),
        subjects=len(halves[1]),
    )  # fmt: skip


def split(subjects: Sequence[str]) -> tuple[set[str], set[str]]:
    """The subjects in two halves: every other one in the order of their first image."""
    order = list(dict.fromkeys(subjects))
    return set(order[::2]), set(order[1::2])


def _expected(image: Pixels, weights: Array) -> Array:
    return np.maximum(image.table @ weights**2, FLOOR**2)


def _loss(image: Pixels, weights: Array) -> float:
    """Negative log likelihood of the errors under Gaussians of the expected size, per pixel."""
    expected = _expected(image, weights)
    return float(np.mean(0.5 * np.log(expected) + 0.5 * image.squared / expected))


def _weights(images: Sequence[Pixels], columns: Sequence[int]) -> Array:
    """The weights of least loss; those of the other columns are 0."""
    table = np.concatenate([image.table[:, columns] for image in images])
    squared = np.concatenate([image.squared for image in images])
    size = np.maximum(table.mean(0), 1e-12)

    def loss(logs: Array) -> tuple[float, Array]:
        shares = np.exp(logs)
        expected = np.maximum(table @ (shares / size), FLOOR**2)
        value = float(np.mean(0.5 * np.log(expected) + 0.5 * squared / expected))
        slope = 0.5 / expected - 0.5 * squared / expected**2
        return value, (slope @ table) / len(table) * shares / size

    start = np.full(len(columns), math.log(max(float(squared.mean()), 1e-9) / len(columns)))
    bounds = [(-25.0, 5.0)] * len(columns)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    weights = np.zeros(3)
    weights[list(columns)] = np.sqrt(np.exp(found.x) / size)
    return weights


def _correlation(image: Pixels) -> float:
    spread, squared = image.blocks
    if np.ptp(spread) == 0 or np.ptp(squared) == 0:
        return 0.0
    return float(spearmanr(spread, squared).statistic)


def _width(learned: Sequence[Pixels], judged: Sequence[Pixels], weights: Array) -> float:
    """Mean half-width of the interval that holds `COVERED` of the fitted subjects' pixels."""
    ratios = np.concatenate([image.squared / _expected(image, weights) for image in learned])
    reach = math.sqrt(float(np.quantile(ratios, COVERED)))
    return reach * float(np.mean([np.sqrt(_expected(image, weights)).mean() for image in judged]))


def by_subject(images: Sequence[Pixels], values: Sequence[float]) -> Interval:
    """Mean over subjects and its 95 % interval (Student's t)."""
    found: dict[str, list[float]] = defaultdict(list)
    for image, value in zip(images, values, strict=True):
        found[image.subject].append(value)
    means = np.array([float(np.mean(each)) for each in found.values()])
    mean = float(means.mean())
    if len(means) < 2:
        return Interval(mean, -math.inf, math.inf)
    reach = float(t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means)))
    return Interval(mean, mean - reach, mean + reach)
