"""The image of least total variation that agrees with what was measured: pixels, or k-space.

A. Chambolle and T. Pock, "A first-order primal-dual algorithm for convex problems with applications
to imaging", J. Math. Imaging Vis. 40 (2011), Algorithm 1, for min TV(x) with H x = y; for k-space
as M. Lustig, D. Donoho and J. M. Pauly, "Sparse MRI", Magn. Reson. Med. 58 (2007), less wavelets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from enhancers.evaluation.baselines.baseline import Work
from enhancers.image import Pixels
from enhancers.measured import SampledSpectrum
from enhancers.method_interface import ProgressTracker, Step, final_step

ITERATIONS = 300
"""After which the PSNR of MR slices changes by less than 0.05 dB."""
DUAL_STEP = 10.0
"""σ; the product of both steps is 1/8, the inverse of the squared norm of the gradient. Gray values
from 0 to 1 are far from their dual's, which are at most 1 only at edges."""

Array = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)
Project = Callable[[Array], Array]


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Find the image of least total variation (see `Run`)."""
    project = _projection(gray, work)
    x = project(gray.astype(np.float64))
    ahead, dual, step = x, np.zeros((2, *x.shape)), 1.0 / (8.0 * DUAL_STEP)
    progress = ProgressTracker(ITERATIONS, "iteration")
    for number in range(1, ITERATIONS + 1):
        dual = dual + DUAL_STEP * _gradient(ahead)
        dual = dual / np.maximum(1.0, np.hypot(*dual))
        before, x = x, project(x + step * _divergence(dual))
        ahead = 2 * x - before
        yield progress.step(number)
    yield final_step(x.clip(0.0, 1.0).astype(np.float32))


def _projection(gray: Pixels, work: Work) -> Project:
    """The function from an image to the nearest one that agrees with the measurement."""
    spectrum = work.measured.spectrum if work.measured else None
    if spectrum is not None:
        return _with_samples(spectrum)
    known = work.known_pixels
    return lambda x: np.where(known, gray, x)


def _with_samples(spectrum: SampledSpectrum) -> Project:
    """For real images, of whose spectrum one half gives the other."""
    sampled, samples = spectrum.sampled, np.asarray(spectrum.samples, np.complex128)
    other, mirrored = _negated(sampled), np.conj(_negated(samples))
    count = sampled.astype(float) + other
    mean = (sampled * samples + other * mirrored) / np.maximum(count, 1.0)

    def project(x: Array) -> Array:
        kept = np.where(count > 0, mean, np.fft.fft2(x, norm="ortho"))
        return np.asarray(np.fft.ifft2(kept, norm="ortho").real)

    return project


def _negated(plane: NDArray[Scalar]) -> NDArray[Scalar]:
    """The values at the negative frequencies."""
    return np.roll(plane[::-1, ::-1], (1, 1), (0, 1))


def _gradient(x: Array) -> Array:
    found = np.zeros((2, *x.shape))
    found[0, :-1] = x[1:] - x[:-1]
    found[1, :, :-1] = x[:, 1:] - x[:, :-1]
    return found


def _divergence(dual: Array) -> Array:
    """Minus the adjoint of the gradient."""
    found = np.zeros(dual.shape[1:])
    found[:-1] += dual[0, :-1]
    found[1:] -= dual[0, :-1]
    found[:, :-1] += dual[1, :, :-1]
    found[:, 1:] -= dual[1, :, :-1]
    return found
