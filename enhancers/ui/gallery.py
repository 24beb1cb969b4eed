"""The sample gallery: what is offered, its thumbnails, and opening one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Pixels
from enhancers.load import Caps

THUMBNAILS = "readingroom/samples/"
"""Where the thumbnails are, below the root of the app."""


@dataclass(frozen=True, eq=False)
class Opened:
    """A sample on the table; ``path`` is the file of a real one."""

    label: str
    image: MedicalImage
    path: Path | None = None
    truth: Pixels | None = None
    truth_origin: str = ""


def tiles() -> dict[str, Any]:
    """The gallery's value: groups of buttons. Draws nothing yet."""
    return {"groups": []}


def open_sample(key: str, caps: Caps) -> Opened:
    raise ParameterError(f"There is no sample {key}.")


def thumbnail_png(key: str) -> bytes:
    raise ParameterError(f"There is no sample {key}.")
