"""N4 bias field correction (Tustison et al., IEEE TMI 29(6), 2010), by SimpleITK.

MR coils are more sensitive nearby: the image is the anatomy times a slow field. N4 finds the smooth
field whose removal sharpens the histogram inside the body most.
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
    Figure,
    ProgressTracker,
    Step,
    final_step,
    is_constant,
    unchanged_step,
)
from enhancers.parameter_values import as_int

if TYPE_CHECKING:
    import SimpleITK

SPLINE_ORDER = 3
CONVERGENCE = 1e-3
"""N4's own default: a level ends when the field's coefficient of variation moves less."""

ROUND = 10
"""Iterations between two chances to stop; N4 carries nothing but the field from one to the next."""

LEAST_SIDE = 16
"""The shrunk image keeps at least this many pixels a side."""

MOST_SIDE = 512
"""The shrunk image has at most this many pixels a side, and the field is evaluated on at most as
many: a lattice of cubic splines with 32 cells is smooth at that scale."""

LEAST_MASK = 64
"""A mask of fewer pixels (of the shrunk image) gives no histogram to sharpen."""


@dataclass(frozen=True, eq=False)
class BiasField:
    """The bias field so far: its logarithm at full resolution, and the rounds done."""

    log_field: NDArray[np.float32]
    done: int


def foreground_mask(pixels: Pixels) -> NDArray[np.bool_]:
    """Otsu's foreground of an image, shape (H, W); every pixel of it is above zero."""
    levels = np.rint(pixels * np.float32(255.0)).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    mask: NDArray[np.bool_] = levels > threshold
    return mask


def effective_shrink(shape: tuple[int, int], shrink: int) -> int:
    """The shrink factor used for an image of this shape: it stays in the two limits above."""
    most = max(1, min(shape) // LEAST_SIDE)
    return min(max(shrink, -(-max(shape) // MOST_SIDE)), most)


def n4(
    pixels: Pixels, mask: NDArray[np.bool_], *, shrink: int, levels: int, iterations: int
) -> Iterator[BiasField]:
    """Fit the bias field and yield it after every few iterations.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    mask : ndarray, bool, shape (H, W)
        Where the field is fitted; the image is above zero there.
    shrink : int
        The fit takes every shrink-th pixel a side (see `effective_shrink`).
    levels : int
        Resolutions of the B-spline lattice: 1, 2, 4, ... cells a side.
    iterations : int
        Most iterations a level.

    Yields
    ------
    Field
        The last one is complete. The corrected image is ``pixels / exp(log_field)``.

    Notes
    -----
    The levels are run one by one, each on the image divided by the field so far. A B-spline on a
    coarse lattice is also one on the finer lattice, so this is what N4 computes in a single call.
    """
    import SimpleITK

    full = SimpleITK.GetImageFromArray(np.ascontiguousarray(pixels, np.float32))
    step = effective_shrink(pixels.shape[:2], shrink)
    small = SimpleITK.Shrink(full, [step, step])
    small_mask = SimpleITK.Shrink(SimpleITK.GetImageFromArray(mask.astype(np.uint8)), [step, step])
    grid = _evaluation_grid(pixels.shape[:2])
    rounds = -(-iterations // ROUND)
    log_field = np.zeros(grid.GetSize()[::-1], np.float32)
    if SimpleITK.GetArrayFromImage(small_mask).sum() < LEAST_MASK:
        yield BiasField(_enlarged(log_field, pixels.shape[:2]), levels * rounds)
        return
    corrected = small
    for level in range(levels):
        for turn in range(rounds):
            most = min(ROUND, iterations - turn * ROUND)
            fit = _fitter(2**level + SPLINE_ORDER, most)
            fit.Execute(corrected, small_mask)
            part = SimpleITK.Exp(fit.GetLogBiasFieldAsImage(small))
            corrected = SimpleITK.Divide(corrected, part)
            log_field += SimpleITK.GetArrayFromImage(fit.GetLogBiasFieldAsImage(grid))
            converged = turn + 1 == rounds or fit.GetElapsedIterations() < most
            done = (level + 1) * rounds if converged else level * rounds + turn + 1
            yield BiasField(_enlarged(log_field, pixels.shape[:2]), done)
            if converged:
                break


def _evaluation_grid(shape: tuple[int, int]) -> SimpleITK.Image:
    """An image of at most `MOST_SIDE` a side that covers the same area as one of ``shape``."""
    import SimpleITK

    sizes = [min(side, MOST_SIDE) for side in shape]
    spacing = [side / size for side, size in zip(shape, sizes, strict=True)]
    grid = SimpleITK.Image(sizes[1], sizes[0], SimpleITK.sitkFloat32)
    grid.SetSpacing(spacing[::-1])
    grid.SetOrigin([(width - 1.0) / 2.0 for width in spacing[::-1]])
    return grid


def _enlarged(field: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    if field.shape == shape:
        return field.copy()
    whole_size: NDArray[np.float32] = cv2.resize(field, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return whole_size


def _fitter(control_points: int, iterations: int) -> SimpleITK.N4BiasFieldCorrectionImageFilter:
    import SimpleITK

    fit = SimpleITK.N4BiasFieldCorrectionImageFilter()
    fit.SetNumberOfControlPoints([control_points, control_points])
    fit.SetMaximumNumberOfIterations([iterations])
    fit.SetConvergenceThreshold(CONVERGENCE)
    fit.SetSplineOrder(SPLINE_ORDER)
    return fit


def divide(pixels: Pixels, log_field: NDArray[np.float32], mask: NDArray[np.bool_]) -> Pixels:
    """The image divided by the field, with the mean over the mask as it was.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    log_field : ndarray, float32, shape (H, W)
    mask : ndarray, bool, shape (H, W)

    Returns
    -------
    ndarray, float32, shape (H, W)
        At least 0; may exceed 1.
    """
    corrected: Pixels = pixels * np.exp(-log_field)
    if mask.any():
        corrected *= pixels[mask].mean() / max(float(corrected[mask].mean()), 1e-6)
    return corrected


def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Run N4 on the luminance; one `Step` for every few iterations (see `Enhancer`)."""
    if is_constant(image.pixels):
        yield unchanged_step(image.pixels)
        return
    gray = luminance(image.pixels)
    mask = foreground_mask(gray)
    levels, iterations = as_int(params, "levels"), as_int(params, "iterations")
    watch = ProgressTracker(levels * -(-iterations // ROUND), "round")
    yield watch.step(0)
    log_field = np.zeros_like(gray)
    for field in n4(
        gray, mask, shrink=as_int(params, "shrink"), levels=levels, iterations=iterations
    ):
        log_field = field.log_field
        preview = with_luminance(image.pixels, divide(gray, log_field, mask))
        yield watch.step(field.done, preview)
    corrected = divide(gray, log_field, mask)
    yield final_step(
        with_luminance(image.pixels, corrected),
        figures=_figures(log_field, mask),
        notes=_notes(corrected),
    )


def _figures(log_field: NDArray[np.float32], mask: NDArray[np.bool_]) -> tuple[Figure, ...]:
    inside = log_field[mask] if mask.any() else log_field
    low, high = np.percentile(inside, (1, 99))
    return (Figure("field", "Field, brightest over darkest", float(np.exp(high - low)), "x"),)


def _notes(corrected: Pixels) -> tuple[str, ...]:
    share = float((corrected > 1.0).mean())
    if share < 1e-3:
        return ()
    return (
        f"{share:.1%} of the pixels became brighter than the window and are shown at its end; "
        "a wider window keeps them apart.",
    )
