"""Stored samples of a derived object: type, rescale, and the values they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from enhancers.errors import ReadingRoomError
from enhancers.load.dicom.header import frame_item, number, rescale, stated_windows, table
from enhancers.save.dicom.facts import DerivedFacts

_GRAY_LEVELS = 65535


@dataclass(frozen=True)
class Coding:
    """How values become stored samples: ``value = slope * stored + intercept``.

    Parameters
    ----------
    dtype : str
        "u1", "u2", "i2", "u4", "i4"; "f4" or "f8" for float pixel data.
    slope, intercept : float
    as_source : bool
        Whether type and rescale are those of the source, so that its padding value holds.
    rescaled : bool
        Whether the object states slope and intercept.
    """

    dtype: str
    slope: float = 1.0
    intercept: float = 0.0
    as_source: bool = True
    rescaled: bool = False

    @property
    def floating(self) -> bool:
        """Whether samples are floats."""
        return self.dtype.startswith("f")

    @property
    def bits(self) -> int:
        """Bits of a sample."""
        return 8 * np.dtype(self.dtype).itemsize

    def encode(self, values: NDArray[np.generic]) -> bytes:
        """The samples of values, the nearest ones, in little endian."""
        stored = (np.asarray(values, np.float64) - self.intercept) / self.slope
        kind = np.dtype(self.dtype)
        if not self.floating:
            limits = np.iinfo(kind)
            stored = np.clip(np.rint(stored), limits.min, limits.max)
        return stored.astype(kind.newbyteorder("<")).tobytes()


def coding_of(header: Dataset, facts: DerivedFacts, frame: int) -> Coding:
    """The samples of a frame: those of the source where the result fits into them.

    A result lies between the ends of its window, or has the value of the source. Where that is more
    than the samples of the source can hold, others are chosen that lose less than it does.

    Raises
    ------
    ReadingRoomError
        The source has samples of one bit.
    """
    allocated = int(number(header, "BitsAllocated") or 16)
    if allocated < 8:
        raise ReadingRoomError(
            "The DICOM object has samples of one bit, as of a segmentation, which hold no enhanced "
            "image; use another format."
        )
    if facts.colour:
        return Coding("u1" if allocated == 8 else "u2")
    if not facts.in_source_units:
        return Coding("u2", 1.0 / _GRAY_LEVELS, 0.0, as_source=False, rescaled=True)
    if "BitsStored" not in header and allocated >= 32:
        return Coding("f4" if allocated == 32 else "f8")
    item = frame_item(header, "PixelValueTransformationSequence", frame) or header
    stated = any(number(item, name) is not None for name in ("RescaleSlope", "RescaleIntercept"))
    looked_up = _is_looked_up(header, frame)
    slope, intercept = (1.0, 0.0) if looked_up else rescale(item)
    return _fitting(header, facts, slope, intercept, stated and not looked_up, looked_up)


def _fitting(
    header: Dataset,
    facts: DerivedFacts,
    slope: float,
    intercept: float,
    rescaled: bool,
    looked_up: bool,
) -> Coding:
    allocated = int(number(header, "BitsAllocated") or 16)
    signed = bool(number(header, "PixelRepresentation"))
    size = allocated // 8 if allocated in (8, 16, 32) else 2
    own = f"{'i' if signed else 'u'}{size}"
    needed = [(end - intercept) / slope for end in (*facts.window.ends, facts.lowest)]
    # The values of the source are in it by themselves; a table has its own.
    if looked_up:
        own, size = "u2", 2
    for kind in dict.fromkeys((own, f"i{max(size, 2)}", f"u{max(size, 2)}")):
        limits = np.iinfo(np.dtype(kind))
        held = _held(header, own) if not looked_up else (0.0, 65535.0)
        # Half a sample is lost at most.
        low, high = min(*needed, held[0]) + 0.5, max(*needed, held[1]) - 0.5
        if limits.min <= low and high <= limits.max:
            same = kind == own and not looked_up
            return Coding(kind, slope, intercept, as_source=same, rescaled=rescaled)
    held = _held(header, own)
    ends = [slope * one + intercept for one in (*needed, *held)]
    low, high = min(ends), max(ends)
    return Coding("u2", (high - low) / _GRAY_LEVELS, low, as_source=False, rescaled=True)


def _held(header: Dataset, kind: str) -> tuple[float, float]:
    """The stored values that the source can have."""
    limits = np.iinfo(np.dtype(kind))
    bits = min(int(number(header, "BitsStored") or limits.bits), limits.bits)
    if kind.startswith("i"):
        return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    return 0.0, 2.0**bits - 1


def _is_looked_up(header: Dataset, frame: int) -> bool:
    """Whether values are the output of a lookup table, as `enhancers.load.dicom` reads them."""
    if table(header, "ModalityLUTSequence") is not None:
        return True
    windows, _ = stated_windows(header, frame, rescale(header))
    hounsfield = str(header.get("Modality", "")) == "CT" and "RescaleIntercept" in header
    return not windows and not hounsfield and table(header, "VOILUTSequence") is not None


def describe_samples(dataset: Dataset, coding: Coding, facts: DerivedFacts) -> None:
    """Write the image pixel module (C.7.6.3) for these samples."""
    inverted = str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1"
    dataset.SamplesPerPixel = 3 if facts.colour else 1
    gray = "MONOCHROME1" if inverted and facts.in_source_units else "MONOCHROME2"
    dataset.PhotometricInterpretation = "RGB" if facts.colour else gray
    dataset.BitsAllocated = coding.bits
    whole: dict[str, Any] = {
        "BitsStored": coding.bits,
        "HighBit": coding.bits - 1,
        "PixelRepresentation": int(coding.dtype.startswith("i")),
    }
    for name, value in whole.items():
        if coding.floating:
            dataset.pop(name, None)
        else:
            setattr(dataset, name, value)
    if facts.colour:
        dataset.PlanarConfiguration = 0
    if facts.colour or not coding.as_source:
        for name in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
            if name in dataset:
                del dataset[name]
