"""Stimuli on disk: raw buffers with random names, all with the same modification time."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from enhancers.display import U16_MAX, raw_buffer
from enhancers.files import write_atomic
from enhancers.image import Pixels
from study.domain.errors import BuildError
from study.storage.models import Stimulus, new_id

FINEST = U16_MAX
"""Largest gray level of a 16-bit image."""

SAME_TIME = 946684800
"""Modification time of every file, 2000-01-01 UTC, so that no time reveals their order."""

_OURS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.raw|\.[0-9a-f]{16}\.part")


@dataclass(frozen=True)
class WrittenStimulus:
    """Name and SHA-256 of a stimulus file, and the shape of its image."""

    file: str
    sha256: str
    width: int
    height: int
    channels: int
    slices: int = 1


def quantised(pixels: Pixels, levels: int) -> Pixels:
    """Round pixels to multiples of 1 / ``levels``, then to 16 bits, as earlier versions did."""
    steps = np.rint(pixels.astype(np.float64) * levels) / levels
    return (np.rint(steps * U16_MAX) / U16_MAX).astype(np.float32)


def write(folder: Path, stack: Pixels) -> WrittenStimulus:
    """Write an image as little-endian uint16, row by row, RGB interleaved, without a header.

    Parameters
    ----------
    folder : Path
    stack : ndarray, float32, shape (S, H, W) or (S, H, W, 3), in [0, 1]
        The slices of a stack, or S = 1 of a single image.

    Raises
    ------
    BuildError
        The file cannot be written.
    """
    buffer, name = _bytes(stack), new_id()
    path = folder / f"{name}.raw"
    try:
        write_atomic(path, buffer, mode=0o600, sync=True)
        os.utime(path, (SAME_TIME, SAME_TIME))
    except OSError as error:
        raise BuildError(f"A stimulus cannot be written to {folder}: {error.strerror}.") from None
    slices, height, width = stack.shape[:3]
    channels = 3 if stack.ndim == 4 else 1
    digest = hashlib.sha256(buffer).hexdigest()
    return WrittenStimulus(path.name, digest, width, height, channels, slices)


def _bytes(stack: Pixels) -> bytes:
    return b"".join(raw_buffer(one) for one in stack)


def read(folder: Path, stimulus: Stimulus) -> Pixels | None:
    """The image of a stimulus; None where its file is missing or was changed.

    Returns
    -------
    ndarray, float32, shape (S, H, W) or (S, H, W, 3), in [0, 1], or None
    """
    try:
        buffer = (folder / stimulus.file).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(buffer).hexdigest() != stimulus.pixel_sha256:
        return None
    colour = (3,) if stimulus.channels == 3 else ()
    shape = (stimulus.slices or 1, stimulus.height, stimulus.width, *colour)
    levels = np.frombuffer(buffer, "<u2")
    return (levels.astype(np.float64) / U16_MAX).astype(np.float32).reshape(shape)


def put_back(folder: Path, stimulus: Stimulus, stack: Pixels) -> bool:
    """Write the file of a stimulus again, if the image is the one that was built (`write`)."""
    buffer = _bytes(stack)
    if hashlib.sha256(buffer).hexdigest() != stimulus.pixel_sha256:
        return False
    path = folder / stimulus.file
    try:
        write_atomic(path, buffer, mode=0o600, sync=True)
        os.utime(path, (SAME_TIME, SAME_TIME))
    except OSError as error:
        raise BuildError(f"A stimulus cannot be written to {folder}: {error.strerror}.") from None
    return True


def remove_unused(folder: Path, wanted: Collection[str]) -> None:
    """Remove buffers of interrupted or earlier builds, which are not among the wanted names."""
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in wanted:
            path.unlink(missing_ok=True)
