"""Slices of complex MR data: the magnitude to look at, and the samples of k-space behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError
from enhancers.image import NamedWindow, Window
from enhancers.load.raw import RawSlice
from enhancers.measured import SampledSpectrum
from enhancers.method import Modality

NOTHING = 1e-5
"""Share of the root mean square of k-space below which a sample was not taken, without a mask.

Transforms in single precision leave a tenth of that in empty lines; noise is a hundred times it.
"""


def complex_slice(image: NDArray[Any], **facts: Any) -> RawSlice:
    """The slice of a complex image, (H, W); ``facts`` are other fields of `RawSlice`."""
    check_finite(image)
    samples = np.fft.fft2(np.asarray(image, np.complex128), norm="ortho")
    return sampled_slice(samples, not_empty(samples), real=False, **facts)


def not_empty(samples: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a sample was taken, of k-space whose other samples are zero up to rounding."""
    size = np.abs(samples)
    return np.asarray(size > NOTHING * float(np.sqrt(np.mean(size**2))))


def sampled_slice(
    samples: NDArray[Any], sampled: NDArray[np.bool_], *, real: bool, **facts: Any
) -> RawSlice:
    """The slice of k-space, (H, W), zero frequency first, unitary."""
    kept = np.where(sampled, samples, 0).astype(np.complex64)
    spectrum = SampledSpectrum(kept, np.ascontiguousarray(sampled, np.bool_), real)
    values = np.abs(spectrum.image)
    warnings = list(facts.pop("warnings", ()))
    sample = facts.get("sample")
    top = max(float(values.max()), 0.0 if sample is None else float(np.nanmax(sample)))
    share = spectrum.share
    if share < 1.0:
        warnings.append(
            f"{100 * share:.3g} % of k-space was sampled; the image is zero-filled. DDNM fills in "
            "the rest with task kspace."
        )
    return RawSlice(
        values=values,
        units="a.u.",
        bits=32,
        # Percentiles would clip the brightest tissue, whose samples could then not be kept.
        windows=(NamedWindow("Magnitude", Window(0.0, top)),) if 0.0 < top < np.inf else (),
        modality=Modality.MR,
        spectrum=spectrum,
        warnings=tuple(warnings),
        **facts,
    )


def check_finite(values: NDArray[Any]) -> None:
    """Raise ImageReadError unless all complex values are finite."""
    if not np.isfinite(values).all():
        raise ImageReadError(
            "The complex data hold NaN or infinite values. Replace them and export again."
        )
