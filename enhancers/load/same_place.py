"""The slice of a second file that belongs to an image: of its ground truth, or of its mask."""

from __future__ import annotations

from typing import Any, Protocol

from enhancers.errors import ImageReadError
from enhancers.image import MedicalImage
from enhancers.voxel_grid import STORED


class PlaceReader(Protocol):
    """Reads a slice of a plane at a time, as `enhancers.load.load`."""

    def __call__(
        self, *, slice_index: int | None = None, window: tuple[float, float] | None = None,
        plane: str = STORED, time: int = 0,
    ) -> MedicalImage:  # fmt: skip
        """The slice, by default that of the file."""
        ...


def in_same_place(
    read: PlaceReader, image: MedicalImage, name: str, window: tuple[float, float] | None = None
) -> MedicalImage:
    """The only slice of a file; of a volume, the one in the plane, time and place of an image.

    Parameters
    ----------
    read : callable
        Of the file.
    image : MedicalImage
    name : str
        What the file is to the image, for errors.
    window : (low, high), optional

    Raises
    ------
    ImageReadError
        The file is a volume of another number of slices, or cannot be read.
    ParameterError
        It has no such plane.
    """
    found = read(window=window)
    plane, time, _ = image.place
    place: dict[str, Any] = {}
    if plane and found.slice_count > 1:
        place["plane"] = plane
    if time and found.time_count > 1:
        place["time"] = time
    if place:
        found = read(window=window, **place)
    index = matching_slice(image, found, name)
    if index in (None, found.slice_index):
        return found
    return read(slice_index=index, window=window, **place)


def matching_slice(image: MedicalImage, other: MedicalImage, name: str) -> int | None:
    """The slice of a volume that belongs to an image, from any slice of it; None where it has one.

    Raises
    ------
    ImageReadError
        It has another number of slices than the file of the image.
    """
    if other.slice_count == 1:
        return None
    if other.slice_count != image.slice_count:
        raise ImageReadError(
            f"The {name} has {other.slice_count} slices and the image {image.slice_count}; give "
            "one slice, or as many as the image has."
        )
    return image.slice_index
