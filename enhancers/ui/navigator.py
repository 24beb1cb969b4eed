"""The navigator of a volume: three small views with crossing lines, and a slider for each."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhancers.decoding import Opened
from enhancers.geometry import shown_aspect
from enhancers.image import MedicalImage, Window
from enhancers.ui.session import Place, Session
from enhancers.voxel_grid import PLANES, STORED, VoxelGrid

READING = "Reading all slices, for the other planes."

VIEW_SIDE = 200
"""Most pixels along a side of a view."""

Voxel = tuple[int, int, int]


def shown(session: Session) -> bool:
    """Whether the open image has planes to navigate."""
    opened = session.opened
    if opened is None or session.image is None:
        return False
    return session.image.time_count > 1 or has_planes(session)


def has_planes(session: Session) -> bool:
    """Whether the navigator shows planes, so that no other slider is needed."""
    grid = None if session.opened is None else session.opened.grid
    return grid is not None and grid.body is not None


def reading(session: Session) -> dict[str, Any]:
    """The navigator's value while the slices of other planes are read."""
    return {"file": session.file, "views": [], "active": "", "time": None, "note": READING}


def value(session: Session) -> dict[str, Any]:
    """The navigator's value: the views of the session's volume, and its time.

    Empty where there is nothing to navigate.

    Raises
    ------
    ImageReadError
        A slice cannot be read.
    """
    image, opened = session.image, session.opened
    if image is None or opened is None or not shown(session):
        return {}
    grid = opened.grid
    found: dict[str, Any] = {"file": session.file, "views": [], "active": "", "time": None}
    if image.time_count > 1:
        name = opened.time_name or "time"
        found["time"] = {
            "label": name.capitalize(), "index": image.time_index, "count": image.time_count,
        }  # fmt: skip
    if grid is not None and grid.body is not None:
        voxel = crossing(session, grid)
        found["active"] = active_plane(grid, image)
        found["views"] = [_view(opened, grid, plane, voxel, image) for plane in PLANES]
    return found


def active_plane(grid: VoxelGrid, image: MedicalImage) -> str:
    """The plane of an image; of one that is as stored, the named one with the same slices."""
    if image.plane:
        return image.plane
    across = abs(grid.axes(STORED)[2])
    return next(plane for plane in PLANES if abs(grid.axes(plane)[2]) == across)


def crossing(session: Session, grid: VoxelGrid) -> Voxel:
    """Where the lines cross: in the slice of the session's image, at first in its middle."""
    image = session.image
    if image is None:
        return 0, 0, 0
    plane = image.plane or STORED
    rows, columns, _ = grid.size(plane)
    row, column = rows // 2, columns // 2
    if session.voxel is not None:
        _, row, column = (int(one) for one in grid.pixel(plane, session.voxel))
    return _whole(grid.voxel(plane, image.slice_index, row, column))


def moved(grid: VoxelGrid, voxel: Voxel, plane: str, index: int) -> Voxel:
    """The crossing in another slice of a plane."""
    _, row, column = grid.pixel(plane, voxel)
    index = min(max(index, 0), grid.size(plane)[2] - 1)
    return _whole(grid.voxel(plane, index, row, column))


def pointed(grid: VoxelGrid, voxel: Voxel, plane: str, u: float, v: float) -> Voxel:
    """The crossing at a point of a view, in fractions of its width and height."""
    index, _, _ = grid.pixel(plane, voxel)
    rows, columns, _ = grid.size(plane)
    row, column = (
        min(max(math.floor(part * size), 0), size - 1) for part, size in ((v, rows), (u, columns))
    )
    return _whole(grid.voxel(plane, int(index), row, column))


def place_of(grid: VoxelGrid, voxel: Voxel, plane: str, time: int) -> Place:
    """The slice of a plane that holds a voxel; as stored where both show the same."""
    same = grid.axes(plane)[:2] == grid.axes(STORED)[:2]
    index, _, _ = grid.pixel(STORED if same else plane, voxel)
    return "" if same else plane, time, int(index)


def _view(
    opened: Opened, grid: VoxelGrid, plane: str, voxel: Voxel, image: MedicalImage
) -> dict[str, Any]:
    rows, columns, count = grid.size(plane)
    height, width = shown_aspect(grid.spacing(plane))
    index, row, column = grid.pixel(plane, voxel)
    geometry = grid.geometry(plane, int(index))
    section = opened.section(plane, int(index), image.time_index)
    return {
        "plane": plane,
        "label": plane.capitalize(),
        "index": int(index),
        "count": count,
        "picture": _picture(section, image.window),
        "size": [columns * width, rows * height],
        "cross": [(column + 0.5) / columns, (row + 0.5) / rows],
        "edges": list(geometry.edges) if geometry else list("RLAP" if plane == "axial" else ""),
    }


def _picture(values: NDArray[Any], window: Window) -> str:
    """A small picture of source values, as the address of its bytes."""
    rows, columns = values.shape[:2]
    step = max(1, math.ceil(max(rows, columns) / VIEW_SIDE))
    gray = np.rint(255 * window.to_unit(np.ascontiguousarray(values))).astype(np.uint8)
    buffer = io.BytesIO()
    # What is left out is averaged.
    Image.fromarray(gray).reduce(step).save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _whole(voxel: tuple[float, ...]) -> Voxel:
    i, j, k = (int(one) for one in voxel)
    return i, j, k
