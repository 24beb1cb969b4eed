"""N4 bias field correction (Tustison et al., IEEE TMI 29(6), 2010), by SimpleITK.

MR coils are more sensitive to near tissue: the image is the anatomy times a smooth bias field. N4
finds the field whose removal sharpens the histogram inside the body most.

Without a field it finds one all the same, in the anatomy, and takes a clean image to 35 dB from
itself. So one finer level than wanted is fitted, and the image is corrected only where the part of
that field which a coil can have, a cubic surface, is well above the rest, which is anatomy.
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

MIN_SIDE = 64
"""Smallest side of the shrunk image in pixels."""

MAX_SIDE = 512
"""Largest side of the shrunk image, and of the grid on which the field is evaluated, in pixels: a
cubic B-spline lattice of 32 cells is smooth at that scale."""

MIN_MASK = 64
"""Smallest mask in pixels of the shrunk image; fewer give no usable histogram."""

SURFACE_ORDER = 3
"""Degree of the polynomial surface that stands for the field of a coil."""

ANATOMY_WEIGHT = 0.5
"""Weight of the fitted field's fine part, which is anatomy, against its slow part."""

MAX_EVIDENCE_SIDE = 128
"""Largest side in pixels of the grid on which a field is judged."""

MIN_EVIDENCE = 0.045
"""Evidence (see `field_evidence`) above which there is a field. Without a simulated one, 67 % of 24
MR slices of 15 subjects, which may have a field of their own, and 83 % of 6 phantoms stay below,
without noise and with Rician noise of 0.03."""


@dataclass(frozen=True, eq=False)
class BiasField:
    """The bias field so far: its logarithm on a grid, the rounds done, and the present level."""

    grid: NDArray[np.float32]
    shape: tuple[int, int]
    done: int
    level: int = 0

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
        yield BiasField(log_field, shape, levels * rounds, levels - 1)
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
            yield BiasField(log_field.copy(), shape, done, level)
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


def field_evidence(grid: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """How much more a fitted field is than what N4 fits to anatomy alone.

    Parameters
    ----------
    grid : ndarray, float32, shape (h, w)
        The logarithm of the field.
    mask : ndarray, bool, shape (H, W)
        The foreground of the image that the grid covers.

    Returns
    -------
    float
        With s the standard deviation over the mask of the field's best cubic surface, and f that of
        what is left, s - f / 2.
    """
    rows, columns = (
        np.linspace(0, full - 1, min(side, MAX_EVIDENCE_SIDE)).round().astype(np.intp)
        for full, side in zip(mask.shape, grid.shape, strict=True)
    )
    inside = mask[np.ix_(rows, columns)]
    if inside.sum() < MIN_MASK:
        return 0.0
    small = cv2.resize(grid, inside.shape[::-1], interpolation=cv2.INTER_LINEAR)
    y, x = np.meshgrid(*(np.linspace(-1.0, 1.0, side) for side in inside.shape), indexing="ij")
    degrees = range(SURFACE_ORDER + 1)
    terms = [
        y[inside] ** i * x[inside] ** j for i in degrees for j in degrees if i + j <= SURFACE_ORDER
    ]
    basis, values = np.stack(terms, 1), small[inside].astype(np.float64)
    surface = basis @ np.linalg.lstsq(basis, values, rcond=None)[0]
    return float(surface.std() - ANATOMY_WEIGHT * (values - surface).std())


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
    fitted = fitted_levels(params)
    progress = ProgressTracker(fitted * -(-iterations // ROUND_ITERATIONS), "round")
    yield progress.step(0)
    field = last = BiasField(np.zeros((1, 1), np.float32), image.shape, 0)
    for last in n4(
        gray, mask, shrink=as_int(params, "shrink"), levels=fitted, iterations=iterations
    ):
        preview = None
        if last.level < levels or not last.grid.any():
            field = last
            if gray.size <= LARGEST_PREVIEW:
                preview = with_luminance(image.pixels, divide(gray, field.log_field, mask))
        yield progress.step(last.done, preview)
    strength = _strength(field, mask)
    if fitted > levels and field_evidence(last.grid, mask) <= MIN_EVIDENCE:
        yield final_step(image.pixels, figures=(_figure(1.0),), notes=(_not_found(strength),))
        return
    log_field = field.log_field
    corrected = divide(gray, log_field, mask, out=log_field)
    notes = _notes(corrected, strength)
    yield final_step(
        with_luminance(image.pixels, corrected), figures=(_figure(strength),), notes=notes
    )


def fitted_levels(params: Mapping[str, ParameterValue]) -> int:
    """Number of levels that are fitted: one more than wanted where the field is judged."""
    return as_int(params, "levels") + (params["apply"] != "always")


def _strength(field: BiasField, mask: NDArray[np.bool_]) -> float:
    """Brightest over darkest part of the field, 99th to 1st percentile inside the mask."""
    log_field = field.log_field
    low, high = np.percentile(log_field[mask] if mask.any() else log_field, (1, 99))
    return float(np.exp(high - low))


def _figure(strength: float) -> Figure:
    return Figure("field", "Field removed, brightest over darkest", strength, "x")


def _not_found(strength: float) -> str:
    if strength <= 1.0:
        return "No field was found in the foreground, so nothing was corrected."
    return (
        f"No bias field was found, so nothing was corrected: the best fit (brightest over darkest "
        f"{strength:.2f}x) is no more than anatomy alone gives."
    )


def _notes(corrected: Pixels, strength: float) -> tuple[str, ...]:
    if strength <= 1.0:
        return (_not_found(strength),)
    found = f"A bias field was found (brightest over darkest {strength:.2f}x) and removed."
    share = float((corrected > 1.0).mean())
    if share < 1e-3:
        return (found,)
    return (
        found,
        f"{share:.1%} of the pixels became brighter than the window and are shown at its end; "
        "a wider window keeps them apart.",
    )
