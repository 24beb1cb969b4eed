"""The output of a format's reader: values in source units, before the window is chosen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError, ImageTooLarge, ParameterError
from enhancers.geometry import ImageGeometry
from enhancers.image import ModalityOrigin, NamedWindow, Region
from enhancers.measured import SampledSpectrum
from enhancers.method import Modality

if TYPE_CHECKING:
    from enhancers.settings import Settings

MIN_SIDE = 16
"""Smallest height and width in pixels that the methods accept."""

FREE_BYTES = 128_000_000
"""Bytes of an image in memory, or of inflated data, that any file may take, however small."""
HELD_BYTES = 8
"""Bytes that an image takes for each of its samples: the source and the pixels, in float32."""
MOST_EXPANSION = 400
"""Beyond `FREE_BYTES`, the most bytes in memory, or inflated, for each byte of the file."""

Spacing = tuple[float, float]


@dataclass(frozen=True)
class Caps:
    """Limits that keep an upload from exhausting the machine.

    Parameters
    ----------
    max_bytes : int
        Size of the file. What a compressed volume or data set may unpack to is `max_unpacked`.
    max_pixels : int
        Height times width of one slice, read from the header before anything is decoded.

    A small file cannot take much memory, whatever its header says: see `check_size` and
    `check_inflated`.

    The defaults are those of the settings `max_file_mb` and `max_megapixels`.
    """

    max_bytes: int = 200_000_000
    max_pixels: int = 64_000_000

    @classmethod
    def from_settings(cls, settings: Settings) -> Caps:
        """The limits that the user configured."""
        return cls(settings.max_file_bytes, settings.max_pixels)

    @property
    def max_unpacked(self) -> int:
        """Bytes that a gzip or deflate stream may grow to."""
        return 8 * self.max_bytes

    def check_bytes(self, count: int) -> None:
        """Raise ImageTooLarge where a file of ``count`` bytes exceeds the cap."""
        if count > self.max_bytes:
            raise ImageTooLarge(
                f"The file has {_megabytes(count)} MB; the limit is "
                f"{_megabytes(self.max_bytes)} MB. "
                "Export a single slice, crop it, or raise READINGROOM_MAX_FILE_MB."
            )

    def check_unpacked(self, count: int) -> None:
        """Raise ImageTooLarge where a file unpacks to ``count`` bytes or more."""
        if count > self.max_unpacked:
            raise ImageTooLarge(
                f"The file unpacks to more than {_megabytes(self.max_unpacked)} MB, the limit. "
                "Export a single slice or a smaller volume, or raise READINGROOM_MAX_FILE_MB."
            )

    def check_inflated(self, count: int, size: int) -> None:
        """Raise ImageTooLarge where a file of ``size`` bytes inflates to ``count`` for its image.

        Images rarely shrink to a tenth, and masks to a hundredth.
        """
        self.check_unpacked(count)
        if count > max(FREE_BYTES, MOST_EXPANSION * size):
            raise ImageTooLarge(
                f"The file has {_megabytes(size)} MB and unpacks to {_megabytes(count)} MB, more "
                f"than {MOST_EXPANSION} times as much. Export a single slice or a smaller volume."
            )

    def check_size(self, rows: int, columns: int, channels: int, size: int) -> None:
        """`check_frame`, and raise ImageTooLarge for a large image from a file of ``size`` bytes.

        A photograph in strong JPEG compression has some 200 bytes in memory for each byte of its
        file; with more than `MOST_EXPANSION` an image of that size shows next to nothing.
        """
        self.check_frame(rows, columns)
        held = HELD_BYTES * rows * columns * channels
        if held > max(FREE_BYTES, MOST_EXPANSION * size):
            raise ImageTooLarge(
                f"The image has {columns} x {rows} pixels in a file of {_megabytes(size)} MB and "
                f"would take {_megabytes(held)} MB of memory, more than {MOST_EXPANSION} times as "
                "much. Crop or shrink it, or save it with less compression."
            )

    def check_frame(self, rows: int, columns: int) -> None:
        """Raise where one slice of this size is too large, too small or not a size at all."""
        if rows < 1 or columns < 1:
            raise ImageReadError(
                f"The header states an image of {columns} x {rows} pixels; the file is damaged."
            )
        if rows * columns > self.max_pixels:
            raise ImageTooLarge(
                f"The image has {columns} x {rows} pixels ({rows * columns / 1e6:.0f} megapixels); "
                f"the limit is {self.max_pixels / 1e6:g} megapixels. Crop or shrink it, or raise "
                "READINGROOM_MAX_MEGAPIXELS."
            )
        if min(rows, columns) < MIN_SIDE:
            raise ImageReadError(
                f"The image has {columns} x {rows} pixels; "
                f"the smallest that can be enhanced is {MIN_SIDE} x {MIN_SIDE}."
            )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.4g}"


@dataclass(frozen=True)
class Probe:
    """The facts in the header of a file.

    Parameters
    ----------
    format : str
        One of `enhancers.load.file_format.Format`.
    rows, columns : int
        Size of one slice.
    slice_count, default_slice : int
        How many slices (frames, pages) there are and which is read when none is asked for.
    modality : Modality
        From the file; `Modality.OTHER` if the header does not state it.
    """

    format: str
    rows: int
    columns: int
    slice_count: int = 1
    default_slice: int = 0
    modality: Modality = Modality.OTHER
    modality_origin: ModalityOrigin = "guessed"


@dataclass(frozen=True, eq=False)
class RawSlice:
    """One slice in source units, with the facts from which the window is chosen.

    Parameters
    ----------
    values : ndarray, shape (H, W) or (H, W, 3)
        Any real type, unclipped.
    format, units : str
    bits : int
        Significant bits of a stored sample, 32 for floats.
    extent : (low, high) or None
        Values that a stored sample can represent, in source units; None for floats.
    windows : tuple of NamedWindow
        The windows that the file states; the first is the one it asks for.
    inverted : bool
        Whether the file shows its lowest values as white (MONOCHROME1, MINISWHITE).
    modality : Modality or None
        None if the file does not state it and it has to be guessed from the content.
    hint : Modality or None
        What free text of the header says of the modality: evidence beside the content.
    geometry : ImageGeometry or None
        Where the values lie in the patient, in the orientation they have here.
    region : Region or None
        The part that is an image (`MedicalImage`).
    padding : (low, high) or None
        Values outside the field of view, left out when a window is derived from the content.
    sample : ndarray or None
        Values of the file's slices, so that all get the same window; None where the header gives
        them one, or there is one slice.
    plane : str
        "axial", "coronal" or "sagittal"; empty for a slice as the file has it.
    time_index, time_count : int
        Of how many times of the volume this is which one.
    spectrum : SampledSpectrum or None
        Of complex data, whose magnitude the values are.
    stored : ndarray or None
        Whole numbers of the file from which the values follow by ``lines``.
    lines : tuple of (slope, intercept)
        Applied one after the other, in float64.
    """

    values: NDArray[Any]
    format: str
    units: str
    bits: int
    extent: tuple[float, float] | None = None
    windows: tuple[NamedWindow, ...] = ()
    inverted: bool = False
    modality: Modality | None = None
    hint: Modality | None = None
    spacing: Spacing | None = None
    geometry: ImageGeometry | None = None
    region: Region | None = None
    padding: tuple[float, float] | None = None
    sample: NDArray[Any] | None = None
    plane: str = ""
    slice_index: int = 0
    slice_count: int = 1
    time_index: int = 0
    time_count: int = 1
    tags: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    spectrum: SampledSpectrum | None = None
    stored: NDArray[Any] | None = None
    lines: tuple[tuple[float, float], ...] = ()


def with_background(raw: RawSlice) -> RawSlice:
    """The slice with values for its undefined pixels: NaN, and what single precision cannot hold.

    They are where nothing was measured or fitted. They become 0, or the lowest value of the file's
    slices where that is negative, and a note says how many there are. A slice that is undefined
    everywhere is left to the checks of the only slice of a file, and 0 where there are others.
    """
    if raw.values.dtype.kind != "f":
        return raw
    undefined = ~(np.abs(raw.values) <= np.finfo(np.float32).max)
    count = int(undefined.sum())
    if count == 0 or (count == undefined.size and raw.slice_count * raw.time_count == 1):
        return raw
    lowest = 0.0
    for values in (raw.values[~undefined], raw.sample):
        if values is not None and values.size:
            finite = values[np.isfinite(values)]
            lowest = min(lowest, float(finite.min())) if finite.size else lowest
    filled = np.where(undefined, raw.values.dtype.type(lowest), raw.values)
    note = (
        f"{count} of {undefined.size} values are undefined (NaN or infinite); they are shown as "
        f"background, {lowest:g}."
    )
    return replace(raw, values=filled, warnings=(*raw.warnings, note))


def compact(source: NDArray[Any]) -> NDArray[Any]:
    """The same values in the smallest type of whole numbers that holds them, or as they are."""
    low, high = float(source.min()), float(source.max())
    types = (np.uint8, np.int16, np.uint16)
    for kind in types if source.dtype.kind == "f" else ():
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            whole = source.astype(kind)
            return whole if np.array_equal(whole, source) else source
    return source


def packed(raw: RawSlice, source: NDArray[np.float32]) -> RawSlice:
    """The slice as it is kept: in few bytes, as what the file has stored or as whole numbers.

    Parameters
    ----------
    raw : RawSlice
    source : ndarray, float32
        Its values.
    """
    small = compact(source)
    stored = raw.stored
    usable = stored is not None and stored.shape == source.shape and stored.dtype.kind in "iu"
    if stored is not None and usable and stored.dtype.itemsize < small.dtype.itemsize:
        return replace(raw, values=stored, stored=None)
    return replace(raw, values=small, stored=None, lines=())


def unpacked(raw: RawSlice) -> RawSlice:
    """The slice of `packed` in source units."""
    values = raw.values
    for slope, intercept in raw.lines:
        values = on_line(values, slope, intercept)
    return replace(raw, values=values.astype(np.float32), lines=()) if raw.lines else raw


def on_line(values: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    """Values times a slope and plus an intercept, in float64; as they are for 1 and 0."""
    if (slope, intercept) == (1.0, 0.0):
        return values
    return values.astype(np.float64) * slope + intercept


SAMPLED_SLICES = 8
"""Slices of a file that is not held as a volume by which the window of all of them is chosen."""
SAMPLED_VALUES = 2**17


def sample_of(count: int, values: Callable[[int], NDArray[Any]]) -> NDArray[np.float32]:
    """About `SAMPLED_VALUES` values of slices spread evenly over ``count``.

    Parameters
    ----------
    count : int
        Slices of the file.
    values : callable
        From an index to the values of a slice. One that cannot be read is left out; of each other
        one the least and the greatest are taken, too.
    """
    places = np.unique(np.linspace(0, count - 1, SAMPLED_SLICES).round().astype(int))
    found = []
    for place in places:
        with suppress(ImageReadError):
            flat = values(int(place)).reshape(-1)
            step = max(1, flat.size * len(places) // SAMPLED_VALUES)
            found.append(flat[::step].astype(np.float32))
            found.append(np.array([flat.min(), flat.max()], np.float32))
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def pick_slice(asked: int | None, count: int, default: int = 0) -> int:
    """The slice to read, or ParameterError where the one ``asked`` for does not exist."""
    if asked is None:
        return default
    if not 0 <= asked < count:
        held = "one slice, 0" if count == 1 else f"{count} slices, 0 to {count - 1}"
        raise ParameterError(f"There is no slice {asked}; the file has {held}, counted from 0.")
    return asked


def pick_time(asked: int | None, count: int) -> int:
    """The time to read, the first by default; ParameterError where there is none so late."""
    if asked is None:
        return 0
    if not 0 <= asked < count:
        held = "one time, 0" if count == 1 else f"{count} times, 0 to {count - 1}"
        raise ParameterError(f"There is no time {asked}; the file has {held}, counted from 0.")
    return asked


def drop_alpha(values: NDArray[Any], opaque: float) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Split the last channel of (H, W, 2) or (H, W, 4) off; with a warning if it was not opaque."""
    colour, alpha = values[..., :-1], values[..., -1]
    if colour.shape[-1] == 1:
        colour = colour[..., 0]
    if bool((alpha == opaque).all()):
        return colour, ()
    return colour, ("The transparency of the file was dropped: hidden pixels became visible.",)


def narrow_palette(values: NDArray[Any]) -> NDArray[Any]:
    """8-bit colours that a 16-bit palette holds in the upper byte, repeated or not in the lower."""
    if values.dtype == np.uint16 and not ((values % 257).any() and (values % 256).any()):
        return (values >> 8).astype(np.uint8)
    return values


def orient(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn an image upright by its EXIF or TIFF orientation (1 to 8; other values: unchanged)."""
    if orientation in (5, 6, 7, 8):
        values = np.swapaxes(values, 0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def quiet_cv2() -> Any:
    """OpenCV with logging switched off, which would write to the server's standard error."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
