"""Stimuli on disk: bare buffers with random names and one time of modification for all."""

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
"""Steps from black to white of a 16-bit image."""

SAME_TIME = 946684800
"""2000-01-01 UTC: what every file was last modified at, so that no time tells their order."""

_OURS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.raw|\.[0-9a-f]{16}\.part")


@dataclass(frozen=True)
class WrittenStimulus:
    """A stimulus file: its name, the SHA-256 of its bytes, and the shape of the image."""

    file: str
    sha256: str
    width: int
    height: int
    channels: int


def quantised(pixels: Pixels, levels: int = FINEST) -> Pixels:
    """The pixels as a screen will get them: whole numbers of ``levels`` steps from 0 to 1."""
    steps = np.rint(pixels.astype(np.float64) * levels) / levels
    return (np.rint(steps * U16_MAX) / U16_MAX).astype(np.float32)


def write(folder: Path, pixels: Pixels) -> WrittenStimulus:
    """Write an image as little-endian uint16, row by row, RGB interleaved, without any header.

    Parameters
    ----------
    folder : Path
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]

    Raises
    ------
    BuildError
        The disk is full or the folder may not be written to.
    """
    buffer, name = raw_buffer(pixels), new_id()
    path = folder / f"{name}.raw"
    try:
        write_atomic(path, buffer, mode=0o600, sync=True)
        os.utime(path, (SAME_TIME, SAME_TIME))
    except OSError as error:
        raise BuildError(f"A stimulus cannot be written to {folder}: {error.strerror}.") from None
    height, width = pixels.shape[:2]
    channels = 3 if pixels.ndim == 3 else 1
    return WrittenStimulus(path.name, hashlib.sha256(buffer).hexdigest(), width, height, channels)


def read(folder: Path, stimulus: Stimulus) -> Pixels | None:
    """The image of a stimulus; None where its file is missing or is not the one it was.

    Returns
    -------
    ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1], or None
    """
    try:
        buffer = (folder / stimulus.file).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(buffer).hexdigest() != stimulus.pixel_sha256:
        return None
    shape = (stimulus.height, stimulus.width, *((3,) if stimulus.channels == 3 else ()))
    levels = np.frombuffer(buffer, "<u2")
    return (levels.astype(np.float64) / U16_MAX).astype(np.float32).reshape(shape)


def sweep(folder: Path, wanted: Collection[str]) -> None:
    """Remove buffers that no stimulus names: left by an interrupted or an earlier build."""
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in wanted:
            path.unlink(missing_ok=True)
