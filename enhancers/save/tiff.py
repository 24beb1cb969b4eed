"""32-bit float TIFF: a result in source units, or a map of it."""

from __future__ import annotations

import io
from dataclasses import dataclass

from enhancers.image import MedicalImage, Pixels, check_pixels
from enhancers.save.source_units import in_source_units

NOT_FOR_DIAGNOSIS = "Not a medical device. Not for diagnosis."


@dataclass(frozen=True, eq=False)
class BundleMap:
    """A map of a result in a bundle: ``name`` becomes the name of its file.

    ``values`` are written as they are; ``units`` and ``about`` say what they are.
    """

    name: str
    values: Pixels
    units: str
    about: str


def to_tiff_source(image: MedicalImage, pixels: Pixels, units: str) -> bytes:
    """Encode a result of ``image`` as a 32-bit float TIFF in source units (`in_source_units`).

    ``units`` are those of the result (`Record.result_units`). Where they are not the image's, as
    after tone mapping, the values have no meaning in source units: the file holds the gray levels
    from 0 to 1, and says so.
    """
    import tifffile

    check_pixels(pixels)
    kept = units == image.units
    said = units if kept else f"{units} (0 to 1)"
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        in_source_units(image, pixels) if kept else pixels,
        photometric=_photometric(image, pixels, kept),
        description=f"units: {said}. {NOT_FOR_DIAGNOSIS}".encode(),
        software="Reading Room",
        metadata=None,
    )
    return buffer.getvalue()


def _photometric(image: MedicalImage, pixels: Pixels, kept: bool) -> str:
    """How a TIFF file shows the values: low ones as white where the image does."""
    if pixels.ndim == 3:
        return "rgb"
    return "miniswhite" if kept and image.window.inverted else "minisblack"


def to_tiff_map(one: BundleMap) -> bytes:
    """Encode the values of a map as a 32-bit float TIFF."""
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        one.values,
        photometric="minisblack",
        # As bytes: text would have to be ASCII.
        description=f"units: {one.units}. {one.about} {NOT_FOR_DIAGNOSIS}".encode(),
        software="Reading Room",
        metadata=None,
    )
    return buffer.getvalue()
