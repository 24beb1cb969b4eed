"""Several pictures as the pages of one TIFF file, so that they are one input."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ParameterError
from enhancers.image import MedicalImage
from enhancers.save.tiff import resolution


def in_order(paths: Sequence[Path]) -> list[Path]:
    """Files by their names, in which 10 comes after 9."""

    def key(path: Path) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdecimal() else (0, part.lower())
                for part in re.split(r"([0-9]+)", path.name)]  # fmt: skip

    return sorted(paths, key=key)


def to_tiff_pages(images: Sequence[MedicalImage]) -> bytes:
    """Encode the source values of images as the pages of a TIFF file, without loss.

    The file has the spacing of the first image, or the aspect of its pixels.

    Raises
    ------
    ParameterError
        There are fewer than two, their sizes differ, gray and colour are mixed, or one has several
        slices.
    """
    import tifffile

    if len(images) < 2:
        raise ParameterError("A stack needs two pictures or more.")
    shapes = {image.pixels.shape for image in images}
    if len(shapes) > 1:
        sizes = ", ".join(" × ".join(map(str, shape)) for shape in sorted(shapes))
        raise ParameterError(
            f"The pictures differ in size or colour ({sizes}); give pictures of one size."
        )
    if any(image.slice_count > 1 for image in images):
        raise ParameterError("A picture has several slices itself; open it alone.")
    first = images[0]
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        _narrowed(np.stack([image.source for image in images])),
        photometric="rgb" if first.is_colour else "minisblack",
        compression="zlib",
        metadata=None,
        **resolution(first.spacing, first.aspect),
    )
    return buffer.getvalue()


def _narrowed(values: NDArray[np.float32]) -> NDArray[np.generic]:
    """The values in the smallest of 8, 16 and 32 bits that holds them exactly."""
    for kind in (np.uint8, np.uint16):
        if values.min() >= 0 and values.max() <= np.iinfo(kind).max:
            narrow = values.astype(kind)
            if np.array_equal(narrow, values):
                return narrow
    return values
