"""Results in NIfTI, NRRD, MHA and TIFF, read again by SimpleITK, tifffile and this program."""

from __future__ import annotations

import itertools
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import tifffile
from scipy.spatial.transform import Rotation

from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.geometry import ImageGeometry
from enhancers.image import MedicalImage, Window, from_array
from enhancers.load import load
from enhancers.method import Modality
from enhancers.save.result_files import VOXELS, ResultFacts, encoded, kind_of, volume_file
from tests.support import image_files

OBLIQUE = Rotation.from_euler("xyz", (10, 20, 30), degrees=True).as_matrix()
VOLUME = np.random.default_rng(0).integers(-500, 1500, (22, 26, 18)).astype(np.int16)


def ct(**changes: object) -> MedicalImage:
    source = np.linspace(-1000, 1500, 20 * 31, dtype=np.float32).reshape(20, 31)
    window = Window(-160.0, 240.0)
    geometry = ImageGeometry.of_dicom((-12.5, 30.25, 7.0), (0.8, 0.6, 0, 0, 0, -1), (0.5, 0.7))
    return replace(
        from_array(window.to_unit(source), Modality.CT),
        window=window, source=source, units="HU", spacing=(0.5, 0.7), geometry=geometry, **changes,
    )  # fmt: skip


def colour() -> MedicalImage:
    source = image_files.colour_ramp().astype(np.float32)
    window = Window(0.0, 255.0)
    return replace(
        from_array(window.to_unit(source), Modality.ENDOSCOPY),
        window=window, source=source, units="gray level", spacing=(0.2, 0.3),
    )  # fmt: skip


def written(tmp_path: Path, kind: str, image: MedicalImage, **given: object) -> Path:
    path = tmp_path / f"result.{kind}"
    pixels = given.pop("pixels", image.pixels)
    path.write_bytes(encoded(kind, ResultFacts(image, str(given.pop("units", ""))), pixels))
    return path


@pytest.mark.parametrize("kind", VOXELS)
@pytest.mark.parametrize("scale", [1, 2])
def test_an_oblique_slice_is_where_it_was(tmp_path: Path, kind: str, scale: int) -> None:
    image = ct()
    pixels = np.kron(image.pixels, np.ones((scale, scale), np.float32))
    read = SimpleITK.ReadImage(str(written(tmp_path, kind, image, pixels=pixels)))
    values = ResultFacts(image, "HU").values(pixels)
    assert np.array_equal(np.ravel(SimpleITK.GetArrayFromImage(read)), values.ravel())
    assert image.geometry is not None
    for row, column in ((0, 0), (3, 29), (19, 5)):
        # The centre of a pixel of the image, among those of the result.
        place = [(one + 0.5) * scale - 0.5 for one in (column, row)]
        point = read.TransformContinuousIndexToPhysicalPoint([*place, 0.0])
        assert point == pytest.approx(image.geometry.point(row, column), abs=1e-5)


@pytest.mark.parametrize("kind", ["nii", "nii.gz"])
@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", list(itertools.product([1, -1], repeat=3)))
def test_a_nifti_volume_has_the_voxels_and_the_affine_of_its_source(
    tmp_path: Path, kind: str, axes: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    affine = np.zeros((3, 4))
    for voxel, (world, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[world, voxel] = sign * (0.7, 0.9, 2.5)[voxel]
    affine[:, :3] = OBLIQUE @ affine[:, :3]
    affine[:, 3] = (10.3, -20.7, 33.1)
    source, target = tmp_path / "source.nii", tmp_path / f"result.{kind}"
    source.write_bytes(image_files.nifti(VOLUME, affine=affine))
    write_volume(source, target, kind)
    read, original = (SimpleITK.ReadImage(str(path)) for path in (target, source))
    assert np.array_equal(SimpleITK.GetArrayFromImage(read), VOLUME.T.astype(np.float32))
    assert read.GetDirection() == pytest.approx(original.GetDirection(), abs=1e-6)
    assert read.GetOrigin() == pytest.approx(original.GetOrigin(), abs=1e-4)
    if kind == "nii":
        rows = [struct.unpack_from("<12f", path.read_bytes(), 280) for path in (source, target)]
        assert rows[0] == rows[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [target.name, "source.nii"]


@pytest.mark.parametrize("kind", ["nrrd", "mha"])
@pytest.mark.parametrize("axis", range(3))
def test_a_volume_is_where_its_source_is(tmp_path: Path, kind: str, axis: int) -> None:
    affine = np.zeros((3, 4))
    for voxel in range(3):
        affine[voxel, voxel] = 2.5 if voxel == axis else 0.8
    affine[:, :3] = OBLIQUE @ affine[:, :3]
    source, target = tmp_path / "source.nii", tmp_path / f"result.{kind}"
    source.write_bytes(image_files.nifti(VOLUME, affine=affine))
    write_volume(source, target, kind)
    read, original = (SimpleITK.ReadImage(str(path)) for path in (target, source))
    for index in itertools.product(*(range(0, size, 5) for size in VOLUME.shape)):
        point = original.TransformIndexToPhysicalPoint(index)
        assert read[read.TransformPhysicalPointToIndex(point)] == VOLUME[index]


def write_volume(source: Path, target: Path, kind: str) -> None:
    first = load(source)
    window = first.window.low, first.window.high
    with volume_file(
        target, kind, ResultFacts(first, first.units), first.shape, first.slice_count
    ) as sink:
        for index in range(first.slice_count):
            image = load(source, slice_index=index, window=window)
            sink.add(ResultFacts(image, image.units), image.pixels)


@pytest.mark.parametrize("kind", ["nrrd", "mha", "nii"])
def test_colours_are_colours(tmp_path: Path, kind: str) -> None:
    image = colour()
    read = SimpleITK.ReadImage(str(written(tmp_path, kind, image)))
    assert read.GetNumberOfComponentsPerPixel() == 3
    assert np.array_equal(np.squeeze(SimpleITK.GetArrayFromImage(read)), image.source)
    assert read.GetSpacing()[:2] == pytest.approx((0.3, 0.2))


@pytest.mark.parametrize("kind", ["tif", *VOXELS])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_result_opened_again_is_what_it_was(tmp_path: Path, kind: str, inverted: bool) -> None:
    image = ct()
    window = image.window.turned(inverted)
    image = replace(image, window=window, pixels=window.to_unit(image.source))
    again = load(written(tmp_path, kind, image))
    assert np.array_equal(again.source, image.source)
    assert (again.window, again.units, again.modality) == (window, "HU", Modality.CT)
    assert again.modality_origin == "file"
    assert again.spacing == pytest.approx(image.spacing)
    if kind != "tif":
        assert again.geometry is not None
        assert again.geometry.affine[:3, :2] == pytest.approx(image.geometry.affine[:3, :2])
        assert again.geometry.origin == pytest.approx(image.geometry.origin, abs=1e-5)


@pytest.mark.parametrize("kind", ["tif", *VOXELS])
def test_colours_opened_again_are_what_they_were(tmp_path: Path, kind: str) -> None:
    image = colour()
    again = load(written(tmp_path, kind, image))
    assert np.array_equal(again.source, image.source)
    assert (again.window, again.units, again.modality) == (
        image.window, "gray level", Modality.ENDOSCOPY,
    )  # fmt: skip
    assert again.spacing == pytest.approx(image.spacing)


@pytest.mark.parametrize("kind", VOXELS)
@pytest.mark.parametrize("zooms", [(1, 2, 5), (1, 5, 2), (5, 1, 2)])
def test_a_volume_without_orientation_keeps_voxels_and_distances(
    tmp_path: Path, kind: str, zooms: tuple[int, int, int]
) -> None:
    header = bytearray(image_files.nifti(VOLUME))
    struct.pack_into("<3f", header, 80, *zooms)
    data = bytes(header)
    count = load(data).slice_count
    images = [load(data, slice_index=index) for index in range(count)]
    path = tmp_path / f"result.{kind}"
    facts = [ResultFacts(image, "") for image in images]
    with volume_file(path, kind, facts[0], images[0].shape, count) as sink:
        for one, image in zip(facts, images, strict=True):
            sink.add(one, image.pixels)
    for index, image in enumerate(images):
        again = load(path, slice_index=index)
        assert np.allclose(again.source, image.source, atol=1e-3)
        assert (again.spacing, again.geometry) == (image.spacing, None)
    read = SimpleITK.ReadImage(str(path))
    assert sorted(read.GetSpacing()) == sorted(zooms)
    if kind.startswith("nii"):
        assert read.GetSpacing() == zooms
        values = SimpleITK.GetArrayFromImage(read).transpose()
        assert np.allclose(values, VOLUME, atol=1e-3)


@pytest.mark.parametrize("side", [1e-30, 1e-44, 1e30])
def test_a_side_that_cannot_be_is_not_stated(tmp_path: Path, side: float) -> None:
    for affine, place in ((None, 80), (np.eye(4)[:3], 280)):
        header = bytearray(image_files.nifti(VOLUME, affine=affine))
        struct.pack_into("<f", header, place, side)
        image = load(bytes(header))
        assert (image.spacing, image.geometry) == ((1.0, 1.0), None)
        for kind in (*VOXELS, "tif"):
            assert load(written(tmp_path, kind, image)).spacing == (1.0, 1.0)


def test_a_tiff_states_its_resolution(tmp_path: Path) -> None:
    with tifffile.TiffFile(written(tmp_path, "tif", ct())) as file:
        page = file.pages[0]
        assert page.get_resolution(unit="MILLIMETER") == pytest.approx((1 / 0.7, 1 / 0.5))
        assert page.description.startswith("units: HU; modality: CT; window: -160 to 240; spacing:")


def test_a_stack_of_tiff_pages_is_the_volume(tmp_path: Path) -> None:
    source, target = tmp_path / "source.nii", tmp_path / "result.tif"
    source.write_bytes(image_files.nifti(VOLUME, affine=np.diag([0.8, 0.8, 2.5, 1])[:3]))
    write_volume(source, target, "tif")
    assert np.array_equal(tifffile.imread(target), np.stack([
        load(source, slice_index=index).source for index in range(VOLUME.shape[2])
    ]))  # fmt: skip
    assert load(target, slice_index=3).slice_count == VOLUME.shape[2]


@pytest.mark.parametrize("kind", ["tif", "nrrd"])
def test_mapped_values_do_not_claim_the_units_of_the_source(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind, ct(), units="gray level, not HU")
    assert b"units: gray level, not HU; modality: CT; window: 0 to 1" in path.read_bytes()


def write(path: Path, kind: str, slices: int, error: BaseException | None = None) -> None:
    with volume_file(path, kind, ResultFacts(ct(), "HU"), (20, 31), slices) as sink:
        sink.add(ResultFacts(ct(), "HU"), ct().pixels)
        if error is not None:
            raise error


@pytest.mark.parametrize("kind", [*VOXELS, "tif"])
def test_a_run_that_ends_early_leaves_no_file(tmp_path: Path, kind: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / f"x.{kind}", kind, 3, KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", VOXELS)
def test_a_volume_without_all_of_its_slices_is_no_file(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match="1 slices of 3"):
        write(tmp_path / f"x.{kind}", kind, 3)
    assert list(tmp_path.iterdir()) == []


def test_endings() -> None:
    assert kind_of(Path("Case.NII.GZ")) == "nii.gz"
    assert kind_of(Path("a.b.tiff")) == "tif"
    with pytest.raises(ParameterError, match=r"no known ending; use one of \.png"):
        kind_of(Path("x.bmp"))


def test_nifti_refuses_a_side_that_it_cannot_hold(tmp_path: Path) -> None:
    wide = from_array(np.random.default_rng(0).random((16, 40_000), np.float32))
    with pytest.raises(ReadingRoomError, match="side of 40000 voxels"):
        written(tmp_path, "nii", wide)
    assert written(tmp_path, "mha", wide).stat().st_size > 4 * 16 * 40_000
