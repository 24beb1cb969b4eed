"""32-bit float TIFF: a result in source units, or a map of it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from enhancers.image import MedicalImage, Pixels, check_pixels
from enhancers.save.source_units import in_source_units
from enhancers.stated_facts import NOT_FOR_DIAGNOSIS, StatedFacts

SOFTWARE = "Reading Room"


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
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        in_source_units(image, pixels) if kept else pixels,
        **tiff_facts(image, pixels.shape, units),
    )
    return buffer.getvalue()


def tiff_facts(image: MedicalImage, shape: tuple[int, ...], units: str) -> dict[str, Any]:
    """Tags of a page with a result of ``image``: units, window and spacing, for tifffile.

    Parameters
    ----------
    image : MedicalImage
    shape : (rows, columns) or (rows, columns, 3)
        Of the result.
    units : str
        Of its values.
    """
    facts = StatedFacts.of_result(image, units, shape[0] // image.shape[0])
    kept = units == image.units
    found: dict[str, Any] = {
        "photometric": _photometric(image, len(shape), kept),
        "description": f"{facts.text}. {NOT_FOR_DIAGNOSIS}".encode(),
        "software": SOFTWARE,
        "metadata": None,
    }
    return {**found, **resolution(facts.spacing, image.aspect)}


def resolution(
    spacing: tuple[float, float] | None, aspect: tuple[float, float] | None
) -> dict[str, Any]:
    """Tags of the pixels per centimetre, or without a unit where only an aspect is known."""
    if spacing is not None:
        # Along a row first.
        per_centimetre = 10.0 / spacing[1], 10.0 / spacing[0]
        return {"resolution": per_centimetre, "resolutionunit": "CENTIMETER"}
    if aspect is not None:
        return {"resolution": aspect, "resolutionunit": "NONE"}
    return {}


def _photometric(image: MedicalImage, dimensions: int, kept: bool) -> str:
    """How a TIFF file shows the values: low ones as white where the image does."""
    if dimensions == 3:
        return "rgb"
    return "miniswhite" if kept and image.window.inverted else "minisblack"


def to_tiff_map(one: BundleMap) -> bytes:
    """Encode the values of a map as a 32-bit float TIFF."""
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        one.values,
        photometric="rgb" if one.values.ndim == 3 else "minisblack",
        # As bytes: text would have to be ASCII.
        description=f"units: {one.units}. {one.about} {NOT_FOR_DIAGNOSIS}".encode(),
        software=SOFTWARE,
        metadata=None,
    )
    return buffer.getvalue()
