"""GIF pictures: each frame of an animation as it is shown, without transparency."""

from __future__ import annotations

import io

import numpy as np
from PIL import ImageSequence
from PIL.GifImagePlugin import GifImageFile

from enhancers.errors import ImageReadError
from enhancers.load.aspect import aspect_tags
from enhancers.load.raw import Caps, Probe, RawSlice, pick_slice

MOST_FRAMES = 10_000
"""Frames of a file; one that holds more is damaged, or no picture."""


def probe(data: bytes, caps: Caps) -> Probe:
    """Size from the header, and the number of frames."""
    picture = _opened(data, caps)
    columns, rows = picture.size
    return Probe("GIF", rows, columns, _frames(picture))


def read(data: bytes, slice_index: int | None, caps: Caps) -> RawSlice:
    """Decode a frame, the first by default; units are the stored gray levels."""
    picture = _opened(data, caps)
    count = _frames(picture)
    index = pick_slice(slice_index, count)
    # A frame changes what those before it left.
    for place, frame in enumerate(ImageSequence.Iterator(picture)):
        if place == index:
            values = np.asarray(frame.convert("RGB"))
            return RawSlice(
                values, "GIF", "gray level", 8, (0.0, 255.0), slice_index=index, slice_count=count,
                tags=_aspect(data),
            )  # fmt: skip
    raise ImageReadError("The GIF file is truncated: it ends before this frame. Export it again.")


def _opened(data: bytes, caps: Caps) -> GifImageFile:
    # The class instead of Image.open, which has its own size limit and warning.
    picture = GifImageFile(io.BytesIO(data))
    columns, rows = picture.size
    caps.check_size(rows, columns, 3, len(data))
    return picture


def _aspect(data: bytes) -> tuple[tuple[str, str], ...]:
    """Of the header's byte 12, where it is not 0, width by height are (byte + 15) / 64."""
    return aspect_tags(64.0, data[12] + 15.0) if data[12] else ()


def _frames(picture: GifImageFile) -> int:
    count = int(picture.n_frames)
    if count > MOST_FRAMES:
        raise ImageReadError(f"The GIF file has {count} frames; {MOST_FRAMES} are allowed.")
    return count
