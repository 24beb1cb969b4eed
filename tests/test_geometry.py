"""Geometry of an image: letters, planes, and pixels that stay where they are in the patient."""

import numpy as np
import pytest

from enhancers.geometry import (
    ImageGeometry,
    direction_letters,
    is_affine,
    is_length,
    is_place,
)

OBLIQUE = ImageGeometry.of_dicom((-20.0, 30.0, 7.0), (0.8, 0.6, 0, 0, 0, -2), (0.5, 0.25))
assert OBLIQUE is not None


def test_affine_and_points() -> None:
    assert OBLIQUE.spacing == (0.5, 0.25)
    assert OBLIQUE.point(4, 8) == pytest.approx((-20 + 8 * 0.2, 30 + 8 * 0.15, 7 - 2))
    assert OBLIQUE.affine @ (8, 4, 0, 1) == pytest.approx((*OBLIQUE.point(4, 8), 1.0))
    ras = OBLIQUE.affine_ras @ (8, 4, 0, 1)
    assert ras[:3] == pytest.approx(np.multiply(OBLIQUE.point(4, 8), (-1, -1, 1)))
    assert np.linalg.norm(OBLIQUE.affine[:3, 2]) == pytest.approx(1.0)


def test_affine_and_json_return_the_same() -> None:
    stepped = ImageGeometry.of_affine(OBLIQUE.affine)
    assert stepped is not None
    assert stepped.step == pytest.approx(OBLIQUE.normal)
    assert np.allclose(stepped.affine, OBLIQUE.affine)
    for one in (OBLIQUE, stepped):
        assert ImageGeometry.from_json(one.as_json()) == one


@pytest.mark.parametrize(
    ("orientation", "plane", "edges"),
    [
        ((1, 0, 0, 0, 1, 0), "axial", ("R", "L", "A", "P")),
        ((1, 0, 0, 0, 0, -1), "coronal", ("R", "L", "S", "I")),
        ((0, 1, 0, 0, 0, -1), "sagittal", ("A", "P", "S", "I")),
        ((0, -1, 0, 0, 0, 1), "sagittal", ("P", "A", "I", "S")),
        ((0.8, 0.6, 0, 0, 0, -1), "oblique", ("RA", "LP", "S", "I")),
        ((0.99, 0.14, 0, 0, 0, -1), "coronal", ("R", "L", "S", "I")),
    ],
)
def test_plane_and_letters(orientation, plane: str, edges: tuple[str, ...]) -> None:
    geometry = ImageGeometry.of_dicom((0, 0, 0), orientation, (1, 1))
    assert (geometry.plane, geometry.edges) == (plane, edges)


def test_letters_of_a_diagonal() -> None:
    assert direction_letters((-0.5, 0.6, 0.62)) == "SPR"


@pytest.mark.parametrize("factor", [2, 4, 0.5, 1.5])
def test_enlarged_keeps_the_edges_of_the_area(factor: float) -> None:
    rows, columns = 40, 60
    large = OBLIQUE.enlarged(factor)
    for row, column in ((0, 0), (1, 0), (0, 1), (1, 1)):
        edge = OBLIQUE.point(row * rows - 0.5, column * columns - 0.5)
        other = large.point(row * rows * factor - 0.5, column * columns * factor - 0.5)
        assert other == pytest.approx(edge)


def test_pixels_stay_where_they_are() -> None:
    rows, columns, row, column = 40, 60, 12, 33
    where = OBLIQUE.point(row, column)
    assert OBLIQUE.cropped(5, 9).point(row - 5, column - 9) == pytest.approx(where)
    assert OBLIQUE.flipped(0, rows).point(rows - 1 - row, column) == pytest.approx(where)
    assert OBLIQUE.flipped(1, columns).point(row, columns - 1 - column) == pytest.approx(where)
    assert OBLIQUE.transposed().point(column, row) == pytest.approx(where)


@pytest.mark.parametrize(
    ("position", "orientation", "spacing"),
    [
        ((), (1, 0, 0, 0, 1, 0), (1, 1)),
        ((0, 0, 0), (), (1, 1)),
        ((0, 0, 0), (1, 0, 0, 0, 0, 0), (1, 1)),
        ((0, 0, 0), (1, 0, 0, 1, 0, 0), (1, 1)),
        ((0, 0, float("nan")), (1, 0, 0, 0, 1, 0), (1, 1)),
        ((0, 0, 0), (1, 0, 0, 0, 1, 0), (0, 1)),
    ],
)
def test_what_is_no_geometry_is_none(position, orientation, spacing) -> None:
    assert ImageGeometry.of_dicom(position, orientation, spacing) is None


@pytest.mark.parametrize("wrong", [0.0, float("nan"), float("inf"), 1e300, 1e-300, -1e300])
def test_sides_and_places_that_cannot_be(wrong: float) -> None:
    assert is_affine(np.diag([-0.2, 1, 40, 1]))
    assert not is_affine(np.diag([wrong, 1, 1, 1]))
    assert not is_length(1.0, wrong)
    assert is_place(-4e3, 7.5)
    if wrong and abs(wrong) > 1:
        assert not is_place(0.0, wrong)
        assert not is_affine([[1, 0, 0, wrong], [0, 1, 0, 0], [0, 0, 1, 0]])
