"""N4 bias field correction (Tustison et al., IEEE TMI 29(6), 2010), by SimpleITK.

MR coils are more sensitive to near tissue: the image is the anatomy times a smooth bias field. N4
finds the field whose removal sharpens the histogram inside the body most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from enhancers.colour import luminance, with_luminance
from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.method_interface import (
    LARGEST_PREVIEW,
    Figure,
    ProgressTracker,
    Step,
    final_step,
    skips_constant_images,
)
from enhancers.parameter_values import as_int

if TYPE_CHECKING:
    import SimpleITK

SPLINE_ORDER = 3
CONVERGENCE = 1e-3
"""Default of N4: a level ends when the field's coefficient of variation changes less."""

ROUND_ITERATIONS = 10
"""Iterations per call of N4, between which a run can stop; only the field carries over."""

MIN_SIDE = 16
"""Smallest side of the shrunk image in pixels."""

MAX_SIDE = 512
"""Largest side of the shrunk image, and of the grid on which the field is evaluated, in pixels: a
cubic B-spline lattice of 32 cells is smooth at that scale."""

MIN_MASK = 64
"""Smallest mask in pixels of the shrunk image; fewer give no usable histogram."""


@dataclass(frozen=True, eq=False)
class BiasField:
    """The bias field so far: its logarithm on a grid, and the number of rounds done."""

    grid: NDArray[np.float32]
    shape: tuple[int, int]
    done: int

    @property
    def log_field(self) -> NDArray[np.float32]:
        """The logarithm of the field at full resolution."""
        return _enlarged(self.grid, self.shape)


def foreground_mask(pixels: Pixels) -> NDArray[np.bool_]:
    """Foreground mask by Otsu's threshold, shape (H, W); masked pixels are above zero."""
    scaled = pixels * np.float32(255.0)
    levels = np.rint(scaled, out=scaled).astype(np.uint8)
    del scaled
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    mask: NDArray[np.bool_] = levels > threshold
    return mask


def effective_shrink(shape: tuple[int, int], shrink: int) -> int:
    """The shrink factor for an image of this shape, limited by `MIN_SIDE` and `MAX_SIDE`."""
    most = max(1, min(shape) // MIN_SIDE)
    return min(max(shrink, -(-max(shape) // MAX_SIDE)), most)


def n4(
    pixels: Pixels, mask: NDArray[np.bool_], *, shrink: int, levels: int, iterations: int
) -> Iterator[BiasField]:
    """Fit the bias field and yield it after every few iterations.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    mask : ndarray, bool, shape (H, W)
        Where the field is fitted; the image has to be above zero there.
    shrink : int
        Factor by which the image is shrunk for the fit (see `effective_shrink`).
    levels : int
        Number of resolutions of the B-spline lattice: 1, 2, 4, ... cells per side.
    iterations : int
        Maximum number of iterations per level.

    Yields
    ------
    BiasField
        The last one is the result. The corrected image is ``pixels / exp(log_field)``.

    Notes
    -----
    The levels run one by one, each on the image divided by the field so far. Since a B-spline on a
    coarse lattice is also one on the finer lattice, this equals a single call of N4.
    """
    import SimpleITK

    full = SimpleITK.GetImageFromArray(np.ascontiguousarray(pixels, np.float32))
    step = effective_shrink(pixels.shape[:2], shrink)
    small = SimpleITK.Shrink(full, [step, step])
    del full
    small_mask = SimpleITK.Shrink(SimpleITK.GetImageFromArray(mask.astype(np.uint8)), [step, step])
    shape = (pixels.shape[0], pixels.shape[1])
    grid = _evaluation_grid(shape)
    rounds = -(-iterations // ROUND_ITERATIONS)
    log_field = np.zeros(grid.GetSize()[::-1], np.float32)
    if SimpleITK.GetArrayFromImage(small_mask).sum() < MIN_MASK:
        yield BiasField(log_field, shape, levels * rounds)
        return
    corrected = small
    for level in range(levels):
        for index in range(rounds):
            most = min(ROUND_ITERATIONS, iterations - index * ROUND_ITERATIONS)
            fit = _fitter(2**level + SPLINE_ORDER, most)
            fit.Execute(corrected, small_mask)
            part = SimpleITK.Exp(fit.GetLogBiasFieldAsImage(small))
            corrected = SimpleITK.Divide(corrected, part)
            log_field += SimpleITK.GetArrayFromImage(fit.GetLogBiasFieldAsImage(grid))
            converged = index + 1 == rounds or fit.GetElapsedIterations() < most
            done = (level + 1) * rounds if converged else level * rounds + index + 1
            yield BiasField(log_field.copy(), shape, done)
            if converged:
                break


def _evaluation_grid(shape: tuple[int, int]) -> SimpleITK.Image:
    """An image with sides of at most `MAX_SIDE` that covers the area of one of ``shape``."""
    import SimpleITK

    sizes = [min(side, MAX_SIDE) for side in shape]
    spacing = [side / size for side, size in zip(shape, sizes, strict=True)]
    grid = SimpleITK.Image(sizes[1], sizes[0], SimpleITK.sitkFloat32)
    grid.SetSpacing(spacing[::-1])
    grid.SetOrigin([(width - 1.0) / 2.0 for width in spacing[::-1]])
    return grid


def _enlarged(field: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    if field.shape == shape:
        return field.copy()
    enlarged: NDArray[np.float32] = cv2.resize(field, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return enlarged


def _fitter(control_points: int, iterations: int) -> SimpleITK.N4BiasFieldCorrectionImageFilter:
    import SimpleITK

    fit = SimpleITK.N4BiasFieldCorrectionImageFilter()
    fit.SetNumberOfControlPoints([control_points, control_points])
    fit.SetMaximumNumberOfIterations([iterations])
    fit.SetConvergenceThreshold(CONVERGENCE)
    fit.SetSplineOrder(SPLINE_ORDER)
    return fit


def divide(
    pixels: Pixels,
    log_field: NDArray[np.float32],
    mask: NDArray[np.bool_],
    out: Pixels | None = None,
) -> Pixels:
    """The image divided by the field, with its mean over the mask kept.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    log_field : ndarray, float32, shape (H, W)
    mask : ndarray, bool, shape (H, W)
    out : ndarray, float32, shape (H, W), optional
        Takes the result; may be ``log_field``, which is then overwritten.

    Returns
    -------
    ndarray, float32, shape (H, W)
        At least 0; may exceed 1.
    """
    corrected = np.negative(log_field, out=out)
    np.exp(corrected, out=corrected)
    corrected *= pixels
    if mask.any():
        corrected *= pixels[mask].mean() / max(float(corrected[mask].mean()), 1e-6)
    return corrected


@skips_constant_images
def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Run N4 on the luminance; one `Step` per round (see `Enhancer`)."""
    gray = luminance(image.pixels)
    mask = foreground_mask(gray)
    levels, iterations = as_int(params, "levels"), as_int(params, "iterations")
    progress = ProgressTracker(levels * -(-iterations // ROUND_ITERATIONS), "round")
    yield progress.step(0)
    field = BiasField(np.zeros((1, 1), np.float32), image.shape, 0)
    for field in n4(
        gray, mask, shrink=as_int(params, "shrink"), levels=levels, iterations=iterations
    ):
        preview = None
        if gray.size <= LARGEST_PREVIEW:
            preview = with_luminance(image.pixels, divide(gray, field.log_field, mask))
        yield progress.step(field.done, preview)
    log_field = field.log_field
    figures = _figures(log_field, mask)
    corrected = divide(gray, log_field, mask, out=log_field)
    notes = _notes(corrected, fitted=figures[0].value > 1.0)
    yield final_step(with_luminance(image.pixels, corrected), figures=figures, notes=notes)


def _figures(log_field: NDArray[np.float32], mask: NDArray[np.bool_]) -> tuple[Figure, ...]:
    inside = log_field[mask] if mask.any() else log_field
    low, high = np.percentile(inside, (1, 99))
    return (Figure("field", "Field, brightest over darkest", float(np.exp(high - low)), "x"),)


def _notes(corrected: Pixels, *, fitted: bool) -> tuple[str, ...]:
    if not fitted:
        return ("No field was found in the foreground, so nothing was corrected.",)
    share = float((corrected > 1.0).mean())
    if share < 1e-3:
        return ()
    return (
        f"{share:.1%} of the pixels became brighter than the window and are shown at its end; "
        "a wider window keeps them apart.",
    )
