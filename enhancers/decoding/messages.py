"""What goes between the server and a worker: JSON of plain values, then the bytes of arrays.

Nothing is unpickled: a file that takes over a decoder must not take over the server.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from enhancers.geometry import ImageGeometry
from enhancers.image import MedicalImage, NamedWindow, Region, Window
from enhancers.load.raw import RawSlice
from enhancers.load.window import interpret
from enhancers.measured import Measured, SampledSpectrum
from enhancers.method import Modality

MAX_FACTS = 2**24
"""Most bytes of the JSON of a message."""

_LENGTH = struct.Struct("<I")
_RAW = (
    "format", "units", "bits", "extent", "inverted", "padding", "modality", "hint", "spacing",
    "plane", "slice_index", "slice_count", "time_index", "time_count", "tags", "warnings",
    "lines",
)  # fmt: skip


class Readable(Protocol):
    """A binary file that fills a buffer."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """The number of bytes that were read; 0 at the end."""


class ConnectionEnded(Exception):
    """The other process has gone, or what it sent is no message."""


def write_facts(write: Callable[[bytes], object], facts: Mapping[str, Any]) -> None:
    """Write the JSON of a message."""
    text = json.dumps(facts, separators=(",", ":")).encode()
    write(_LENGTH.pack(len(text)) + text)


def write_arrays(
    write: Callable[[Any], object], facts: Mapping[str, Any], arrays: Sequence[NDArray[Any]]
) -> None:
    """Write the JSON of a message with the types of its arrays, and the arrays."""
    listed = [{"dtype": array.dtype.str, "shape": array.shape} for array in arrays]
    write_facts(write, {**facts, "arrays": listed})
    for array in arrays:
        write(_bytes_of(np.ascontiguousarray(array)))


def read_facts(file: Readable) -> dict[str, Any]:
    """Read the JSON of a message.

    Raises
    ------
    ConnectionEnded
    """
    (length,) = _LENGTH.unpack(_exactly(file, bytearray(_LENGTH.size)))
    if length > MAX_FACTS:
        raise ConnectionEnded(f"a message of {length} bytes")
    try:
        facts = json.loads(_exactly(file, bytearray(length)))
    except ValueError as error:
        raise ConnectionEnded("no message") from error
    if not isinstance(facts, dict):
        raise ConnectionEnded("no message")
    return facts


def read_arrays(file: Readable, facts: Mapping[str, Any], most: int) -> list[NDArray[Any]]:
    """Read the arrays of a message, of ``most`` bytes together.

    Raises
    ------
    ConnectionEnded
    """
    found = []
    for listed in facts.get("arrays", ()):
        try:
            dtype, shape = np.dtype(listed["dtype"]), tuple(int(n) for n in listed["shape"])
            most -= dtype.itemsize * int(np.prod(shape, dtype=object))
            if most < 0 or min(shape) < 1 or dtype.kind not in "biufc":
                raise ValueError(listed)
        except (TypeError, ValueError, KeyError) as error:
            raise ConnectionEnded("no message") from error
        array = np.empty(shape, dtype)
        _exactly(file, _bytes_of(array))
        found.append(array)
    return found


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _exactly(file: Readable, target: Any) -> Any:
    view, done = memoryview(target), 0
    while done < len(view):
        count = file.readinto(view[done:])
        if not count:
            raise ConnectionEnded
        done += count
    return target


def image_facts(raw: RawSlice, image: MedicalImage) -> dict[str, Any]:
    """A slice and the image that was made of it, without their arrays."""
    return {
        **raw_facts(raw),
        "image": {
            "window": asdict(image.window),
            "units": image.units,
            "modality": image.modality,
            "modality_origin": image.modality_origin,
            "bits": image.bits,
            "digest": image.digest,
            "warnings": image.warnings,
        },
    }


def raw_facts(raw: RawSlice) -> dict[str, Any]:
    """A slice without its arrays."""
    return {
        "raw": {name: getattr(raw, name) for name in _RAW},
        "windows": [asdict(one) for one in raw.windows],
        "region": None if raw.region is None else asdict(raw.region),
        "geometry": None if raw.geometry is None else raw.geometry.as_json(),
        "spectrum": None if raw.spectrum is None else {"real": raw.spectrum.real},
    }


def spectrum_arrays(raw: RawSlice) -> list[NDArray[Any]]:
    """The arrays of the slice's k-space; none where it has none."""
    return [] if raw.spectrum is None else [raw.spectrum.samples, raw.spectrum.sampled]


def take_spectrum(facts: Mapping[str, Any], arrays: list[NDArray[Any]]) -> SampledSpectrum | None:
    """Remove the arrays of `spectrum_arrays` from the end of the list and join them."""
    known = facts["spectrum"]
    if known is None:
        return None
    sampled, samples = arrays.pop(), arrays.pop()
    return SampledSpectrum(samples, sampled, real=bool(known["real"]))


def raw_slice(
    facts: Mapping[str, Any],
    values: NDArray[Any],
    sample: NDArray[Any] | None,
    spectrum: SampledSpectrum | None = None,
) -> RawSlice:
    """The slice of `raw_facts`, whose values are the source of the image."""
    known = dict(facts["raw"])
    for name in ("extent", "padding", "spacing"):
        known[name] = None if known[name] is None else tuple(known[name])
    known["region"] = None if facts["region"] is None else Region(**facts["region"])
    known["geometry"] = ImageGeometry.from_json(facts["geometry"])
    for name in ("modality", "hint"):
        known[name] = Modality(known[name]) if known[name] else None
    known["tags"] = tuple((name, value) for name, value in known["tags"])
    known["warnings"] = tuple(known["warnings"])
    known["lines"] = tuple((float(slope), float(rest)) for slope, rest in known["lines"])
    known["windows"] = tuple(
        NamedWindow(one["name"], Window(**one["window"])) for one in facts["windows"]
    )
    return RawSlice(values, **known, sample=sample, spectrum=spectrum)


def medical_image(
    facts: Mapping[str, Any],
    raw: RawSlice,
    pixels: NDArray[np.float32],
    window: tuple[float, float] | None,
) -> MedicalImage:
    """The image of `image_facts`, which was read with this window."""
    known = facts["image"]
    return MedicalImage(
        pixels=pixels,
        window=Window(**known["window"]),
        source=raw.values,
        units=known["units"],
        modality=Modality(known["modality"]),
        modality_origin=known["modality_origin"],
        spacing=raw.spacing,
        geometry=raw.geometry,
        region=raw.region,
        bits=known["bits"],
        format=raw.format,
        digest=known["digest"],
        plane=raw.plane,
        slice_index=raw.slice_index,
        slice_count=raw.slice_count,
        time_index=raw.time_index,
        time_count=raw.time_count,
        tags=raw.tags,
        warnings=tuple(known["warnings"]),
        windows=raw.windows,
        measured=None if raw.spectrum is None else Measured(spectrum=raw.spectrum),
        reading=partial(interpret, raw, window),
    )


def with_source(raw: RawSlice, image: MedicalImage) -> RawSlice:
    """The slice with the source of the image that was made of it, for another window."""
    return replace(raw, values=image.source, windows=image.windows, stored=None, lines=())
