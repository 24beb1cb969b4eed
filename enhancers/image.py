"""The image type: float32 pixels in [0, 1] and the affine map to source units."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ParameterError
from enhancers.geometry import ImageGeometry
from enhancers.measured import Known, Measured
from enhancers.method import Modality

Pixels = NDArray[np.float32]
"""A float32 image, shape (H, W) for gray or (H, W, 3) for RGB."""

ModalityOrigin = Literal["file", "guessed", "user"]

Reading = Callable[[Modality], tuple["Window", str, tuple[str, ...]]]
"""From a modality to the window, the units and the sentences that a file's values have with it."""


@dataclass(frozen=True)
class Window:
    """The affine map between [0, 1] and source units: 0 is ``low`` and 1 is ``high``.

    Parameters
    ----------
    low, high : float
        Source values (HU for CT, gray levels elsewhere) that are shown as black and as white.
        ``low > high`` where the file shows its lowest values as white (MONOCHROME1).
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low != self.high):
            raise ValueError(f"a window needs two finite ends, got {self.low}..{self.high}")

    @property
    def inverted(self) -> bool:
        """Whether low values are shown as white."""
        return self.low > self.high

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest source value inside."""
        return min(self.low, self.high), max(self.low, self.high)

    @property
    def width(self) -> float:
        """The difference of the ends."""
        return abs(self.high - self.low)

    def turned(self, inverted: bool) -> Window:
        """The window of the same ends that shows low values as white, or as black."""
        low, high = self.ends
        return Window(high, low) if inverted else Window(low, high)

    def to_unit(self, source: NDArray[np.generic]) -> Pixels:
        """Map source values to [0, 1], clipped, as float32."""
        scaled = (np.asarray(source, np.float64) - self.low) / (self.high - self.low)
        return np.clip(scaled, 0.0, 1.0).astype(np.float32)

    def to_source(self, unit: NDArray[np.generic]) -> NDArray[np.float64]:
        """Map [0, 1] back to source units (the inverse of `to_unit` inside the window)."""
        return np.asarray(unit, np.float64) * (self.high - self.low) + self.low


EACH_SLICE = "Each slice's own"
"""Name of the window that a slice states where the slices state different ones."""


@dataclass(frozen=True)
class NamedWindow:
    """A window that a file states, with its name for the user."""

    name: str
    window: Window


@dataclass(frozen=True)
class Region:
    """Rows from ``top`` and columns from ``left`` of an image, up to ``bottom`` and ``right``."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns; negative where there are none."""
        return self.bottom - self.top, self.right - self.left

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]


@dataclass(frozen=True, eq=False)
class MedicalImage:
    """A 2-D image for the methods, with everything needed to return to its source values.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3)
        Finite values in [0, 1] of `window`, 0 is black, also for MONOCHROME1.
    window : Window
        ``source = window.low + pixels * (window.high - window.low)``.
    source : ndarray, float32, same shape
        The unclipped values of the file in source units, kept for read-out and export.
    units : str
        Units of the source values: "HU", "gray level", "a.u.".
    modality : Modality
    modality_origin : {"file", "guessed", "user"}
    spacing : (row, column) in mm, or None where the file does not say
    geometry : ImageGeometry or None
        Where the pixels lie in the patient, where the file says so.
    region : Region or None
        The part that is an image, where the file says so (ultrasound): what lies outside is text,
        scales and curves.
    crop : Region or None
        The part of the file's image that this is, where it was cropped.
    bits : int
        Significant bits of a stored sample (8 to 16; 32 for float files).
    format : str
        What the file was: "DICOM", "NIfTI", "PNG", "TIFF", "JPEG", "synthetic".
    digest : str
        SHA-256 of the file's bytes, or of the pixels of a synthetic image.
    plane : str
        "axial", "coronal" or "sagittal" where a volume was cut so; empty for a slice as the file
        has it.
    slice_index, slice_count : int
        In that plane.
    time_index, time_count : int
        Of how many times of a volume this is which one.
    tags : tuple of (name, value)
        Technical facts from a whitelist; never anything about a patient.
    warnings : tuple of str
        Sentences for the user (burned-in annotation, sampled slice, guessed window).
    windows : tuple of NamedWindow
        Every window that the file states, in its order; `window` is one of them, or another.
    reading : callable or None
        How the values of the file are read for another modality; None where there is no file.
    measured : Measured or None
        What was measured, where it is not the image: known pixels, k-space, projections. It belongs
        to these pixels: `with_pixels` drops it.
    depths : ndarray, float32, shape (D, H, W), or None
        All slices of a small volume in source units, for methods whose input is all of them. They
        are dropped with the pixels, too.
    """

    pixels: Pixels
    window: Window
    source: Pixels
    units: str
    modality: Modality
    modality_origin: ModalityOrigin = "guessed"
    spacing: tuple[float, float] | None = None
    geometry: ImageGeometry | None = None
    region: Region | None = None
    crop: Region | None = None
    bits: int = 8
    format: str = "synthetic"
    digest: str = ""
    plane: str = ""
    slice_index: int = 0
    slice_count: int = 1
    time_index: int = 0
    time_count: int = 1
    tags: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = field(default=())
    windows: tuple[NamedWindow, ...] = ()
    measured: Measured | None = None
    depths: Pixels | None = field(default=None, repr=False)
    reading: Reading | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_pixels(self.pixels)
        if self.source.shape != self.pixels.shape:
            raise ValueError(f"source {self.source.shape} and pixels {self.pixels.shape} differ")
        if self.measured is not None:
            self.measured.check_shape(self.pixels.shape)
        if self.depths is not None and self.depths.shape[1:] != self.source.shape:
            raise ValueError(f"depths {self.depths.shape} and source {self.source.shape} differ")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def shown_plane(self) -> str:
        """The plane in which a volume was cut, or that of the file's slices; empty if unknown."""
        return self.plane or (self.geometry.plane if self.geometry else "")

    @property
    def place(self) -> tuple[str, int, int]:
        """The plane, the time and the slice that it is of its file."""
        return self.plane, self.time_index, self.slice_index

    @property
    def is_colour(self) -> bool:
        """Whether the image has three channels."""
        return self.pixels.ndim == 3

    def with_modality(self, modality: Modality) -> MedicalImage:
        """The same image with the modality the user chose, in the window and units of that.

        Values that are not CT are not in HU, whatever was assumed of them before.
        """
        image = replace(self, modality=modality, modality_origin="user")
        if self.reading is None or modality is self.modality:
            return image
        window, units, warnings = self.reading(modality)
        pixels = self.pixels if window == self.window else window.to_unit(self.source)
        return replace(image, window=window, units=units, warnings=warnings, pixels=pixels)

    def with_pixels(self, pixels: Pixels) -> MedicalImage:
        """The same acquisition with other pixel values (in [0, 1] of the same window)."""
        return replace(
            self,
            pixels=pixels,
            source=self.window.to_source(pixels).astype(np.float32),
            digest=pixels_digest(pixels),
            measured=None,
            depths=None,
            reading=None,
        )

    @property
    def aspect(self) -> tuple[float, float] | None:
        """Height and width of a pixel: the spacing, or what the file says without lengths."""
        stated = dict(self.tags).get("PixelAspectRatio", "")
        if self.spacing is not None or not stated:
            return self.spacing
        row, _, column = stated.partition(":")
        return float(row), float(column)

    def cropped_to_region(self, *, required: bool = False) -> MedicalImage:
        """The part of the image in its `region`; the image itself where it has none.

        Raises
        ------
        ParameterError
            It has none, and one is ``required``.
        """
        region = self.region
        if region is None and required:
            raise ParameterError(
                "The file states no ultrasound region; leave --crop-to-region out."
            )
        if region is None:
            return self
        inside = slice(region.top, region.bottom), slice(region.left, region.right)
        measured = self.measured
        if measured is not None:
            known = None if measured.known is None else measured.known[inside]
            measured = None if known is None else Measured(known)
        return replace(
            self,
            pixels=np.ascontiguousarray(self.pixels[inside]),
            source=np.ascontiguousarray(self.source[inside]),
            depths=None if self.depths is None else np.ascontiguousarray(self.depths[:, *inside]),
            geometry=self.geometry and self.geometry.cropped(region.top, region.left),
            region=None,
            crop=region,
            measured=measured,
        )

    def with_known(self, known: Known | None) -> MedicalImage:
        """The same image, of which only the pixels where ``known`` is True were measured.

        None stands for all. Samples of k-space and projections stay with the image.
        """
        measured = replace(self.measured or Measured(), known=known)
        return replace(self, measured=measured if measured.any else None)


def check_pixels(pixels: Pixels) -> None:
    """Raise ValueError unless ``pixels`` is finite float32 in [0, 1], (H, W) or (H, W, 3)."""
    if pixels.dtype != np.float32:
        raise ValueError(f"pixels must be float32, got {pixels.dtype}")
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError(f"pixels must be (H, W) or (H, W, 3), got {pixels.shape}")
    if pixels.size == 0 or not np.isfinite(pixels).all():
        raise ValueError("pixels must be finite and not empty")
    if pixels.min() < 0.0 or pixels.max() > 1.0:
        raise ValueError(f"pixels must lie in [0, 1], got {pixels.min():g}..{pixels.max():g}")


def pixels_digest(pixels: Pixels) -> str:
    """SHA-256 of the shape and the bytes of an image, as hex."""
    digest = hashlib.sha256(repr((pixels.shape, str(pixels.dtype))).encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def from_array(
    pixels: NDArray[np.generic], modality: Modality = Modality.OTHER, *, name: str = "synthetic"
) -> MedicalImage:
    """Wrap an array in [0, 1] as a `MedicalImage` with the identity window.

    Parameters
    ----------
    pixels : ndarray, shape (H, W) or (H, W, 3), values in [0, 1]
    modality : Modality
    name : str
        The `format` to state.
    """
    unit = np.ascontiguousarray(pixels, np.float32)
    return MedicalImage(
        pixels=unit,
        window=Window(0.0, 1.0),
        source=unit,
        units="a.u.",
        modality=modality,
        modality_origin="user",
        bits=32,
        format=name,
        digest=pixels_digest(unit),
    )
