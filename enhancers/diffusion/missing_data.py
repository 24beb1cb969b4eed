"""The measurement of an image of which a part is missing, for DDNM: pixels, or lines of k-space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enhancers.colour import luminance, with_luminance
from enhancers.degrade import degrade_image
from enhancers.diffusion.null_space_steps import make_consistent
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Pixels
from enhancers.measured import Known, SampledSpectrum
from enhancers.method import ParameterValue
from enhancers.networks.tiles import pad
from enhancers.operators import Cropped, KSpace, Mask, NullSpaceOperator, PhasedKSpace
from enhancers.parameter_values import as_float

MASK_SEED = 0
"""Seed of the simulated masks: the same for every run, so that its seeds can be compared."""

NARROWEST, REACH, ENOUGH = 0.7, 3.0, 0.1
"""Of `interpolated`: the first σ in pixels, where a Gaussian ends in σ, and the least sum of its
weights on known pixels."""

Complex = NDArray[np.complex64]


@dataclass(frozen=True, eq=False)
class MissingPixels:
    """Inpainting: some pixels are known, and keep their values.

    Parameters
    ----------
    image : MedicalImage
    known : ndarray, bool, shape (H, W)
    """

    image: MedicalImage
    known: Known

    share_label: ClassVar[str] = "Known pixels"
    notes: ClassVar[tuple[str, ...]] = ()

    @property
    def share(self) -> float:
        """The share of the pixels that are known."""
        return float(self.known.mean())

    def measurement(
        self, multiple: int, least: int, device: str
    ) -> tuple[NullSpaceOperator, Tensor]:
        """H and y in network space; padding repeats pixels and mask by reflection."""
        gray, _ = pad(luminance(self.image.pixels), multiple=multiple, least=least)
        known, _ = pad(self.known.astype(np.float32), multiple=multiple, least=least)
        operator = Mask(torch.from_numpy(known)[None, None].to(device))
        return operator, operator.forward(torch.from_numpy(gray)[None, None].to(device) * 2 - 1)

    def preview(self, x: Tensor, *, keep: bool) -> Pixels:
        """The image with an estimate in network space where pixels are missing.

        Everywhere, unless ``keep``.
        """
        gray = _unit(x, self.image.shape)
        pixels = self.image.pixels
        known = self.known[..., None] if self.image.is_colour else self.known
        if self.image.is_colour:
            pixels = _nearest_known(pixels, self.known)
        filled = with_luminance(pixels, gray)
        return np.where(known, self.image.pixels, filled) if keep else filled

    def result(self, x: Tensor, operator: NullSpaceOperator, y: Tensor, *, keep: bool) -> Pixels:
        """The image of a sample in network space, padding included."""
        return self.preview(x, keep=keep)

    def deviation(self, pixels: Pixels) -> float:
        """Largest |H x - y| of a result, in [0, 1] units."""
        return float(np.abs(pixels - self.image.pixels)[self.known].max(initial=0.0))


@dataclass(frozen=True, eq=False)
class MissingSamples:
    """Undersampled MR: part of k-space is known, and keeps its values.

    A real scan is complex. Its phase is assumed to be smooth and is taken from the fully sampled
    centre of k-space; the network's real image is multiplied by it. The result is the magnitude of
    a complex image whose samples are the measured ones.

    Parameters
    ----------
    image : MedicalImage
        The zero-filled image.
    spectrum : SampledSpectrum
        In source units.
    """

    image: MedicalImage
    spectrum: SampledSpectrum

    share_label: ClassVar[str] = "Sampled part of k-space"

    @property
    def notes(self) -> tuple[str, ...]:
        """What is assumed."""
        if self.spectrum.real:
            return ()
        return (
            "The phase of the scan was taken from the centre of k-space and assumed to be smooth; "
            "the result is a magnitude.",
        )

    @property
    def share(self) -> float:
        """The share of k-space that was sampled."""
        return self.spectrum.share

    def measurement(
        self, multiple: int, least: int, device: str
    ) -> tuple[NullSpaceOperator, Tensor]:
        """H and y in network space; padding is not measured."""
        padded, _ = pad(self.image.pixels, multiple=multiple, least=least)
        height, width = self.image.shape
        mask = torch.from_numpy(self.spectrum.sampled.astype(np.float32)).to(device)
        inner: NullSpaceOperator = KSpace(mask)
        if not self.spectrum.real:
            inner = PhasedKSpace(mask, torch.from_numpy(self._phase).to(device))
        extra = padded.shape[0] - height, padded.shape[1] - width
        operator = Cropped(inner, height, width, *extra)
        # Network value -1 is `low` and 1 is `high` of the window, times the phase.
        low, half = self.image.window.low, self._width / 2
        middle = inner.forward(torch.full((1, 1, height, width), low + half, device=device))
        samples = torch.from_numpy(self.spectrum.samples)[None, None].to(device)
        return operator, (samples - middle) / half

    def preview(self, x: Tensor, *, keep: bool) -> Pixels:
        """The image of an estimate in network space, as it is."""
        return _unit(x, self.image.shape)

    def result(self, x: Tensor, operator: NullSpaceOperator, y: Tensor, *, keep: bool) -> Pixels:
        """The image of a sample in network space, padding included."""
        if self.spectrum.real:
            return _unit(make_consistent(x, y, operator) if keep else x, self.image.shape)
        gray = _unit(x, self.image.shape)
        return self.image.window.to_unit(np.abs(self._consistent(gray))) if keep else gray

    def deviation(self, pixels: Pixels) -> float:
        """Largest |H x - y| over the range of the window, of the unitary transform.

        Of a scan with a phase, for the complex image whose magnitude the result is.
        """
        window = self.image.window
        source = window.to_source(pixels) if self.spectrum.real else self._consistent(pixels)
        samples = np.fft.fft2(source, norm="ortho") - self.spectrum.samples
        return float(np.abs(samples)[self.spectrum.sampled].max()) / self._width

    @property
    def _width(self) -> float:
        return self.image.window.high - self.image.window.low

    @property
    def _phase(self) -> Complex:
        return centre_phase(self.spectrum)

    def _consistent(self, gray: Pixels) -> Complex:
        """The complex image, in source units, nearest to ``gray`` times the phase."""
        spectrum = np.fft.fft2(self.image.window.to_source(gray) * self._phase, norm="ortho")
        kept = np.where(self.spectrum.sampled, self.spectrum.samples, spectrum)
        return np.asarray(np.fft.ifft2(kept, norm="ortho"), np.complex64)


Problem = MissingPixels | MissingSamples


def read_problem(image: MedicalImage, params: Mapping[str, ParameterValue]) -> Problem:
    """The measurement for the tasks "inpaint" and "kspace".

    Raises
    ------
    ParameterError
        The image does not say what was measured, or nothing of it was; the message says what to do.
    """
    first = bool(params["degrade_first"])
    if params["task"] == "inpaint":
        known = _known(image, str(params["missing"]))
        if first:
            hidden = degrade_image(image, "missing", as_float(params, "hidden"), seed=MASK_SEED)
            drawn = hidden.measured.known if hidden.measured else None
            known = _both(known, drawn)
        if known is None:
            raise ParameterError(
                "task=inpaint needs to know which pixels are missing: give a mask, from a file or "
                "painted on the page; or set missing to white, black or both, for saturated "
                "pixels; or degrade_first=true, which hides some."
            )
        if not known.any():
            raise ParameterError(
                "Every pixel is missing; the mask must leave some (it marks what is missing)."
            )
        return MissingPixels(image, known)
    if first and not image.is_colour:
        image = degrade_image(image, "kspace", as_float(params, "acceleration"), seed=MASK_SEED)
    spectrum = image.measured.spectrum if image.measured else None
    if spectrum is None:
        other = "this is a colour image. " if image.is_colour else ""
        raise ParameterError(
            f"task=kspace needs the samples of k-space, which the image does not have: {other}"
            "Open a complex NIfTI file or complex NumPy file (.npy, .npz) of an MR scan, or set "
            "degrade_first=true, which leaves lines out of a gray image."
        )
    if not spectrum.sampled.any():
        raise ParameterError("No sample of k-space is known; check the mask of the file.")
    return MissingSamples(image, spectrum)


def _known(image: MedicalImage, missing: str) -> Known | None:
    known = image.measured.known if image.measured else None
    if missing == "mask":
        return known
    ends = [np.zeros(image.shape, np.bool_)]
    if missing != "black":
        ends.append(np.asarray(luminance(image.pixels) >= 1.0))
    if missing != "white":
        ends.append(np.asarray(luminance(image.pixels) <= 0.0))
    return _both(known, np.asarray(~np.any(ends, axis=0)))


def _both(first: Known | None, second: Known | None) -> Known | None:
    """Where both are True; None stands for everywhere."""
    if first is None or second is None:
        return second if first is None else first
    return np.asarray(first & second)


def centre_phase(spectrum: SampledSpectrum) -> Complex:
    """The phase of the image, as exp(i φ), from the fully sampled centre of k-space.

    The centre is the largest one along each axis without a gap, weighted by a Hann window, as in
    homodyne reconstruction (Noll, Nishimura, Macovski, IEEE Trans Med Imaging 10, 1991, 154).
    """
    rows, columns = spectrum.sampled[:, 0], spectrum.sampled[0]
    weight = _hann(rows)[:, None] * _hann(columns)[None]
    low = np.fft.ifft2(spectrum.samples * weight, norm="ortho")
    size = np.abs(low)
    phase = np.where(size > 1e-6 * max(float(size.max()), 1e-30), low / np.maximum(size, 1e-30), 1)
    return np.asarray(phase, np.complex64)


def _hann(sampled: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights, zero frequency first, of the sampled frequencies around 0 without a gap."""
    count = len(sampled)
    distance = np.abs(np.fft.fftfreq(count) * count)
    gaps = distance[~sampled]
    reach = max(float(gaps.min()), 1.0) if gaps.size else count / 2 + 1
    inside = distance < reach
    inside &= sampled
    return np.where(inside, 0.5 + 0.5 * np.cos(np.pi * distance / reach), 0.0)


def _unit(x: Tensor, shape: tuple[int, int]) -> Pixels:
    """A gray image of network space in [0, 1], without the padding."""
    gray = (x[0, 0, : shape[0], : shape[1]].clamp(-1, 1) + 1) / 2
    return np.ascontiguousarray(gray.cpu().numpy(), np.float32)


def first_filling(operator: NullSpaceOperator, y: Tensor) -> Tensor:
    """A simple image that agrees with ``y`` (1, 1, H, W): missing pixels interpolated, or H⁺y."""
    if not isinstance(operator, Mask):
        return operator.pinv(y)
    known = operator.mask[0, 0].cpu().numpy() > 0
    return torch.from_numpy(interpolated(y[0, 0].cpu().numpy(), known))[None, None].to(y.device)


def interpolated(pixels: NDArray[np.float32], known: Known) -> NDArray[np.float32]:
    """``pixels`` (H, W) with Gaussian means of the known ones, near or far, where one is missing.

    Normalised convolution (Knutsson and Westin, CVPR 1993): the Gaussian is as wide as it takes to
    find known pixels.
    """
    from scipy.ndimage import gaussian_filter

    filled, width = np.where(known, pixels, np.float32(0)), NARROWEST
    missing = ~known
    weighted, weight = filled.astype(np.float64), known.astype(np.float64)
    while missing.any():
        near = gaussian_filter(weight, width, truncate=REACH)
        means = gaussian_filter(weighted, width, truncate=REACH) / np.maximum(near, 1e-30)
        found = missing & ((near >= ENOUGH) | (width > max(known.shape)))
        filled[found] = means[found]
        missing &= ~found
        width *= 1.5
    return filled


def _nearest_known(pixels: Pixels, known: Known) -> Pixels:
    """The colour image with the colour of the nearest known pixel where one is missing."""
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(pixels[rows, columns])
