"""What goes in and out of an endpoint: uploaded files, checked values, files of results."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder
from gradio_client.utils import is_file_obj_with_meta
from pydantic import NonNegativeInt, TypeAdapter, ValidationError

from enhancers import __version__
from enhancers.compare import Outcome
from enhancers.compare.maps import bundle_maps
from enhancers.decoding import Opened, open_upload
from enhancers.degrade import KINDS
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.image import MedicalImage, Pixels
from enhancers.input_facts import InputFacts
from enhancers.load import Caps
from enhancers.load.mask import known_pixels, unusable
from enhancers.method import Modality, ParameterValue
from enhancers.metrics import score_rows, to_csv
from enhancers.metrics.large_images import reduced, shrink_of
from enhancers.provenance import NOTICE, now, software
from enhancers.save import BundleItem, to_png16, to_tiff_source, write_bundle
from enhancers.settings import not_possible
from enhancers.voxel_grid import STORED

T = TypeVar("T")

Seed = TypeAdapter(NonNegativeInt)
OptionalInt: TypeAdapter[int | None] = TypeAdapter(int | None)
OptionalText: TypeAdapter[str | None] = TypeAdapter(str | None)
OptionalFloat: TypeAdapter[float | None] = TypeAdapter(float | None)
Text = TypeAdapter(str)
Parameters = TypeAdapter(dict[str, ParameterValue])


def uploaded(name: str, value: Any, caps: Caps, series: str | None = None) -> Opened:
    """An uploaded file or DICOM series, which is removed from the disk.

    ``series`` is the key of a series, of an upload that holds several.

    Gradio lets a value of this form through only if its path is that of an upload; a path in any
    other form is whatever the caller wrote, and is not read.
    """
    if not is_file_obj_with_meta(value):
        raise ParameterError(
            f"{name} is not an uploaded file; with gradio_client give handle_file('scan.dcm')."
        )
    return open_upload(Path(value["path"]), caps, checked("series", series, OptionalText))


def upload_name(value: Any) -> str:
    """The name that the caller's file had."""
    stated = value.get("orig_name") if isinstance(value, dict) else None
    return str(stated or "")


def checked(name: str, value: object, kind: TypeAdapter[T]) -> T:
    """A value of a call in the type it must have.

    Raises
    ------
    ParameterError
        One sentence with the name, the value and what is possible.
    """
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        raise not_possible(name, error) from None


def reader(opened: Opened, plane: str | None, time: int | None) -> Callable[..., MedicalImage]:
    """Reads slices of a plane, at a time."""
    chosen = checked("plane", plane, OptionalText) or STORED
    return partial(opened.image, plane=chosen, time=checked("time", time, OptionalInt))


def open_image(
    value: object,
    caps: Caps,
    slice_index: int | None,
    modality: str | None,
    series: str | None,
    plane: str | None,
    time: int | None,
) -> MedicalImage:
    """Read the uploaded image of a call."""
    index = checked("slice_index", slice_index, OptionalInt)
    image = reader(uploaded("image", value, caps, series), plane, time)(index)
    if modality is None:
        return image
    known = {entry.value: entry for entry in Modality}
    wanted = str(modality).upper()
    if wanted not in known:
        raise ParameterError(f"modality={modality} is unknown; give one of {', '.join(known)}.")
    return image.with_modality(known[wanted])


def masked(image: MedicalImage, value: object, caps: Caps) -> MedicalImage:
    """The image with an uploaded mask of its missing pixels."""
    file = uploaded("mask", value, caps)
    try:
        mask = file.image()
        if mask.slice_count > 1 and mask.slice_index != image.slice_index:
            mask = file.image(image.slice_index)
    except ReadingRoomError as error:
        raise unusable(error) from None
    return image.with_known(known_pixels(mask, image.shape))


def image_file(
    name: str, image: MedicalImage, pixels: Pixels, kind: str, units: str
) -> dict[str, Any]:
    """A result of ``image`` as a file to download: 16-bit PNG, or TIFF in its ``units``."""
    if kind == "png":
        return _file(f"{name}.png", to_png16(pixels, image.aspect))
    if kind == "tiff":
        return _file(f"{name}.tif", to_tiff_source(image, pixels, units))
    raise ParameterError(f"format={kind} is not possible; give png, tiff or, for results, zip.")


def bundle_file(image: MedicalImage, outcome: Outcome) -> dict[str, Any]:
    """A result of ``image`` as a zip: input, result, maps, metrics, record."""
    target, name = io.BytesIO(), outcome.method
    pixels = outcome.result.pixels
    item = BundleItem(name, pixels, outcome.record.result_units)
    shrink = shrink_of(image.shape)
    rows = score_rows(reduced(image.pixels, shrink), {name: reduced(pixels, shrink)})
    table, maps = to_csv(rows, shrink=shrink), bundle_maps(image, outcome)
    write_bundle(target, image, [item], table, outcome.record.to_json(), None, maps)
    return _file(f"{name}.zip", target.getvalue())


def degradation_record(
    image: MedicalImage,
    degraded: MedicalImage,
    kind: str,
    level: float,
    seed: int,
    settings: Mapping[str, ParameterValue],
) -> dict[str, Any]:
    """All that is needed to degrade ``image`` in the same way again, and what came out."""
    return {
        "created": now(),
        "input": asdict(InputFacts.of(image)),
        "kind": kind,
        "level_name": KINDS[kind].level,
        "level": level,
        "parameters": KINDS[kind].resolve(settings),
        "seed": seed,
        "software": dict(software("classical")),
        "result_digest": degraded.digest,
        "project": f"Reading Room {__version__}",
        "notice": NOTICE,
    }


def record_file(name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as a JSON file to download."""
    text = json.dumps(record, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return _file(f"{name}.json", (text + "\n").encode())


def _file(name: str, data: bytes) -> dict[str, Any]:
    path = save_bytes_to_cache(data, name, str(get_upload_folder()))
    return dict(gr.FileData(path=path, orig_name=name).model_dump())
