"""NIfTI: values and orientation agree with SimpleITK; sheared and unnamed files are read too."""

import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from enhancers.errors import ImageReadError, ImageTooLarge
from enhancers.image import MedicalImage, Window
from enhancers.load import Caps, load, probe
from enhancers.method import Modality
from tests.support import image_files

SHAPE = (24, 30, 20)
VOLUME = np.random.default_rng(1).integers(0, 3000, SHAPE).astype(np.int16)
# Left, posterior, superior: a volume that needs no turning but for the display.
LPS = np.hstack([np.diag([-1.0, -1.0, 1.0]), np.zeros((3, 1))])


@pytest.fixture
def read(tmp_path: Path):
    def write_and_load(data: bytes, **options: Any) -> MedicalImage:
        path = tmp_path / "volume"
        path.write_bytes(data)
        return load(path, **options)

    return write_and_load


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [False, True])
def test_versions_byte_orders_and_gzip(read, version: int, order: str, packed: bool) -> None:
    data = image_files.nifti(VOLUME, affine=LPS, version=version, order=order, packed=packed)
    image = read(data, slice_index=7)
    assert np.array_equal(image.source, VOLUME[:, :, 7].T)
    assert (image.slice_index, image.slice_count, image.format) == (7, 20, "NIfTI")


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
def test_types(read, dtype: str) -> None:
    volume = (VOLUME % 100).astype(dtype)
    image = read(image_files.nifti(volume, affine=LPS), slice_index=3)
    assert np.array_equal(image.source, volume[:, :, 3].T)


def test_middle_slice_is_the_default(read, tmp_path: Path) -> None:
    image = read(image_files.nifti(VOLUME, affine=LPS))
    assert image.slice_index == 10
    facts = probe(tmp_path / "volume")
    assert (facts.slice_count, facts.default_slice) == (20, 10)
    assert (facts.rows, facts.columns) == image.shape


def test_scaling(read) -> None:
    image = read(image_files.nifti(VOLUME, affine=LPS, slope=0.5, inter=-7.0), slice_index=0)
    assert np.array_equal(image.source, VOLUME[:, :, 0].T * 0.5 - 7.0)
    for inter in (float("nan"), float("inf")):
        scaled = read(image_files.nifti(VOLUME, affine=LPS, slope=0.5, inter=inter), slice_index=0)
        assert np.array_equal(scaled.source, VOLUME[:, :, 0].T * 0.5)
    for slope in (0.0, float("nan")):
        plain = read(image_files.nifti(VOLUME, affine=LPS, slope=slope, inter=3.0), slice_index=0)
        assert np.array_equal(plain.source, VOLUME[:, :, 0].T)


def orientations() -> list[np.ndarray]:
    """All 48 ways to lay voxel axes along the body, the slice axis coarse."""
    found = []
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            affine = np.zeros((3, 4))
            for voxel, (world, sign) in enumerate(zip(axes, signs, strict=True)):
                affine[world, voxel] = sign * (1.0, 1.5, 3.0)[voxel]
            found.append(affine)
    return found


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory):
    import SimpleITK

    folder = tmp_path_factory.mktemp("oracle")

    def turned(data: bytes) -> tuple[np.ndarray, tuple[float, ...]]:
        """The volume as SimpleITK reads it, [S, P, L], and its spacing along L, P, S."""
        path = folder / "x.nii"
        path.write_bytes(data)
        volume = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), "LPS")
        return SimpleITK.GetArrayFromImage(volume), volume.GetSpacing()

    return turned


@pytest.mark.parametrize("case", range(48))
def test_every_orientation_as_simpleitk(read, oracle, case: int) -> None:
    affine = orientations()[case]
    data = image_files.nifti(VOLUME, affine=affine)
    body, (left, posterior, superior) = oracle(data)
    image = read(data, slice_index=4)
    world = int(np.flatnonzero(affine[:, 2])[0])
    expected, spacing = {
        0: (body[::-1, :, 4], (superior, posterior)),
        1: (body[::-1, 4, :], (superior, left)),
        2: (body[4], (posterior, left)),
    }[world]
    assert np.array_equal(image.source, expected)
    assert image.spacing == pytest.approx(spacing)


def test_oblique_quaternion_as_simpleitk(read, tmp_path: Path) -> None:
    import SimpleITK

    volume = SimpleITK.GetImageFromArray(np.ascontiguousarray(VOLUME.T))
    turn = SimpleITK.Euler3DTransform((0, 0, 0), 0.2, -0.3, 0.15)
    volume.SetDirection(turn.GetMatrix())
    volume.SetSpacing((0.9, 1.1, 4.0))
    path = tmp_path / "oblique.nii.gz"
    SimpleITK.WriteImage(volume, str(path))
    image = load(path, slice_index=5)
    assert np.array_equal(image.source, VOLUME[:, :, 5].T)
    assert image.spacing == pytest.approx((1.1, 0.9))


def test_sheared_matrix_is_read(read) -> None:
    affine = LPS.copy()
    affine[0, 1] = 0.4
    assert np.array_equal(read(image_files.nifti(VOLUME, affine=affine)).source, VOLUME[:, :, 10].T)


def test_without_orientation(read) -> None:
    image = read(image_files.nifti(VOLUME), slice_index=2)
    assert np.array_equal(image.source, VOLUME[:, :, 2].T)
    assert any("orientation" in text for text in image.warnings)


def test_thin_axis_is_the_slice_axis(read) -> None:
    volume = np.moveaxis(np.random.default_rng(2).random((40, 44, 6)), 2, 0).astype(np.float32)
    image = read(image_files.nifti(volume, affine=LPS))
    assert image.slice_count == 6
    assert image.shape == (44, 40)


def test_isotropic_volume_is_axial(read) -> None:
    volume = np.random.default_rng(2).random((30, 32, 60)).astype(np.float32)
    assert read(image_files.nifti(volume, affine=LPS)).slice_count == 60


def test_two_dimensional_file(read) -> None:
    plane = VOLUME[:, :, 0]
    image = read(image_files.nifti(plane, affine=LPS))
    assert np.array_equal(image.source, plane.T)
    assert image.slice_count == 1


def test_first_of_several_volumes(read) -> None:
    series = np.stack([VOLUME, VOLUME[::-1]], axis=-1)
    image = read(image_files.nifti(series, affine=LPS), slice_index=0)
    assert np.array_equal(image.source, VOLUME[:, :, 0].T)
    assert (image.time_index, image.time_count) == (0, 2)


def test_hounsfield_volume_is_ct_in_every_slice(read) -> None:
    volume = np.stack([image_files.chest(64, 80, seed) for seed in range(20)], axis=-1)
    # As float and with a padding value, as converters write them; one slice of soft tissue only.
    volume[:, :, 0] = 40 + np.arange(80) % 7
    volume[:4] = -3024
    for index, kind in ((0, np.int16), (10, np.int16), (10, np.float32)):
        data = image_files.nifti(volume.astype(kind), affine=LPS)
        image = read(data, slice_index=index)
        assert (image.modality, image.modality_origin) == (Modality.CT, "guessed")
        assert any("CT was assumed" in text for text in image.warnings)
        assert (image.units, image.window.low, image.window.high) == ("HU", -160.0, 240.0)


@pytest.mark.parametrize("version", [1, 2])
def test_display_range_of_the_header(read, version: int) -> None:
    """``cal_max`` and ``cal_min`` of nifti1.h and nifti2.h, in scaled values."""
    data = bytearray(image_files.nifti(VOLUME, affine=LPS, version=version, slope=2.0))
    place, code = (124, "<2f") if version == 1 else (192, "<2d")
    struct.pack_into(code, data, place, 5000.0, 100.0)
    image = read(bytes(data))
    assert (image.window.low, image.window.high) == (100.0, 5000.0)
    assert not any("states no window" in text for text in image.warnings)
    for high, low in ((0.0, 0.0), (100.0, 5000.0), (float("nan"), 0.0)):
        struct.pack_into(code, data, place, high, low)
        assert any("states no window" in text for text in read(bytes(data)).warnings)


def test_slices_share_one_window(read) -> None:
    volume = VOLUME * np.linspace(0.1, 2, 20)
    data = image_files.nifti(volume.astype(np.float32), affine=LPS)
    windows = {read(data, slice_index=index).window for index in (0, 9, 19)}
    assert len(windows) == 1
    window = windows.pop()
    low, high = np.percentile(volume, (0.1, 99.9))
    assert window.low == pytest.approx(low, rel=1e-5)
    assert window.high == pytest.approx(high, rel=1e-5)


def test_unit_range_and_eight_bits(read) -> None:
    unit = read(image_files.nifti((VOLUME / 3000).astype(np.float32), affine=LPS))
    assert (unit.window.low, unit.window.high) == (0.0, 1.0)
    eight = read(image_files.nifti((VOLUME % 200).astype(np.uint8), affine=LPS))
    assert (eight.window.low, eight.window.high, eight.bits) == (0.0, 255.0, 8)


def test_metres_and_micrometres(read) -> None:
    for code, spacing in ((1, 1000.0), (3, 0.001), (0, 1.0)):
        data = bytearray(image_files.nifti(VOLUME, affine=LPS))
        data[123] = code
        assert read(bytes(data)).spacing == pytest.approx((spacing, spacing))


def test_nan_elsewhere_in_the_volume_is_no_error(read) -> None:
    volume = VOLUME.astype(np.float32)
    volume[:, :, 0] = np.nan
    data = image_files.nifti(volume, affine=LPS)
    assert np.isfinite(read(data, slice_index=5).pixels).all()
    assert any("undefined" in note for note in read(data, slice_index=0).warnings)


def _no_ct() -> dict[str, np.ndarray]:
    chance = np.random.default_rng(5)
    mr = chance.gamma(3.0, 300.0, SHAPE).astype(np.int16)
    mr[:5] = -32768
    return {
        "background -32768": mr,
        "one voxel": np.where(np.arange(VOLUME.size).reshape(SHAPE) == 77, -900, VOLUME),
        "phase": (2 * chance.integers(0, 4096, SHAPE) - 4096),
        "contrast map": chance.normal(0, 300, SHAPE),
        "whole contrast map": np.rint(chance.normal(0, 300, SHAPE)),
        "negative": -VOLUME,
    }


@pytest.mark.parametrize("name", _no_ct())
def test_low_values_alone_are_no_ct(read, name: str) -> None:
    volume = _no_ct()[name].astype(np.float32 if name == "contrast map" else np.int16)
    image = read(image_files.nifti(volume, affine=LPS))
    assert (image.modality, image.units) == (Modality.OTHER, "a.u.")
    assert np.unique(image.pixels).size > 100
    if name == "background -32768":
        assert image.window.low >= 0.0


def test_the_user_decides_on_window_and_units(read) -> None:
    volume = np.stack([image_files.chest(64, 80, seed) for seed in range(20)], axis=-1)
    image = read(image_files.nifti(volume.astype(np.int16), affine=LPS))
    mr = image.with_modality(Modality.MR)
    assert (mr.modality, mr.modality_origin, mr.units) == (Modality.MR, "user", "a.u.")
    assert mr.window.low == volume.min()
    assert np.array_equal(mr.pixels, mr.window.to_unit(mr.source))
    assert not any("CT" in text or "HU" in text for text in mr.warnings)
    ct = mr.with_modality(Modality.CT)
    assert (ct.units, ct.window) == ("HU", image.window)
    assert np.array_equal(ct.pixels, image.pixels)
    given = read(image_files.nifti(volume.astype(np.int16), affine=LPS), window=(-50.0, 50.0))
    assert given.with_modality(Modality.MR).window == Window(-50.0, 50.0)


def test_constant_slices_of_a_volume_are_read(read) -> None:
    volume = VOLUME.copy()
    volume[:, :, 10] = 0
    image = read(image_files.nifti(volume, affine=LPS))
    assert image.slice_index == 10
    assert not image.source.any()
    assert any("slice is constant" in text for text in image.warnings)
    assert image.window == read(image_files.nifti(volume, affine=LPS), slice_index=3).window
    assert not read(image_files.nifti(np.zeros_like(VOLUME), affine=LPS)).pixels.any()


def test_pair_headers_and_unknown_types(read) -> None:
    data = bytearray(image_files.nifti(VOLUME))
    data[344:347] = b"ni1"
    with pytest.raises(ImageReadError, match="pair"):
        read(bytes(data))
    data = bytearray(image_files.nifti(VOLUME))
    # Numbers of 128 bits.
    data[70:72] = (1536).to_bytes(2, "little")
    with pytest.raises(ImageReadError, match="data type 1536"):
        read(bytes(data))


def test_gzip_that_unpacks_too_far(read) -> None:
    data = image_files.nifti(np.zeros((64, 64, 64), np.float64), packed=True)
    with pytest.raises(ImageTooLarge, match="unpacks"):
        read(data, caps=Caps(max_bytes=200_000))
