"""A volume: slices in the order of their positions, and what is wrong with their geometry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.geometry import Vector, vector
from enhancers.series.facts import Floats, FrameFacts, normal

_SAME = 0.01
"""Share of the distance of slices within which two positions are one."""
_UNEVEN = 0.1
"""Share of the distance of slices by which it may vary."""
_TILT = 0.5
"""Degrees between the normal and the line through the slices that are no tilt."""


@dataclass(frozen=True)
class Geometry:
    """The geometry of a volume.

    Parameters
    ----------
    order : tuple of int
        Indices of the frames by their position along the normal; by instance number and frame
        where they state no position.
    positions : tuple of float
        In mm along the normal, in that order; empty without positions.
    steps : tuple of (x, y, z) or None
        From each slice to the next one (LPS, mm), and for the last one from the one before; None
        where both are at one position. Empty without positions.
    distance : float or None
        Median distance of neighbouring slices in mm, along the normal.
    notes : tuple of str
        Slices are counted from 1 in them, as by the sliders of the page.
    """

    order: tuple[int, ...]
    positions: tuple[float, ...]
    steps: tuple[Vector | None, ...]
    distance: float | None
    notes: tuple[str, ...]


def along_normal(frames: Sequence[FrameFacts]) -> Floats:
    """Positions of frames of one orientation in mm along their normal, each with a place."""
    return _points(frames) @ normal(frames[0].orientation)


def same_position(positions: Floats) -> float:
    """The distance in mm below which two of these positions are one."""
    steps = np.diff(np.sort(positions))
    steps = steps[steps > 1e-4]
    return _SAME * float(np.median(steps)) if len(steps) else 1e-4


def arranged(frames: Sequence[FrameFacts]) -> Geometry:
    """Order frames of one volume, and describe gaps, doubles and tilt."""
    thick = sorted({round(one.thickness, 3) for one in frames if one.thickness is not None})
    mixed = (
        (f"The thickness of the slices varies from {thick[0]:g} to {thick[-1]:g} mm.",)
        if len(thick) > 1
        else ()
    )
    if not all(one.placed for one in frames):
        order = sorted(range(len(frames)), key=lambda index: _stored(frames[index]))
        notes: tuple[str, ...] = ()
        if len(frames) > 1 and frames[0].frame is None:
            notes = (
                "The slices state no position; they are in the order of their instance numbers.",
            )
        return Geometry(tuple(order), (), (), None, notes + mixed)
    positions = along_normal(frames)
    order = sorted(
        range(len(frames)), key=lambda index: (float(positions[index]), _stored(frames[index]))
    )
    sorted_positions = positions[order]
    same = same_position(positions)
    steps = np.diff(sorted_positions)
    starts = np.flatnonzero(np.concatenate([[True], steps > same]))
    distinct = sorted_positions[starts]
    distance = float(np.median(np.diff(distinct))) if len(distinct) > 1 else None
    notes = _doubles(starts, sorted_positions)
    if distance is not None:
        notes += _gaps(starts, distinct, distance)
        notes += _tilt(_points(frames)[order][starts], normal(frames[0].orientation))
    return Geometry(
        tuple(order), tuple(float(value) for value in sorted_positions),
        _steps(_points(frames)[order], steps > same), distance, notes + mixed,
    )  # fmt: skip


def _steps(points: Floats, apart: NDArray[np.bool_]) -> tuple[Vector | None, ...]:
    """From each point to the next one, and for the last one from the one before."""
    steps = [
        vector(step) if two else None
        for step, two in zip(np.diff(points, axis=0), apart, strict=True)
    ]
    return (*steps, steps[-1]) if steps else (None,)


def _points(frames: Sequence[FrameFacts]) -> Floats:
    return np.array([one.position for one in frames], dtype=np.float64).reshape(-1, 3)


def _stored(frame: FrameFacts) -> tuple[float, float, str, int]:
    number = math.inf if frame.instance_number is None else frame.instance_number
    return number, frame.time, frame.instance, frame.frame or 0


def _doubles(starts: NDArray[np.intp], positions: Floats) -> tuple[str, ...]:
    counts = np.diff(np.append(starts, len(positions)))
    found = [
        f"slices {start + 1} to {start + count} are at {positions[start]:.4g} mm"
        for start, count in zip(starts, counts, strict=True)
        if count > 1
    ]
    if not found:
        return ()
    return (f"Several slices have one position: {_listed(found)}.",)


def _gaps(starts: NDArray[np.intp], distinct: Floats, distance: float) -> tuple[str, ...]:
    steps = np.diff(distinct) / distance
    whole = np.maximum(np.round(steps), 1)
    if bool((np.abs(steps - whole) > _UNEVEN).any()):
        low, high = float(steps.min() * distance), float(steps.max() * distance)
        return (f"The distance of the slices varies from {low:.4g} to {high:.4g} mm.",)
    missing = np.flatnonzero(whole > 1)
    if not len(missing):
        return ()
    counts = (whole[missing] - 1).astype(int)
    found = [
        f"{count} between slices {starts[place + 1]} and {starts[place + 1] + 1} "
        f"({distinct[place]:.4g} and {distinct[place + 1]:.4g} mm)"
        for place, count in zip(missing, counts, strict=True)
    ]
    verb = "slice is" if counts.sum() == 1 else "slices are"
    which = _listed(found) if len(found) > 1 else found[0].partition(" ")[2]
    return (f"{counts.sum()} {verb} missing: {which}.",)


def _tilt(points: Floats, along: Floats) -> tuple[str, ...]:
    """A note on slices that do not lie behind one another."""
    steps = np.diff(points, axis=0)
    depth = steps @ along
    shift = (steps - depth[:, None] * along) / depth[:, None]
    mean = (depth[:, None] * shift).sum(axis=0) / depth.sum()
    angle = math.degrees(math.atan(float(np.linalg.norm(mean))))
    straight = points[0] + (points - points[0]) @ along[:, None] * (along + mean)
    off = float(np.linalg.norm(points - straight, axis=1).max())
    if off > max(1.0, 0.5 * float(np.median(depth))):
        return (
            "The slices do not lie on a line: in their plane they are displaced by up to "
            f"{off:.3g} mm.",
        )
    if angle < _TILT:
        return ()
    each = float(np.median(depth)) * float(np.linalg.norm(mean))
    return (
        f"The stack is tilted by {angle:.3g} degrees, as with a tilted gantry: each slice is "
        f"displaced by {each:.3g} mm in its plane, and the volume is sheared.",
    )


def _listed(found: Sequence[str], most: int = 5) -> str:
    more = f"; and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(found[:most]) + more
