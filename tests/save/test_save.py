"""Exports are exact: 16-bit PNG, source units, and the same zip for the same run."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from enhancers import registry
from enhancers.compare import Request, compare
from enhancers.image import MedicalImage, Window, from_array
from enhancers.load import load
from enhancers.method import Method, Modality
from enhancers.save import (
    BundleItem,
    in_source_units,
    read_png16,
    save_png16,
    to_png16,
    to_tiff_source,
    write_bundle,
)
from tests.support import image_files

UNIT = st.floats(0, 1, width=32)
GRAY = np.random.default_rng(0).random((20, 31)).astype(np.float32)
COLOUR = np.random.default_rng(1).random((20, 31, 3)).astype(np.float32)


def ct() -> MedicalImage:
    source = np.linspace(-1000, 1500, 20 * 31, dtype=np.float32).reshape(20, 31)
    window = Window(-160.0, 240.0)
    return MedicalImage(
        window.to_unit(source), window, source, "HU", Modality.CT, spacing=(0.5, 0.7)
    )


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=20), elements=UNIT))
def test_gray_png_is_exact(pixels: np.ndarray) -> None:
    levels = read_png16(to_png16(pixels))
    assert np.array_equal(levels, np.round(pixels.astype(np.float64) * 65535))
    assert np.abs(levels / 65535 - pixels).max() <= 0.5 / 65535 + 1e-12


@given(
    arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)), elements=UNIT)
)
def test_colour_png_is_exact(pixels: np.ndarray) -> None:
    levels = read_png16(to_png16(pixels))
    assert np.array_equal(levels, np.round(pixels.astype(np.float64) * 65535))


def test_every_level_survives() -> None:
    levels = np.arange(65536).reshape(256, 256)
    pixels = (levels / 65535).astype(np.float32)
    assert np.array_equal(read_png16(to_png16(pixels)), levels)


def test_other_programs_read_the_same() -> None:
    gray = np.array(Image.open(io.BytesIO(to_png16(GRAY))))
    assert np.array_equal(gray, read_png16(to_png16(GRAY)))
    # Pillow keeps the upper byte of 16-bit colour; the order of the channels shows in it.
    colour = np.array(Image.open(io.BytesIO(to_png16(COLOUR))))
    assert np.array_equal(colour, read_png16(to_png16(COLOUR)) >> 8)


@pytest.mark.parametrize("pixels", [GRAY, COLOUR], ids=["gray", "colour"])
def test_exported_png_loads_again(tmp_path: Path, pixels: np.ndarray) -> None:
    path = tmp_path / "result.png"
    save_png16(path, pixels)
    assert np.array_equal(load(path).source, read_png16(path.read_bytes()))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("wrong", [GRAY.astype(np.float64), GRAY * 2, GRAY * np.nan, GRAY[0]])
def test_wrong_pixels_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="pixels must"):
        to_png16(wrong)


def test_read_png16_refuses_eight_bits() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(buffer, "PNG")
    for data in (buffer.getvalue(), b"nothing"):
        with pytest.raises(ValueError, match="16-bit PNG"):
            read_png16(data)


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "result.png"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="space"):
        save_png16(path, GRAY)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_unchanged_pixels_give_the_source_back() -> None:
    image = ct()
    assert np.abs(in_source_units(image, image.pixels) - image.source).max() < 1e-4


@pytest.mark.parametrize("change", [-0.3, 0.3])
def test_values_outside_the_window_come_from_the_source(change: float) -> None:
    """Also where the result is neither black nor white there, and without a jump at the ends."""
    image = ct()
    result = np.clip(image.pixels + np.float32(change), 0, 1)
    out = in_source_units(image, result)
    low, high = image.window.ends
    inside = (image.source >= low) & (image.source <= high)
    assert np.allclose(out[inside], image.window.to_source(result)[inside], atol=1e-3)
    far = (image.source < low - 4) | (image.source > high + 4)
    assert np.array_equal(out[far], image.source[far])
    assert far.mean() > 0.8
    fine = np.linspace(low - 10, high + 10, 100_000, dtype=np.float32).reshape(100, 1000)
    ramp = replace(image, source=fine, pixels=image.window.to_unit(fine))
    values = in_source_units(ramp, np.clip(ramp.pixels + np.float32(change), 0, 1)).reshape(-1)
    assert np.abs(np.diff(values)).max() < 0.5


@pytest.mark.parametrize("method", registry.METHODS, ids=lambda method: method.key)
def test_every_method_keeps_bone_and_air(method: Method) -> None:
    """At least 99.9 % of the pixels beyond the window keep their value to 1 HU."""
    levels = image_files.chest(192, 240).astype(np.int16)
    elements = {"Modality": "CT", "RescaleSlope": "1", "RescaleIntercept": "0"}
    image = load(image_files.dicom(levels, **elements))
    quick = {"steps": 6, "samples": 2, "iterations": 10}
    params = {one.name: max(quick[one.name], int(one.low)) for one in method.parameters
              if one.name in quick}  # fmt: skip
    [outcome] = [
        event.outcome for event in compare(image, [Request(method.key, params)], seed=0)
        if event.outcome
    ]  # fmt: skip
    out = in_source_units(image, outcome.result.pixels)
    low, high = image.window.ends
    beyond = (image.source < low) | (image.source > high)
    assert beyond.mean() > 0.5
    assert (np.abs(out - image.source)[beyond] <= 1.0).mean() >= 0.999
    mapped = image.window.to_source(outcome.result.pixels)
    assert np.abs(out - mapped)[~beyond].max() < 1e-3


def test_larger_results_are_only_mapped() -> None:
    image = ct()
    doubled = np.kron(image.pixels, np.ones((2, 2), np.float32))
    out = in_source_units(image, doubled)
    assert out.shape == (40, 62)
    assert out.min() == -160
    assert out.max() == 240


@pytest.mark.parametrize("pixels", [GRAY, COLOUR], ids=["gray", "colour"])
def test_tiff_holds_source_units(tmp_path: Path, pixels: np.ndarray) -> None:
    image = from_array(pixels)
    data = to_tiff_source(image, pixels, image.units)
    assert np.array_equal(tifffile.imread(io.BytesIO(data)), pixels)
    assert b"Not for diagnosis" in data
    path = tmp_path / "x"
    path.write_bytes(data)
    assert np.array_equal(load(path).source, pixels)


def bundle(image: MedicalImage, truth: np.ndarray | None = None) -> bytes:
    buffer = io.BytesIO()
    items = [BundleItem("srad", 1 - image.pixels), BundleItem("nlm", image.pixels)]
    write_bundle(buffer, image, items, "method,psnr\nsrad,30.1\n", '{"seed": 0}\n', truth)
    return buffer.getvalue()


def test_bundle_is_complete_and_exact() -> None:
    image = ct()
    with zipfile.ZipFile(io.BytesIO(bundle(image, image.pixels))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "README.txt", "input.png", "srad.png", "nlm.png", "truth.png",
            "source_units/input.tif", "source_units/srad.tif", "source_units/nlm.tif",
            "metrics.csv", "provenance.json",
        ]  # fmt: skip
        assert archive.read("input.png") == to_png16(image.pixels, image.aspect)
        assert archive.read("srad.png") == to_png16(1 - image.pixels, image.aspect)
        source = tifffile.imread(io.BytesIO(archive.read("source_units/input.tif")))
        assert np.abs(source - image.source).max() < 1e-4
        assert archive.read("metrics.csv") == b"method,psnr\nsrad,30.1\n"
        assert archive.read("provenance.json") == b'{"seed": 0}\n'
        readme = archive.read("README.txt").decode()
    assert "Not for diagnosis" in readme
    assert "-160 (HU)" in readme
    assert "0.5 mm between rows, 0.7 mm between columns" in readme


def test_mapped_values_are_gray_levels_in_every_file() -> None:
    image = ct()
    items = [
        BundleItem("nlm", image.pixels, "HU"),
        BundleItem("clahe", 1 - image.pixels, "gray level, not HU"),
    ]
    buffer = io.BytesIO()
    write_bundle(buffer, image, items, "", "{}", None)
    with zipfile.ZipFile(buffer) as archive:
        folders = {Path(name).stem: Path(name).parent.name for name in archive.namelist()
                   if name.endswith(".tif")}  # fmt: skip
        data = archive.read("gray_levels/clahe.tif")
        readme = archive.read("README.txt").decode()
    assert folders == {"input": "source_units", "nlm": "source_units", "clahe": "gray_levels"}
    assert np.array_equal(tifffile.imread(io.BytesIO(data)), 1 - image.pixels)
    assert b"units: gray level, not HU; modality: CT; window: 0 to 1; " in data
    assert "clahe.png        a result (gray level, not HU)" in readme


def test_the_readme_says_what_is_different_about_an_enlarged_result() -> None:
    image = ct()
    doubled = np.kron(image.pixels, np.ones((2, 2), np.float32))
    buffer = io.BytesIO()
    write_bundle(buffer, image, [BundleItem("null_space", doubled)], "", "{}", None)
    with zipfile.ZipFile(buffer) as archive:
        readme = archive.read("README.txt").decode()
    assert "a result, enlarged 2 times each way" in readme
    assert "of a result enlarged 2 times: 0.25 mm between rows, 0.35 mm between" in readme
    assert "values beyond the window are cut also in source_units" in readme


def test_bundle_without_truth() -> None:
    with zipfile.ZipFile(io.BytesIO(bundle(ct()))) as archive:
        assert "truth.png" not in archive.namelist()
        assert "truth.png" not in archive.read("README.txt").decode()


def test_bundle_bytes_do_not_depend_on_the_hour(monkeypatch) -> None:
    import time

    first = bundle(ct())
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    assert bundle(ct()) == first


def test_bundle_to_a_path(tmp_path: Path) -> None:
    path = tmp_path / "run.zip"
    write_bundle(path, ct(), [], "", "{}", None)
    assert zipfile.is_zipfile(path)
    assert list(tmp_path.iterdir()) == [path]


def test_names_stay_inside_and_apart() -> None:
    names = ["../../etc/x", "a b", "a_b", "input", "truth", "", "a_b"]
    buffer = io.BytesIO()
    write_bundle(buffer, ct(), [BundleItem(name, GRAY) for name in names], "", "{}", GRAY)
    with zipfile.ZipFile(buffer) as archive:
        found = [name for name in archive.namelist() if name.endswith(".png")]
    assert found == ["input.png", "etc_x.png", "a_b.png", "a_b-2.png", "input-2.png",
                     "truth-2.png", "result.png", "a_b-3.png", "truth.png"]  # fmt: skip


def test_a_monochrome1_image_comes_back_from_its_tiff() -> None:
    """The file's own values, and the same picture."""
    levels = image_files.ramp().astype(np.uint16)
    elements = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": "2000",
                "WindowWidth": "1001"}  # fmt: skip
    image = load(image_files.dicom(levels, **elements))
    data = to_tiff_source(image, image.pixels, image.units)
    assert np.array_equal(tifffile.imread(io.BytesIO(data)), levels)
    again = load(data, window=image.window.ends)
    assert np.array_equal(again.source, levels)
    assert np.array_equal(again.pixels, image.pixels)
