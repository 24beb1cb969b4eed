"""Scores of image files, for the command line and the HTTP endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from enhancers.image import MedicalImage
from enhancers.load.same_place import matching_slice
from enhancers.metrics import Score


class Reader(Protocol):
    """Reads a slice of a file through a window, as `enhancers.load.load`."""

    def __call__(
        self, *, slice_index: int | None = None, window: tuple[float, float] | None = None
    ) -> MedicalImage:
        """The slice, by default that of the file, as the window."""


def read_pair(
    image: Reader,
    truth: Reader | None,
    *,
    slice_index: int | None = None,
    window: tuple[float, float] | None = None,
) -> tuple[MedicalImage, MedicalImage | None]:
    """Read an image and its truth through one window, so that equal values have equal gray levels.

    The window is the one that is given, or the wider of the two. Files in different units, or 8
    bits against more, keep their own windows. ``slice_index`` is that of the image; of a truth of
    several slices, the same one is read.

    Raises
    ------
    ImageReadError, ParameterError
        As `enhancers.load.load`, and `matching_slice`.
    """
    first = image(slice_index=slice_index, window=window)
    if truth is None:
        return first, None
    second = truth(window=window)
    index = matching_slice(first, second, "reference")
    if index not in (None, second.slice_index):
        second = truth(slice_index=index, window=window)
    if window is not None:
        return first, second
    a, b = first.window, second.window
    if a.ends == b.ends or first.units != second.units or (first.bits <= 8) != (second.bits <= 8):
        return first, second
    shared = min(a.ends[0], b.ends[0]), max(a.ends[1], b.ends[1])
    return (
        image(slice_index=slice_index, window=shared),
        truth(slice_index=index, window=shared),
    )


def as_json(scores: Sequence[Score]) -> dict[str, Any]:
    """Scores by their key as JSON types, with what is needed to compare them with others."""
    return {
        score.key: {
            "value": score.plain_value(),
            "direction": score.metric.direction,
            "implementation": score.metric.implementation,
            "data_range": score.metric.data_range,
            "reason": score.reason,
        }
        for score in scores
    }
