"""What a derived DICOM object says about the result, as plain values."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from enhancers.geometry import ImageGeometry
from enhancers.image import Window


def new_uid() -> str:
    """A random unique identifier below 2.25 (PS3.5, B.2)."""
    return f"2.25.{uuid.uuid4().int}"


@dataclass(frozen=True)
class DerivedFacts:
    """What a derived object says about its pixels and where they come from.

    Parameters
    ----------
    window : Window
        In the units of the values; ``low > high`` where low values are shown as white.
    description : str
        How the result was made: Derivation Description, at most 1024 characters.
    series_description : str
        At most 64 characters.
    in_source_units : bool
        Whether the values are in the units of the source. Else they are gray levels from 0 to 1.
    scale : int
        Enlargement.
    colour : bool
    lowest : float
        The lowest value of the source that is known: decides whether samples are signed.
    frames : tuple of int or None
        The frames of the source in the order of the result; None where it has a single frame.
    geometry : ImageGeometry or None
        Of the image as it was read, before it is enlarged.
    keep_patient : bool
        Whether the Patient and Study modules of the source are kept.
    study_uid, series_uid : str
        Of this export. The study is that of the source where the patient is kept.
    """

    window: Window
    description: str
    series_description: str = "Reading Room"
    in_source_units: bool = True
    scale: int = 1
    colour: bool = False
    lowest: float = 0.0
    frames: tuple[int, ...] | None = None
    geometry: ImageGeometry | None = None
    keep_patient: bool = False
    study_uid: str = field(default_factory=new_uid)
    series_uid: str = field(default_factory=new_uid)

    def as_json(self) -> dict[str, Any]:
        """The facts as values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> DerivedFacts:
        """The facts of `as_json`."""
        frames = facts["frames"]
        return cls(
            **{
                **facts,
                "window": Window(**facts["window"]),
                "frames": None if frames is None else tuple(frames),
                "geometry": ImageGeometry.from_json(facts["geometry"]),
            }
        )
