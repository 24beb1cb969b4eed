"""What was measured of an image: known pixels, samples of k-space, or projections of a CT."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.operators.beam import Beam

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
class CoilSpectrum:
    """The samples of k-space of several coils, with what each coil sees.

    Parameters
    ----------
    samples : ndarray, complex64, shape (coils, H, W)
        As `SampledSpectrum`, of the image as each coil sees it.
    sampled : ndarray, bool, shape (H, W)
        Of every coil.
    sensitivities : ndarray, complex64, shape (coils, H, W)
        Their squared magnitudes add up to 1.
    """

    samples: NDArray[np.complex64]
    sampled: NDArray[np.bool_]
    sensitivities: NDArray[np.complex64]

    def __post_init__(self) -> None:
        shapes = self.samples.shape, self.sensitivities.shape, self.samples.shape[1:]
        if shapes[0] != shapes[1] or shapes[2] != self.sampled.shape:
            raise ValueError(f"{shapes[0]}, {shapes[1]} and {self.sampled.shape} do not belong")


@dataclass(frozen=True, eq=False)
class Projections:
    """The line integrals that a CT image was made of.

    Parameters
    ----------
    values : ndarray, float32, shape (views, detectors)
        Attenuation along each ray, without a unit.
    beam : Beam
        Of the square image that holds the image in its middle, `inset`.
    shape : (int, int)
        Height and width of the image.
    """

    values: NDArray[np.float32]
    beam: Beam
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        if self.values.shape != (self.beam.views, self.beam.detectors):
            raise ValueError(f"{self.values.shape} are not the projections of {self.beam}")

    @property
    def inset(self) -> tuple[slice, slice]:
        """Rows and columns of the image in the square."""
        top, left = ((self.beam.side - length) // 2 for length in self.shape)
        return slice(top, top + self.shape[0]), slice(left, left + self.shape[1])


@dataclass(frozen=True, eq=False)
class Measured:
    """The measured part of an image.

    Parameters
    ----------
    known : ndarray, bool, shape (H, W), or None
        True where a pixel was measured; None where all were.
    spectrum : SampledSpectrum or None
        None where the image was not made of k-space, or that is not at hand.
    coils : CoilSpectrum or None
        The same for an image of several coils.
    projections : Projections or None
        None where the image was not made of projections, or they are not at hand.
    """

    known: Known | None = None
    spectrum: SampledSpectrum | None = None
    coils: CoilSpectrum | None = None
    projections: Projections | None = None

    @property
    def any(self) -> bool:
        """Whether something is known that the pixels alone do not say."""
        parts = (self.known, self.spectrum, self.coils, self.projections)
        return any(part is not None for part in parts)

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless all arrays have the image's height and width."""
        found = {
            None if self.known is None else self.known.shape,
            None if self.spectrum is None else self.spectrum.samples.shape,
            None if self.coils is None else self.coils.sampled.shape,
            None if self.projections is None else self.projections.shape,
        }
        for size in found - {None, shape[:2]}:
            raise ValueError(f"measured {size} and pixels {shape[:2]} differ in size")

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
        if self.coils is not None:
            digest.update(b"coils" + repr(self.coils.samples.shape).encode())
            for values in (self.coils.samples, self.coils.sensitivities):
                digest.update(np.ascontiguousarray(values, np.complex64).tobytes())
            digest.update(np.packbits(self.coils.sampled).tobytes())
        if self.projections is not None:
            digest.update(b"projections" + repr(self.projections.beam).encode())
            digest.update(np.ascontiguousarray(self.projections.values, np.float32).tobytes())
        return digest.hexdigest()
