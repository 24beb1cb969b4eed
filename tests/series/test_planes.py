"""Planes and times of DICOM series are those of the same volume as NIfTI."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from enhancers.errors import ParameterError
from enhancers.load import load
from enhancers.series import LocalSeries, find_series
from enhancers.series.times import at_all_times, pick_at, time_name
from tests.support import dicom_series, image_files

COLUMNS, ROWS, SLICES = 26, 20, 17
VOLUME = np.random.default_rng(3).integers(0, 900, (COLUMNS, ROWS, SLICES)).astype(np.uint16)
SPACING, STEP = (0.9, 0.7), 2.5
ORIENTATIONS = {
    "axial": (1, 0, 0, 0, 1, 0),
    "axial, seen from the head": (-1, 0, 0, 0, 1, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "sagittal, upside down": (0, -1, 0, 0, 0, 1),
    "oblique": (0.96, 0.28, 0, -0.28, 0.96, 0),
}
ORIGIN = np.array([-30.0, 12.0, 55.0])


def series_of(folder: Path, orientation, **elements) -> Path:
    normal = np.cross(orientation[:3], orientation[3:])
    files = []
    for index in range(SLICES):
        place = ORIGIN + index * STEP * normal
        files.append(
            image_files.dicom(
                VOLUME[:, :, index].T, Modality="MR", SeriesInstanceUID="1.2.3",
                SOPInstanceUID=f"1.2.3.{index}", InstanceNumber=SLICES - index,
                ImagePositionPatient=[float(one) for one in place],
                ImageOrientationPatient=list(orientation), PixelSpacing=list(SPACING), **elements,
            )
        )  # fmt: skip
    return dicom_series.write(folder, files)


def nifti_of(path: Path, orientation) -> Path:
    """The same volume as NIfTI, in right, anterior, superior."""
    row, column = np.reshape(orientation, (2, 3))
    affine = np.zeros((3, 4))
    affine[:, 0], affine[:, 1] = row * SPACING[1], column * SPACING[0]
    affine[:, 2], affine[:, 3] = np.cross(row, column) * STEP, ORIGIN
    path.write_bytes(image_files.nifti(VOLUME, affine=np.diag([-1.0, -1.0, 1.0]) @ affine))
    return path


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_planes_are_those_of_nifti(tmp_path: Path, name: str, plane: str) -> None:
    orientation = ORIENTATIONS[name]
    (series,) = find_series(series_of(tmp_path / "series", orientation)).series
    volume = nifti_of(tmp_path / "volume.nii", orientation)
    images = LocalSeries(series)
    for index in (0, 5, None):
        found = images.image(index, plane=plane)
        expected = load(volume, slice_index=index, plane=plane)
        assert np.array_equal(found.source, expected.source)
        assert found.spacing == pytest.approx(expected.spacing)
        assert (found.plane, found.slice_index, found.slice_count) == (
            plane, expected.slice_index, expected.slice_count,
        )  # fmt: skip
        for row, column in ((0, 0), (7, 3)):
            here = found.geometry.point(row, column)
            assert here == pytest.approx(expected.geometry.point(row, column), abs=1e-3)
    assert any("turned by 16 degrees" in note for note in found.warnings) is (name == "oblique")


def test_stored_slices_have_the_same_window_as_all_planes(tmp_path: Path) -> None:
    (series,) = find_series(series_of(tmp_path, ORIENTATIONS["axial"])).series
    images = LocalSeries(series)
    windows = {images.image(3).window}
    windows |= {images.image(3, plane=plane).window for plane in ("axial", "coronal", "sagittal")}
    assert len(windows) == 1
    assert images.image(0, plane="coronal").digest != images.image(0).digest


def test_planes_need_positions(tmp_path: Path) -> None:
    files = [dicom_series.slice_file(None, number) for number in range(3)]
    (series,) = find_series(dicom_series.write(tmp_path, files)).series
    with pytest.raises(ParameterError, match="do not say where they lie"):
        LocalSeries(series).image(0, plane="axial")


def test_times_of_an_enhanced_object(tmp_path: Path) -> None:
    frames = [{"z": 3.0 * z, "time": time} for z in (2, 0, 1) for time in (2, 1)]
    path = tmp_path / "dynamic.dcm"
    path.write_bytes(dicom_series.enhanced(frames))
    found = find_series(path)
    assert [len(at_all_times(found, one)) for one in found.series] == [2, 2]
    assert [time_name(one) for one in found.series] == ["time", "time"]
    for time in (0, 1):
        series = pick_at(found, None, time)
        # The first pixel of a frame is its index.
        firsts = [LocalSeries(series).image(k).source[0, 0] for k in range(3)]
        assert firsts == [{0: 3, 1: 2}[time], {0: 5, 1: 4}[time], {0: 1, 1: 0}[time]]
        assert pick_at(found, "1", time) == pick_at(found, "1.2", time) == series
    with pytest.raises(ParameterError, match="no time 2; the series has 2 times, 0 to 1"):
        pick_at(found, None, 2)
    with pytest.raises(ParameterError, match="no series 7"):
        pick_at(found, "7", 1)
