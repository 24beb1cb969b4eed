"""Drawings on an image: points in image coordinates, and what is measured on them.

Coordinates are in pixels of the image: x to the right from 0 at its left edge to its width, y down
from 0 at its upper edge to its height, so that the centre of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from study.domain.errors import AnswerError

Point = tuple[float, float]
Points = tuple[Point, ...]
MOST_POINTS = 200
"""Most corners of a polygon."""
POLYGON, ELLIPSE = "polygon", "ellipse"
SHAPES = (POLYGON, ELLIPSE)


@dataclass(frozen=True)
class ImageFrame:
    """Size of an image, and of its pixels.

    Parameters
    ----------
    width, height : int
        In pixels.
    spacing : (float, float), optional
        Distance of rows and of columns in mm; None where it is unknown.
    slices : int
        Of a stack; 1 of a single image.
    """

    width: int
    height: int
    spacing: tuple[float, float] | None = None
    slices: int = 1

    @property
    def unit(self) -> str:
        """Unit of a length: mm, or px where the spacing is unknown."""
        return "mm" if self.spacing else "px"

    def placed(self, point: Point) -> Point:
        """A point in mm, or in pixels where the spacing is unknown."""
        down, across = self.spacing or (1.0, 1.0)
        return point[0] * across, point[1] * down


def frame_of(width: int, height: int, display: str, slices: int = 1) -> ImageFrame:
    """The frame of an image with the display settings of its case (`Item.window_json`)."""
    spacing = json.loads(display).get("spacing")
    known = spacing and all(one > 0 for one in spacing)
    sizes = (float(spacing[0]), float(spacing[1])) if known else None
    return ImageFrame(width, height, sizes, slices)


def checked(code: str, value: object, frame: ImageFrame, least: int, most: int) -> Points:
    """Points of an answer, each inside the image.

    Raises
    ------
    AnswerError
        The number of points is not possible, or one is outside the image or not finite.
    """
    points = value if isinstance(value, tuple) else ()
    if not least <= len(points) <= most:
        number = f"{least}" if least == most else f"{least} to {most}"
        raise AnswerError(f"{code} needs {number} points, {len(points)} were drawn.")
    for x, y in points:
        inside = math.isfinite(x) and math.isfinite(y)
        if not inside or not (0 <= x <= frame.width and 0 <= y <= frame.height):
            raise AnswerError(
                f"The point ({x:g}, {y:g}) of {code} is not inside the image of "
                f"{frame.width} x {frame.height} pixels."
            )
    return tuple((round(float(x), 3), round(float(y), 3)) for x, y in points)


def checked_slice(code: str, number: int | None, frame: ImageFrame) -> int:
    """The slice of a stack, from 1, on which an answer was drawn.

    Raises
    ------
    AnswerError
        It is missing, or the stack has no such slice.
    """
    if number is None or not 1 <= number <= frame.slices:
        raise AnswerError(
            f"The drawing of {code} is on no slice of the stack ({number}; there are 1 to "
            f"{frame.slices}): draw it again."
        )
    return number


def length(points: Sequence[Point], frame: ImageFrame) -> float:
    """Distance of two points in the frame's unit."""
    (ax, ay), (bx, by) = (frame.placed(point) for point in points)
    return math.hypot(bx - ax, by - ay)


def angle(points: Sequence[Point], frame: ImageFrame) -> float:
    """Angle between the lines through the first and the last two points, 0 to 90 degrees."""
    ends = [frame.placed(point) for point in points]
    first, second = (
        math.atan2(ends[i + 1][1] - ends[i][1], ends[i + 1][0] - ends[i][0]) for i in (0, 2)
    )
    between = abs(math.degrees(first - second)) % 180
    return min(between, 180 - between)


def area(points: Sequence[Point], frame: ImageFrame, shape: str) -> float:
    """Area in the frame's unit squared.

    A polygon has its corners as points, an ellipse with horizontal and vertical axes two opposite
    corners of the box around it.
    """
    corners = [frame.placed(point) for point in points]
    if shape == ELLIPSE:
        (ax, ay), (bx, by) = corners
        return math.pi / 4 * abs(bx - ax) * abs(by - ay)
    turned = [*corners[1:], corners[0]]
    pairs = zip(corners, turned, strict=True)
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs)) / 2


def crosses_itself(points: Sequence[Point]) -> bool:
    """Whether two sides of a polygon that are no neighbours have a point in common."""
    sides = list(zip(points, [*points[1:], points[0]], strict=True))
    last = len(sides) - 1
    return any(
        _meet(*sides[i], *sides[j])
        for i in range(len(sides))
        for j in range(i + 2, len(sides))
        if (i, j) != (0, last)
    )


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    turns = [_turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)]
    return turns[0] * turns[1] <= 0 and turns[2] * turns[3] <= 0 and any(turns)


def _turn(a: Point, b: Point, c: Point) -> int:
    """1 where c is on the one side of the line from a to b, -1 on the other, 0 on it."""
    cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (cross > 0) - (cross < 0)
