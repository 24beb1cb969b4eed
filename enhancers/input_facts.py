"""Facts about the input of a method, as records state them: nothing about a patient, no names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from enhancers.image import MedicalImage, pixels_digest
from enhancers.measured import Measured


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

    @classmethod
    def of(cls, image: MedicalImage) -> InputFacts:
        """The facts about an image."""
        return cls(
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
            measured=_measured(image.measured),
            geometry=GeometryFacts.of(image),
            plane=image.shown_plane,
            time_index=image.time_index,
            time_count=image.time_count,
            crop=None if image.crop is None else astuple(image.crop),
            degraded="; ".join(value for name, value in image.tags if name == "degraded"),
            depths="" if image.depths is None else pixels_digest(image.depths),
        )

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> InputFacts:
        """The facts of a record; records of earlier versions lack some.

        Raises
        ------
        KeyError, TypeError, AttributeError
            They are not those of a record.
        """
        facts = dict(plain)
        for name in ("shape", "window", "spacing", "crop"):
            known = facts.get(name)
            facts[name] = None if known is None else tuple(known)
        measured = facts.pop("measured", None)
        facts["measured"] = None if measured is None else MeasuredFacts(**measured)
        facts["geometry"] = GeometryFacts.from_json(facts.pop("geometry", None))
        return cls(**facts)


def _measured(measured: Measured | None) -> MeasuredFacts | None:
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
