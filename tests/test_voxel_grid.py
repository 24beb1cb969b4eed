"""Planes of a volume: every voxel is shown where it is, in the radiological convention."""

import itertools

import numpy as np
import pytest

from enhancers.errors import ParameterError
from enhancers.voxel_grid import PLANES, STORED, VoxelGrid

SHAPE = (5, 7, 4)
ZOOMS = (0.5, 1.25, 3.0)
EDGES = {
    "axial": ("R", "L", "A", "P"), "coronal": ("R", "L", "S", "I"),
    "sagittal": ("A", "P", "S", "I"),
}  # fmt: skip
ORIENTATIONS = [
    (axes, signs)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
]


def grid_of(axes, signs, turn: np.ndarray | None = None) -> VoxelGrid:
    affine = np.zeros((3, 4))
    for voxel, (world, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[world, voxel] = sign * ZOOMS[voxel]
    affine[:, 3] = (-11.0, 6.0, 40.0)
    return VoxelGrid.of_affine(SHAPE, affine if turn is None else turn @ affine)


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_voxels_are_shown_where_they_are(axes, signs) -> None:
    grid = grid_of(axes, signs)
    values = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    matrix = np.reshape(grid.affine, (3, 4))
    for plane in (*PLANES, STORED):
        rows, columns, count = grid.size(plane)
        for index in (0, count - 1):
            shown = grid.cut(values, plane, index)
            assert shown.shape == (rows, columns)
            geometry = grid.geometry(plane, index)
            assert geometry.spacing == pytest.approx(grid.spacing(plane))
            for row, column in ((0, 0), (rows - 1, 1)):
                voxel = grid.voxel(plane, index, row, column)
                assert shown[row, column] == values[tuple(int(one) for one in voxel)]
                assert geometry.point(row, column) == pytest.approx(matrix @ (*voxel, 1))
                assert grid.pixel(plane, voxel) == (index, row, column)
        if plane != STORED:
            assert geometry.plane == plane
            assert geometry.edges == EDGES[plane]
            # Slices are counted from the feet, from anterior, and from the patient's right.
            assert max(geometry.step) > 0


def test_stored_slices_are_as_in_the_file() -> None:
    grid = grid_of((1, 2, 0), (1.0, -1.0, -1.0))
    values = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    assert np.array_equal(grid.cut(values, STORED, 3), values[:, :, 3].T)
    assert grid.same_as(STORED) == STORED
    assert grid_of((0, 1, 2), (1.0, 1.0, 1.0)).same_as(STORED) == "axial"


def test_turned_by_degrees() -> None:
    angle = np.radians(12)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    grid = grid_of((2, 0, 1), (1.0, -1.0, 1.0), turn)
    assert grid.turned == pytest.approx(12)
    assert grid.geometry("axial", 0).plane == "axial"
    assert grid_of((2, 0, 1), (1.0, -1.0, 1.0)).turned == pytest.approx(0, abs=1e-5)


def test_planes_need_an_orientation() -> None:
    grid = VoxelGrid(SHAPE, ZOOMS)
    assert grid.planes == (STORED,)
    assert grid.geometry(STORED, 1) is None
    with pytest.raises(ParameterError, match="use stored"):
        grid.cut(np.zeros(SHAPE), "axial", 0)
    with pytest.raises(ParameterError, match="no plane upright"):
        grid.axes("upright")
