"""The zip of a complete run: input, results, maps, metrics, record."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from enhancers.files import write_atomic
from enhancers.image import MedicalImage, Pixels
from enhancers.save.png import WHITE, to_png16
from enhancers.save.source_units import FADE
from enhancers.save.tiff import BundleMap, to_tiff_map, to_tiff_source
from enhancers.stated_facts import NOT_FOR_DIAGNOSIS

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
            _add(archive, f"{name}.png", to_png16(item.pixels, image.aspect))
        if truth is not None:
            _add(archive, "truth.png", to_png16(truth, image.aspect))
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
