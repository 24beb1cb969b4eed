"""The sample gallery: what is offered, its thumbnails, and opening one."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from enhancers.display import thumbnail
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage
from enhancers.load import Caps, load
from enhancers.method import nearest
from enhancers.samples import REAL_SAMPLES, SAMPLES, RealSample, Sample, sample

THUMBNAILS = "readingroom/samples/"
"""Where the thumbnails are, below the root of the app."""

THUMBNAIL_SIDE = 144

_ENTRIES: tuple[Sample | RealSample, ...] = (*SAMPLES, *REAL_SAMPLES)
_BY_KEY = {entry.key: entry for entry in _ENTRIES}


@dataclass(frozen=True, eq=False)
class Opened:
    """A sample on the table, with its file and that of its clean truth (synthetic ones only)."""

    label: str
    image: MedicalImage
    path: Path
    truth: Path | None


def tiles(chosen: str = "") -> dict[str, Any]:
    """The gallery's value: groups of buttons; draws nothing yet.

    Parameters
    ----------
    chosen : str
        Key of the sample that is open.
    """
    real = [entry for entry in REAL_SAMPLES if entry.available]
    groups = (("Synthetic, with a clean truth", SAMPLES), ("Real, without a truth", real))
    return {
        "groups": [
            {"title": title, "items": [_tile(entry, chosen) for entry in entries]}
            for title, entries in groups
            if entries
        ]
    }


def _tile(entry: Sample | RealSample, chosen: str) -> dict[str, str]:
    return {
        "key": entry.key,
        "label": entry.label.partition("," if isinstance(entry, Sample) else " (")[0].partition(
            " ("
        )[0],
        "hint": entry.description,
        "thumbnail": f"{THUMBNAILS}{entry.key}.png",
        "pressed": "true" if entry.key == chosen else "false",
    }


def open_sample(key: str, caps: Caps) -> Opened:
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
    image = load(path, caps=caps)
    if image.modality_origin != "file":
        # The gallery knows what it shows; there is nothing to guess or to warn of.
        image = replace(image, modality=entry.modality, modality_origin="file", warnings=())
    return Opened(entry.label, image, path, truth)


@functools.cache
def thumbnail_png(key: str) -> bytes:
    """A sample's small 8-bit PNG (errors as `open_sample`)."""
    from PIL import Image

    path, _ = _files(_entry(key))
    data = io.BytesIO()
    Image.fromarray(thumbnail(load(path).pixels, THUMBNAIL_SIDE)).save(data, "PNG")
    return data.getvalue()


def _entry(key: str) -> Sample | RealSample:
    try:
        return _BY_KEY[key]
    except KeyError:
        raise ParameterError(f"No sample {key}; {nearest(key, list(_BY_KEY))}.") from None


def _files(entry: Sample | RealSample) -> tuple[Path, Path | None]:
    if isinstance(entry, RealSample):
        return entry.path(), None
    files = sample(entry.key)
    return files.degraded, files.truth
