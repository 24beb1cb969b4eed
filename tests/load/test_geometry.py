"""A bright voxel has the coordinates in the patient that SimpleITK gives it, in every file."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import MRImageStorage

from enhancers.decoding import OpenedFile
from enhancers.image import MedicalImage
from enhancers.load import Caps, load, probe
from enhancers.series import find_series, load_slice
from tests.support import dicom_series, image_files

SHAPE = (22, 30, 18)
PLACE = (5, 19, 4)
OFFSET = (-31.0, 17.5, 44.0)
STEPS = (1.0, 1.5, 3.0)


def volume() -> np.ndarray:
    values = np.random.default_rng(1).integers(0, 300, SHAPE).astype(np.int16)
    values[PLACE] = 3000
    return values


def brightest(images: list[MedicalImage]) -> tuple[float, float, float]:
    """LPS in mm of the brightest pixel, by the slice that it is in and by the first one."""
    index = int(np.argmax([image.source.max() for image in images]))
    image = images[index]
    row, column = np.unravel_index(int(image.source.argmax()), image.shape)
    assert image.geometry is not None
    assert images[0].geometry is not None
    from_first = images[0].geometry.point(row, column, index)
    found = image.geometry.point(row, column)
    assert from_first == pytest.approx(found, abs=1e-3)
    return found


def slices(path: Path) -> list[MedicalImage]:
    return [load(path, slice_index=index) for index in range(probe(path).slice_count)]


def by_simpleitk(path: Path) -> tuple[float, ...]:
    import SimpleITK

    read = SimpleITK.ReadImage(str(path))
    values = SimpleITK.GetArrayFromImage(read)
    place = np.unravel_index(int(values.argmax()), values.shape)[::-1]
    return tuple(read.TransformIndexToPhysicalPoint([int(one) for one in place]))


@pytest.mark.parametrize("signs", list(itertools.product((1.0, -1.0), repeat=3)))
@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_nifti_in_every_orientation(tmp_path: Path, axes, signs) -> None:
    affine = np.zeros((3, 4))
    for voxel, (world, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[world, voxel] = sign * STEPS[voxel]
    affine[:, 3] = OFFSET
    path = tmp_path / "volume.nii"
    path.write_bytes(image_files.nifti(volume(), affine=affine))
    images = slices(path)
    assert brightest(images) == pytest.approx(by_simpleitk(path), abs=1e-3)
    assert images[0].geometry.edges in (
        ("R", "L", "A", "P"), ("R", "L", "S", "I"), ("A", "P", "S", "I"),
    )  # fmt: skip
    assert images[0].geometry.spacing == pytest.approx(images[0].spacing)
    # The server gets it from another process.
    assert OpenedFile.local(path, Caps()).image(0).geometry == images[0].geometry


def test_oblique_and_sheared_nifti(tmp_path: Path) -> None:
    import SimpleITK

    turned = SimpleITK.GetImageFromArray(np.ascontiguousarray(volume().T))
    turned.SetDirection(SimpleITK.Euler3DTransform((0, 0, 0), 0.2, -0.3, 0.15).GetMatrix())
    turned.SetSpacing((0.9, 1.1, 4.0))
    turned.SetOrigin(OFFSET)
    path = tmp_path / "oblique.nii"
    SimpleITK.WriteImage(turned, str(path))
    assert brightest(slices(path)) == pytest.approx(by_simpleitk(path), abs=1e-3)

    affine = np.array([[-1.0, 0.0, 0.0, 3.0], [0.0, -1.0, 0.7, 5.0], [0.0, 0.0, 3.0, 7.0]])
    path.write_bytes(image_files.nifti(volume(), affine=affine))
    right, anterior, superior = affine @ (*PLACE, 1)
    found = brightest(slices(path))
    assert found == pytest.approx((-right, -anterior, superior), abs=1e-3)


def test_units_of_nifti(tmp_path: Path) -> None:
    affine = np.hstack([np.diag([-200.0, -300.0, 800.0]), np.reshape(OFFSET, (3, 1))])
    data = bytearray(image_files.nifti(volume(), affine=affine))
    data[123] = 3
    path = tmp_path / "microns.nii"
    path.write_bytes(data)
    right, anterior, superior = affine @ (*PLACE, 1) / 1000
    assert brightest(slices(path)) == pytest.approx((-right, -anterior, superior), abs=1e-3)


def test_spacing_of_nifti_is_that_of_its_matrix(tmp_path: Path) -> None:
    data = bytearray(image_files.nifti(volume(), affine=np.diag([-0.5, -0.7, 3.0, 1.0])[:3]))
    data[80:92] = np.ones(3, "<f4").tobytes()
    path = tmp_path / "edited.nii"
    path.write_bytes(data)
    assert load(path).spacing == pytest.approx((0.7, 0.5))


def test_nifti_without_orientation_has_no_geometry(tmp_path: Path) -> None:
    path = tmp_path / "plain.nii"
    path.write_bytes(image_files.nifti(volume()))
    assert load(path).geometry is None


ANGLE = math.radians(25)
TURNED = (math.cos(ANGLE), 0.0, math.sin(ANGLE), 0.0, 1.0, 0.0)


def test_oblique_dicom(tmp_path: Path) -> None:
    dataset = image_files.dicom_dataset(
        volume()[:, :, PLACE[2]].T.astype(np.uint16),
        {
            "Modality": "MR", "ImagePositionPatient": list(OFFSET), "PixelSpacing": [0.5, 0.75],
            "ImageOrientationPatient": list(TURNED), "SpacingBetweenSlices": "2.5",
        },
    )  # fmt: skip
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
    path = tmp_path / "slice.dcm"
    path.write_bytes(image_files.to_bytes(dataset))
    image = load(path)
    assert brightest([image]) == pytest.approx(by_simpleitk(path), abs=1e-3)
    assert image.geometry.step == pytest.approx(np.multiply(2.5, image.geometry.normal))


def test_dicom_without_position_has_no_geometry(tmp_path: Path) -> None:
    path = tmp_path / "slice.dcm"
    path.write_bytes(image_files.dicom(image_files.ramp(), PixelSpacing=[0.5, 0.75]))
    assert load(path).geometry is None


def test_slices_of_a_tilted_series(tmp_path: Path) -> None:
    """Each slice has its own position, and the step is that to the next one, not the normal."""
    tilted = [1, 0, 0, 0, math.cos(ANGLE), -math.sin(ANGLE)]
    places = [(-12.0, 4.0, 5.0 * n) for n in range(4)]
    files = [
        dicom_series.slice_file(place, n, ImageOrientationPatient=tilted)
        for n, place in enumerate(places, 1)
    ]
    (series,) = find_series(dicom_series.write(tmp_path, files)).series
    images = [load_slice(series, index) for index in range(4)]
    assert [one.geometry.origin for one in images] == [pytest.approx(place) for place in places]
    assert [one.geometry.step for one in images] == [pytest.approx((0, 0, 5))] * 4


def test_enhanced_frames_have_their_own_planes(tmp_path: Path) -> None:
    depths = [30.0, 10.0, 40.0, 20.0]
    path = tmp_path / "enhanced.dcm"
    path.write_bytes(dicom_series.enhanced([{"z": z} for z in depths]))
    found = [load(path, slice_index=index).geometry for index in range(4)]
    assert [one.origin for one in found] == [(0, 0, z) for z in depths]
    assert {one.spacing for one in found} == {(1.5, 0.75)}


def test_frames_at_offsets_along_the_normal(tmp_path: Path) -> None:
    frames = np.stack([image_files.ramp() + n for n in range(3)])
    path = tmp_path / "dose.dcm"
    options = {
        "Modality": "RTDOSE", "ImagePositionPatient": [1, 2, 3], "PixelSpacing": [2, 2],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    }  # fmt: skip
    path.write_bytes(image_files.dicom(frames, **options, GridFrameOffsetVector=[0, 2.5, 6]))
    found = [load(path, slice_index=index).geometry for index in range(3)]
    assert [one.origin for one in found] == [(1, 2, 3), (1, 2, 5.5), (1, 2, 9)]
    assert [one.step for one in found] == [(0, 0, 2.5), (0, 0, 3.5), (0, 0, 3.5)]
    path.write_bytes(image_files.dicom(frames, **options))
    assert load(path, slice_index=1).geometry is None
