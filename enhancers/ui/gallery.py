"""The sample gallery: its entries, their thumbnails and opening a sample."""

from __future__ import annotations

import functools
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from enhancers.decoding import Opened, OpenedFile, UploadedSeries
from enhancers.display import thumbnail
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Pixels
from enhancers.load import Caps, load
from enhancers.method import nearest
from enhancers.samples import (
    REAL_SAMPLES,
    SAMPLES,
    SPINE_SAMPLES,
    RealSample,
    Sample,
    SpineSample,
    sample,
)

THUMBNAILS = "readingroom/samples/"
"""Address of the thumbnails, relative to the root of the app."""

THUMBNAIL_SIDE = 144

AnySample = Sample | SpineSample | RealSample

_ENTRIES: tuple[AnySample, ...] = (*SAMPLES, *SPINE_SAMPLES, *REAL_SAMPLES)
SPINES = frozenset(entry.key for entry in SPINE_SAMPLES)
"""Keys of the samples of several depths."""

_BY_KEY = {entry.key: entry for entry in _ENTRIES}


@dataclass(frozen=True, eq=False)
class OpenedSample:
    """What was opened: its name, image and file.

    A synthetic sample has the file of its ground truth, a series the upload that it is of.
    """

    label: str
    image: MedicalImage
    file: Opened
    truth: Opened | None = None
    series: UploadedSeries | None = None


def tiles(chosen: str = "") -> dict[str, Any]:
    """The gallery's value: groups of buttons, without thumbnails.

    Parameters
    ----------
    chosen : str
        Key of the sample that is open.
    """
    real = [entry for entry in REAL_SAMPLES if entry.available]
    groups = (
        ("Synthetic, with ground truth", SAMPLES), ("Synthetic, five depths", SPINE_SAMPLES),
        ("Real, without ground truth", real),
    )  # fmt: skip
    return {
        "groups": [
            {"title": title, "items": [_tile(entry, chosen) for entry in entries]}
            for title, entries in groups
            if entries
        ]
    }


def _tile(entry: AnySample, chosen: str) -> dict[str, str]:
    return {
        "key": entry.key,
        # The label up to the first comma or bracket.
        "label": re.split(r",| \(" if isinstance(entry, Sample) else r" \(", entry.label)[0],
        "hint": entry.description,
        "thumbnail": f"{THUMBNAILS}{entry.key}.png",
        "pressed": "true" if entry.key == chosen else "false",
    }


def open_sample(key: str, caps: Caps) -> OpenedSample:
    """Read a sample.

    Raises
    ------
    ParameterError
        No sample has this key.
    ImageReadError
        Its file is not on this machine.
    """
    entry = _entry(key)
    path, truth = _files(entry)
    opened = OpenedFile.local(path, caps)
    image = opened.image(_first(entry))
    if image.modality_origin != "file":
        # The modality of a sample is known: no guess and no warning.
        image = replace(image, modality=entry.modality, modality_origin="file", warnings=())
    known = None if truth is None else OpenedFile.local(truth, caps)
    return OpenedSample(entry.label, image, opened, known)


@functools.cache
def thumbnail_png(key: str) -> bytes:
    """A sample's thumbnail as 8-bit PNG (errors as `open_sample`)."""
    entry = _entry(key)
    path, _ = _files(entry)
    return small_png(load(path, slice_index=_first(entry)).pixels)


def small_png(pixels: Pixels) -> bytes:
    """A thumbnail of an image, as 8-bit PNG."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(thumbnail(pixels, THUMBNAIL_SIDE)).save(data, "PNG")
    return data.getvalue()


def _entry(key: str) -> AnySample:
    try:
        return _BY_KEY[key]
    except KeyError:
        raise ParameterError(f"There is no sample {key}; {nearest(key, list(_BY_KEY))}.") from None


def _first(entry: AnySample) -> int | None:
    """The slice that is shown first; None for that of the file."""
    return entry.slice_index if isinstance(entry, SpineSample) else None


def _files(entry: AnySample) -> tuple[Path, Path | None]:
    if isinstance(entry, RealSample):
        return entry.path(), None
    files = sample(entry.key)
    return files.degraded, files.truth
