"""Distances between sets of features: Fréchet's and the kernel one; and between spectra."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from enhancers.image import Pixels

Features = NDArray[np.float64]

SUBSETS, SUBSET = 20, 500
"""Of the kernel distance: how many, and how many features in each."""
FROM_FREQUENCY = 0.1
"""In cycles per pixel: below it, anatomy decides."""


def frechet(first: Features, second: Features) -> float:
    """Fréchet distance of the Gaussians of two sets (Heusel et al., NeurIPS 2017).

    |μ₁ - μ₂|² + tr(C₁ + C₂ - 2 (C₁ C₂)^½). It grows as sets become smaller.
    """
    means = first.mean(0) - second.mean(0)
    one, two = (np.cov(each, rowvar=False) for each in (first, second))
    # The eigenvalues of C₁ C₂ are those of the symmetric C₁^½ C₂ C₁^½.
    values, vectors = np.linalg.eigh(one)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    mixed = np.sqrt(np.linalg.eigvalsh(root @ two @ root).clip(min=0)).sum()
    return max(0.0, float(means @ means + np.trace(one) + np.trace(two) - 2 * mixed))


def kernel_distance(first: Features, second: Features, seed: int = 0) -> tuple[float, float]:
    """Mean and standard deviation over subsets of the kernel distance (Bińkowski et al., 2018).

    The unbiased squared maximum mean discrepancy with the kernel (x·y / d + 1)³.
    """
    random = np.random.default_rng(seed)
    size = min(SUBSET, len(first), len(second))
    found = []
    for _ in range(SUBSETS):
        x, y = (each[random.choice(len(each), size, replace=False)] for each in (first, second))
        xx, yy, xy = _kernel(x, x), _kernel(y, y), _kernel(x, y)
        inside = sum((k.sum() - np.trace(k)) / (size * (size - 1)) for k in (xx, yy))
        found.append(float(inside - 2 * xy.mean()))
    return float(np.mean(found)), float(np.std(found, ddof=1))


def _kernel(x: Features, y: Features) -> Features:
    return np.asarray((x @ y.T / x.shape[1] + 1) ** 3)


def spectral_distance(results: Sequence[Pixels], truths: Sequence[Pixels]) -> float:
    """Mean difference in dB, without sign, between the radial spectra of results and truths.

    Over the frequencies from `FROM_FREQUENCY` to 0.5 cycles per pixel, of spectra that are means
    over the images. Less power, as of a smooth result, counts as more does.
    """
    ours, theirs = (_radial(images) for images in (results, truths))
    return float(np.abs(10 * np.log10(ours / theirs)).mean())


def _radial(images: Sequence[Pixels]) -> Features:
    total: Features = np.zeros(())
    for image in images:
        height, width = image.shape
        window = np.outer(np.hanning(height), np.hanning(width))
        power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2 / image.size
        radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
        bins = np.digitize(radius.ravel(), np.linspace(FROM_FREQUENCY, 0.5, 21))
        sums = np.bincount(bins, power.ravel(), 22)[1:21]
        total = total + sums / np.bincount(bins, minlength=22)[1:21].clip(min=1)
    return np.asarray(total / len(images) + 1e-12)
