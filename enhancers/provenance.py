"""Provenance of a result as JSON: digests, versions, device, seed, parameters, timings.

A record holds nothing about a patient and nothing about the machine's user: no names of images, no
paths, no host name. Its key is a digest of everything that determines the result's bytes.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from enhancers import __version__
from enhancers.image import MedicalImage, pixels_digest
from enhancers.measured import Measured
from enhancers.method import Family, ParameterValue
from enhancers.registry import METHODS
from enhancers.source_digest import method_digest

NOTICE = "Not for diagnosis."

WITHOUT_NETWORKS = ("numpy", "scipy", "opencv-python", "scikit-image", "SimpleITK")
WITH_NETWORKS = (*WITHOUT_NETWORKS, "torch", "diffusers", "llvmlite")

PACKAGES: dict[Family, tuple[str, ...]] = {
    "classical": WITHOUT_NETWORKS,
    "trained": WITH_NETWORKS,
    "diffusion": WITH_NETWORKS,
}
"""The packages that a family of methods uses (hybrids include those of classical methods)."""


@dataclass(frozen=True)
class MeasuredFacts:
    """What was measured of the input, where not all of it was.

    ``pixels`` and ``spectrum`` are the shares of the pixels and of k-space that were measured; None
    where the image has no mask, or no k-space. ``coils`` and ``views`` are the numbers of coils and
    of projections, 0 where they are not known. ``digest`` is the SHA-256 of masks and samples.
    """

    pixels: float | None
    spectrum: float | None
    digest: str
    coils: int = 0
    views: int = 0


@dataclass(frozen=True)
class GeometryFacts:
    """Where the input lies in the patient, and among the voxels of its file.

    Parameters
    ----------
    affine : three rows of four numbers
        From (column, row, slices beyond this one, 1) of the image to LPS in mm.
    edges : tuple of str
        Directions at the left, right, top and bottom edge: R, L, A, P, I, S.
    voxel_axes : (column, row, slice)
        Axes of the file's voxels, from 1, along which the indices grow; negative where the image
        shows them reversed.
    voxel_slice : int
        Index of the image along the last of these axes, as the file counts.
    """

    affine: tuple[tuple[float, ...], ...]
    edges: tuple[str, str, str, str]
    voxel_axes: tuple[int, int, int]
    voxel_slice: int

    @classmethod
    def of(cls, image: MedicalImage) -> GeometryFacts | None:
        """Those of an image; None where its file does not say."""
        geometry = image.geometry
        if geometry is None:
            return None
        axes = geometry.stored or (1, 2, 3)
        index = image.slice_index
        return cls(
            tuple(tuple(float(value) for value in row) for row in geometry.affine[:3]),
            geometry.edges, axes, index if axes[2] > 0 else image.slice_count - 1 - index,
        )  # fmt: skip

    @classmethod
    def from_json(cls, facts: Mapping[str, Any] | None) -> GeometryFacts | None:
        """The facts of a record; None for None, as in records of earlier versions."""
        if facts is None:
            return None
        affine = tuple(tuple(row) for row in facts["affine"])
        return cls(**{**facts, "affine": affine, "edges": tuple(facts["edges"]),
                      "voxel_axes": tuple(facts["voxel_axes"])})  # fmt: skip


@dataclass(frozen=True)
class InputFacts:
    """Facts about the input of the method.

    ``file_digest`` is the SHA-256 of the file, ``pixels_digest`` that of the shape and the float32
    values in [0, 1]; 0 and 1 are ``window`` (low, high) in ``units``; ``spacing`` is (row, column)
    in mm. ``plane`` is that in which a volume was cut, or that of the slices of the file where it
    says how they lie; ``slice_index`` counts there. ``crop`` has the first row and column that were
    kept, and the first below and right of them that were not. ``degraded`` says how this
    program degraded it, with level, settings and seed. ``depths`` is the SHA-256 of the source
    values of all slices, where they are one input.
    """

    file_digest: str
    pixels_digest: str
    shape: tuple[int, ...]
    window: tuple[float, float]
    units: str
    modality: str
    modality_origin: str
    spacing: tuple[float, float] | None
    bits: int
    format: str
    slice_index: int
    slice_count: int
    measured: MeasuredFacts | None = None
    geometry: GeometryFacts | None = None
    plane: str = ""
    time_index: int = 0
    time_count: int = 1
    crop: tuple[int, int, int, int] | None = None
    degraded: str = ""
    depths: str = ""


@dataclass(frozen=True)
class PriorFacts:
    """The network of a result: its name and the SHA-256 of its weights.

    Of a network that a user added for restoration also the file that was added, its SHA-256, its
    architecture, and the licence and source that were stated. Its ``sha256`` covers the weights and
    the code of the architecture.
    """

    name: str
    sha256: str
    file: str = ""
    file_sha256: str = ""
    architecture: str = ""
    licence: str = ""
    source: str = ""


@dataclass(frozen=True)
class RecordedFigure:
    """A number that the method reported about its run."""

    name: str
    label: str
    value: float
    unit: str = ""


@dataclass(frozen=True)
class Record:
    """Everything needed to reproduce a result, and facts about the result.

    Parameters
    ----------
    key : str
        `cache_key` of the run.
    created : str
        UTC time of the run, ISO 8601.
    input : InputFacts
    method : str
        The registry key.
    params : tuple of (name, value)
        Complete, sorted by name; None is "automatic".
    seed : int
    device : str
        Description such as "CPU, 2 threads".
    software : tuple of (name, version)
    prior : PriorFacts or None
    seconds : float
        Wall time of the run.
    calls : int
        Network evaluations.
    scale : int
        Enlargement.
    figures : tuple of RecordedFigure
    notes : tuple of str
    result_digest : str
        `pixels_digest` of the result.
    result_units : str
        Units of the result's values ("gray level, not HU" after tone mapping); empty in records
        of earlier versions.
    seeds : int
        Number of runs whose mean the result is, with consecutive seeds from ``seed`` on.
    """

    key: str
    created: str
    input: InputFacts
    method: str
    params: tuple[tuple[str, ParameterValue], ...]
    seed: int
    device: str
    software: tuple[tuple[str, str], ...]
    prior: PriorFacts | None
    seconds: float
    calls: int
    scale: int
    figures: tuple[RecordedFigure, ...]
    notes: tuple[str, ...]
    result_digest: str
    result_units: str = ""
    seeds: int = 1
    project: str = f"Reading Room {__version__}"
    notice: str = NOTICE

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON types; numbers that are not finite become text ("inf", "nan")."""
        plain = asdict(self)
        plain["params"] = dict(self.params)
        plain["software"] = dict(self.software)
        figures = [asdict(figure) for figure in self.figures]
        for figure in figures:
            if not math.isfinite(figure["value"]):
                figure["value"] = str(figure["value"])
        plain["figures"] = figures
        if plain["prior"]:
            # Of a shipped network nothing was stated.
            plain["prior"] = {name: text for name, text in plain["prior"].items() if text}
        return plain

    def to_json(self) -> str:
        """The record as indented JSON with sorted keys: equal records give equal text."""
        return json.dumps(
            self.as_dict(), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False
        )


def from_json(text: str) -> Record:
    """Read the output of `Record.to_json`.

    A record of an earlier version gets a note for each parameter that its method did not have then.

    Raises
    ------
    ValueError
        The text is not a record of this version.
    """
    try:
        plain = json.loads(text)
        facts = dict(plain.pop("input"))
        for name in ("shape", "window", "spacing", "crop"):
            known = facts.get(name)
            facts[name] = None if known is None else tuple(known)
        # Absent in records of earlier versions.
        measured = facts.pop("measured", None)
        facts["measured"] = None if measured is None else MeasuredFacts(**measured)
        facts["geometry"] = GeometryFacts.from_json(facts.pop("geometry", None))
        prior = plain.pop("prior")
        figures = plain.pop("figures")
        record = Record(
            input=InputFacts(**facts),
            prior=None if prior is None else PriorFacts(**prior),
            params=tuple(sorted(plain.pop("params").items())),
            software=tuple(sorted(plain.pop("software").items())),
            figures=tuple(RecordedFigure(**{**f, "value": float(f["value"])}) for f in figures),
            notes=tuple(plain.pop("notes")),
            **plain,
        )
        return replace(record, notes=(*record.notes, *_earlier_notes(record)))
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a provenance record: {error}") from error


def _earlier_notes(record: Record) -> tuple[str, ...]:
    known = next((method for method in METHODS if method.key == record.method), None)
    added = {} if known is None else known.added
    lacking = [note for name, note in added.items() if name not in dict(record.params)]
    return tuple(note for note in lacking if note not in record.notes)


def describe_input(image: MedicalImage) -> InputFacts:
    """The facts about an input image for a record."""
    return InputFacts(
        file_digest=image.digest,
        pixels_digest=pixels_digest(image.pixels),
        shape=image.pixels.shape,
        window=(float(image.window.low), float(image.window.high)),
        units=image.units,
        modality=str(image.modality),
        modality_origin=image.modality_origin,
        spacing=None if image.spacing is None else (image.spacing[0], image.spacing[1]),
        bits=image.bits,
        format=image.format,
        slice_index=image.slice_index,
        slice_count=image.slice_count,
        measured=_describe_measured(image.measured),
        geometry=GeometryFacts.of(image),
        plane=image.shown_plane,
        time_index=image.time_index,
        time_count=image.time_count,
        crop=None if image.crop is None else astuple(image.crop),
        degraded="; ".join(value for name, value in image.tags if name == "degraded"),
        depths="" if image.depths is None else pixels_digest(image.depths),
    )


def _describe_measured(measured: Measured | None) -> MeasuredFacts | None:
    if measured is None:
        return None
    pixels = None if measured.known is None else float(measured.known.mean())
    samples = measured.coils or measured.spectrum
    return MeasuredFacts(
        pixels,
        None if samples is None else float(samples.sampled.mean()),
        measured.digest,
        coils=0 if measured.coils is None else len(measured.coils.samples),
        views=0 if measured.projections is None else measured.projections.beam.views,
    )


def cache_key(
    facts: InputFacts,
    method: str,
    params: Mapping[str, ParameterValue],
    *,
    seed: int,
    device: str,
    software: tuple[tuple[str, str], ...],
    prior: PriorFacts | None = None,
    seeds: int = 1,
) -> str:
    """SHA-256, as hex, of everything that determines a result's bytes.

    Parameters
    ----------
    facts : InputFacts
    method : str
    params : mapping
        Complete.
    seed : int
    device : str
        From `devices.model_name`: "cpu", "mps", or the GPU's model.
    software : tuple of (name, version)
        Of `software`.
    prior : PriorFacts, optional
    seeds : int
        Number of runs whose mean is the result.

    Raises
    ------
    UnknownMethod
    """
    determining = {
        "input": asdict(facts),
        "method": method,
        "params": dict(params),
        "seed": seed,
        "device": device,
        "software": dict(software),
        "prior": None if prior is None else asdict(prior),
        "code": method_digest(method),
        **({"seeds": seeds} if seeds > 1 else {}),
    }
    text = json.dumps(determining, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def software(family: Family) -> tuple[tuple[str, str], ...]:
    """Versions of Python and of the packages that these methods use, without importing them."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES[family]:
        version = _version(package)
        if version:
            versions[package] = version
    return tuple(sorted(versions.items()))


def _version(package: str) -> str:
    # OpenCV has two package names for the same module.
    names = (package, f"{package}-headless") if package == "opencv-python" else (package,)
    for name in names:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def now() -> str:
    """The UTC time to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
