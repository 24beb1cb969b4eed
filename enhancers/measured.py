"""What was measured of an image, where not all of it was: known pixels, or samples of k-space."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Known = NDArray[np.bool_]
"""True where a pixel was measured, shape (H, W)."""


@dataclass(frozen=True, eq=False)
class SampledSpectrum:
    """The samples of k-space that an MR image was made of.

    Parameters
    ----------
    samples : ndarray, complex64, shape (H, W)
        Unitary 2-D Fourier transform of the complex image in source units, zero frequency first
        (``numpy.fft.fft2(image, norm="ortho")``); 0 where nothing was sampled.
    sampled : ndarray, bool, shape (H, W)
    real : bool
        Whether the complex image is known to be real, as in a simulation. Otherwise it has a phase.
    """

    samples: NDArray[np.complex64]
    sampled: NDArray[np.bool_]
    real: bool = False

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.shape != self.sampled.shape:
            raise ValueError(f"samples {self.samples.shape} and mask {self.sampled.shape} differ")

    @property
    def share(self) -> float:
        """The share of k-space that was sampled."""
        return float(self.sampled.mean())

    @property
    def image(self) -> NDArray[np.complex64]:
        """The zero-filled complex image in source units, shape (H, W)."""
        return np.asarray(np.fft.ifft2(self.samples, norm="ortho"), np.complex64)

    def restricted(self, sampled: NDArray[np.bool_]) -> SampledSpectrum:
        """The same scan with fewer samples: those where ``sampled``, which broadcasts, is True."""
        kept = self.sampled & sampled
        return SampledSpectrum(np.where(kept, self.samples, np.complex64(0)), kept, self.real)


@dataclass(frozen=True, eq=False)
class Measured:
    """The measured part of an image.

    Parameters
    ----------
    known : ndarray, bool, shape (H, W), or None
        True where a pixel was measured; None where all were.
    spectrum : SampledSpectrum or None
        None where the image was not made of k-space, or that is not at hand.
    """

    known: Known | None = None
    spectrum: SampledSpectrum | None = None

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless all arrays have the image's height and width."""
        arrays = (self.known, None if self.spectrum is None else self.spectrum.samples)
        for array in arrays:
            if array is not None and array.shape != shape[:2]:
                raise ValueError(f"measured {array.shape} and pixels {shape[:2]} differ in size")

    @property
    def digest(self) -> str:
        """SHA-256 of all arrays, as hex."""
        digest = hashlib.sha256()
        if self.known is not None:
            digest.update(b"known" + repr(self.known.shape).encode())
            digest.update(np.packbits(self.known).tobytes())
        if self.spectrum is not None:
            facts = (self.spectrum.samples.shape, self.spectrum.real)
            digest.update(b"spectrum" + repr(facts).encode())
            digest.update(np.ascontiguousarray(self.spectrum.samples, np.complex64).tobytes())
            digest.update(np.packbits(self.spectrum.sampled).tobytes())
        return digest.hexdigest()
