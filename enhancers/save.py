"""Lossless export: 16-bit PNG, float TIFF in source units, and a zip of a complete run.

Of the input file only pixels, spacing and window are copied.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from enhancers.files import write_atomic
from enhancers.image import MedicalImage, Pixels, check_pixels
from enhancers.measured import SampledSpectrum

WHITE = 65535
"""The 16-bit gray level of 1.0."""

FADE = 0.01
"""Part of the window's width beyond its ends over which the change by a method fades out."""

NOT_FOR_DIAGNOSIS = "Not a medical device. Not for diagnosis."

# The earliest time of a zip archive, so that the same run gives the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class BundleItem:
    """One result of a bundle: ``name`` (a method's key) becomes the name of its files.

    ``units`` are those of its values (`Record.result_units`); empty for the input's.
    """

    name: str
    pixels: Pixels
    units: str = ""


@dataclass(frozen=True, eq=False)
class BundleMap:
    """A map of a result in a bundle: ``name`` becomes the name of its file.

    ``values`` are written as they are; ``units`` and ``about`` say what they are.
    """

    name: str
    values: Pixels
    units: str
    about: str


def to_npz(spectrum: SampledSpectrum) -> bytes:
    """The samples of k-space with their mask as a NumPy archive, as `enhancers.load` reads it."""
    file = io.BytesIO()
    np.savez_compressed(
        file, kspace=spectrum.samples, mask=spectrum.sampled, real=np.bool_(spectrum.real)
    )
    return file.getvalue()


def to_png16(pixels: Pixels) -> bytes:
    """Encode as a 16-bit gray or RGB PNG: exactly ``round(x * 65535)``.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]

    Raises
    ------
    ValueError
        The pixels are not finite, not in [0, 1] or of another shape.
    """
    import cv2

    check_pixels(pixels)
    levels = np.rint(pixels.astype(np.float64) * WHITE).astype(np.uint16)
    if levels.ndim == 3:
        levels = levels[..., ::-1]
    done, data = cv2.imencode(".png", np.ascontiguousarray(levels))
    if not done:
        raise ValueError(f"an image of {pixels.shape} could not be encoded as PNG")
    return bytes(data.tobytes())


def read_png16(data: bytes) -> NDArray[np.uint16]:
    """Gray levels of a PNG that `to_png16` wrote, (H, W) or (H, W, 3) in RGB order."""
    import cv2

    levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if levels is None or levels.dtype != np.uint16:
        raise ValueError("these bytes are no 16-bit PNG")
    return np.ascontiguousarray(levels[..., ::-1] if levels.ndim == 3 else levels)


def save_png16(path: Path, pixels: Pixels) -> None:
    """Write the pixels as `to_png16` does; the file is written atomically."""
    write_atomic(Path(path), to_png16(pixels))


def in_source_units(image: MedicalImage, pixels: Pixels) -> Pixels:
    """A result of ``image`` in its source units (HU for CT), as float32.

    The method saw the source clipped by the window. Its change of the clipped image is added to the
    source: inside the window that gives the result. Beyond it, where the method saw black or white
    only, the change fades out over `FADE` of the window's width: bone and air keep their values,
    and there is no jump at the ends. A result of another size than the image is only mapped.
    """
    window = image.window
    if pixels.shape != image.source.shape:
        return window.to_source(pixels).astype(np.float32)
    low, high = window.ends
    change = window.to_source(pixels) - window.to_source(image.pixels)
    beyond = np.maximum(low - image.source, image.source - high) / (FADE * window.width)
    change *= np.clip(1.0 - beyond, 0.0, 1.0)
    return (image.source + change).astype(np.float32)


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


def write_bundle(
    target: Path | IO[bytes],
    image: MedicalImage,
    results: Sequence[BundleItem],
    metrics_csv: str,
    provenance: str,
    truth: Pixels | None,
    maps: Sequence[BundleMap] = (),
) -> None:
    """Write a zip of a run: input, results, source-unit TIFFs, maps, metrics, provenance, README.

    The same arguments give the same bytes.

    Parameters
    ----------
    target : Path or binary file
        A path is written atomically.
    image : MedicalImage
        The input as the methods used it.
    results : sequence of BundleItem
    metrics_csv, provenance : str
        The table and the JSON record, written unchanged.
    truth : ndarray or None
        The clean image, where one is known.
    maps : sequence of BundleMap
        Written as 32-bit float TIFF files in the folder ``maps``.
    """
    buffer = io.BytesIO()
    items = [BundleItem("input", image.pixels), *results]
    units = [item.units or image.units for item in items]
    names = _file_names([item.name for item in items])
    with zipfile.ZipFile(buffer, "w") as archive:
        _add(archive, "README.txt", _readme(image, items, names, truth, maps).encode())
        for name, item in zip(names, items, strict=True):
            _add(archive, f"{name}.png", to_png16(item.pixels))
        if truth is not None:
            _add(archive, "truth.png", to_png16(truth))
        for name, item, unit in zip(names, items, units, strict=True):
            folder = "source_units" if unit == image.units else "gray_levels"
            _add(archive, f"{folder}/{name}.tif", to_tiff_source(image, item.pixels, unit))
        for one in maps:
            _add(archive, f"maps/{one.name}.tif", to_tiff_map(one))
        _add(archive, "metrics.csv", metrics_csv.encode())
        _add(archive, "provenance.json", provenance.encode())
    if isinstance(target, str | os.PathLike):
        write_atomic(Path(target), buffer.getvalue())
    else:
        target.write(buffer.getvalue())


def _file_names(names: Sequence[str]) -> list[str]:
    """Distinct file names without characters that could leave the archive's folder."""
    taken = {"truth"}
    found = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_") or "result"
        unique, count = plain, 1
        while unique in taken:
            count += 1
            unique = f"{plain}-{count}"
        taken.add(unique)
        found.append(unique)
    return found


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    # Stated, since the defaults differ between operating systems.
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
    archive.writestr(entry, data, compresslevel=6)


def _readme(
    image: MedicalImage,
    items: Sequence[BundleItem],
    names: Sequence[str],
    truth: Pixels | None,
    maps: Sequence[BundleMap],
) -> str:
    lines = [
        "Reading Room: one image and the results of enhancement methods.",
        NOT_FOR_DIAGNOSIS,
        "",
        "input.png        the image as the methods used it",
        *(f"{name}.png".ljust(16) + f" {_about(image, item)}"
          for name, item in zip(names[1:], items[1:], strict=True)),
        *(["truth.png        the clean image, known because the input is synthetic or degraded"]
          if truth is not None else []),
        "source_units/    the same in source units, 32-bit float TIFF",
        *(["gray_levels/     the same as gray levels from 0 to 1, 32-bit float TIFF: values that a",
           f"                 method mapped anew and that are {other}"]
          if (other := _other_units(image, items)) else []),
        *(f"maps/{one.name}.tif ({one.units}): {one.about}" for one in maps),
        "metrics.csv      figures of each result",
        "provenance.json  digests, versions, device, seed, parameters, timings",
        "",
        f"PNG gray levels run from 0 to {WHITE}: 0 is {_value(image.window.low, image.units)},",
        f"{WHITE} is {_value(image.window.high, image.units)}, linear between"
        + (f", except where this file says {other}." if other else "."),
        "In source_units, values beyond that window are those of the input; the change by a method",
        f"fades out over {FADE:.0%} of its width, so that there is no jump at its ends.",
        *_enlarged(image, items),
        f"Modality: {image.modality.label} ({_ORIGINS[image.modality_origin]}).",
        *_spacing(image, items),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _scale(image: MedicalImage, item: BundleItem) -> int:
    return int(item.pixels.shape[0]) // image.shape[0]


def _about(image: MedicalImage, item: BundleItem) -> str:
    """What a result's file holds, in a line."""
    scale = _scale(image, item)
    size = f", enlarged {scale} times each way" if scale > 1 else ""
    units = f" ({item.units})" if item.units not in ("", image.units) else ""
    return f"a result{size}{units}"


def _other_units(image: MedicalImage, items: Sequence[BundleItem]) -> str:
    return next((item.units for item in items if item.units not in ("", image.units)), "")


def _enlarged(image: MedicalImage, items: Sequence[BundleItem]) -> list[str]:
    """Where enlarged results differ from the others, one line each."""
    if all(_scale(image, item) == 1 for item in items):
        return []
    return ["In an enlarged result, values beyond the window are cut also in source_units."]


_ORIGINS = {"file": "from the file", "guessed": "guessed", "user": "chosen by the user"}


def _spacing(image: MedicalImage, items: Sequence[BundleItem]) -> list[str]:
    if image.spacing is None:
        return ["Pixel spacing: not stated by the file."]
    scales = sorted({_scale(image, item) for item in items})
    return [
        f"Pixel spacing {_where(scale)}: {image.spacing[0] / scale:g} mm between rows, "
        f"{image.spacing[1] / scale:g} mm between columns."
        for scale in scales
    ]


def _where(scale: int) -> str:
    return "of the input" if scale == 1 else f"of a result enlarged {scale} times"


def _value(number: float, units: str) -> str:
    return f"{number:g} ({units})"
