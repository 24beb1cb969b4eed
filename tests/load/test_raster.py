"""PNG, TIFF and JPEG: every sample exactly as stored, upright, without alpha and palette."""

import io
import itertools
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from enhancers.errors import ImageReadError
from enhancers.image import MedicalImage, Window
from enhancers.load import load, probe
from enhancers.method import Modality
from tests.support import image_files

GRAY8 = image_files.ramp(top=255).astype(np.uint8)
GRAY16 = image_files.ramp(top=60000).astype(np.uint16)
COLOUR8 = image_files.colour_ramp().astype(np.uint8)
COLOUR16 = image_files.colour_ramp(top=65535).astype(np.uint16)
FLOAT = (image_files.ramp() / 4095.0).astype(np.float32)


@pytest.fixture
def read(tmp_path: Path):
    def write_and_load(data: bytes, **options: Any) -> MedicalImage:
        path = tmp_path / "picture"
        path.write_bytes(data)
        return load(path, **options)

    return write_and_load


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


ALL = pytest.mark.parametrize(
    "pixels", [GRAY8, GRAY16, COLOUR8, COLOUR16], ids=["8", "16", "rgb8", "rgb16"]
)


@ALL
def test_png_is_exact(read, pixels) -> None:
    image = read(image_files.png(pixels))
    assert np.array_equal(image.source, pixels)
    bits = 8 * pixels.dtype.itemsize
    assert (image.window.low, image.window.high) == (0.0, 2.0**bits - 1)
    assert (image.bits, image.units, image.format) == (bits, "gray level", "PNG")
    assert image.spacing is None


@ALL
@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}, {"tile": (16, 16)},
     {"byteorder": ">"}, {"rowsperstrip": 7}, {"bigtiff": True},
     {"tile": (16, 32), "compression": "zlib"}],
    ids=str,
)  # fmt: skip
def test_tiff_is_exact(read, pixels, options: dict[str, Any]) -> None:
    colour = "rgb" if pixels.ndim == 3 else "minisblack"
    assert np.array_equal(
        read(image_files.tiff(pixels, photometric=colour, **options)).source, pixels
    )


@pytest.mark.parametrize("pixels", [COLOUR8, COLOUR16], ids=["8", "16"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_planar_tiff(read, pixels, compression: str | None) -> None:
    data = image_files.tiff(
        np.moveaxis(pixels, -1, 0),
        photometric="rgb",
        planarconfig="separate",
        compression=compression,
    )
    assert np.array_equal(read(data).source, pixels)


@ALL
def test_lzw_tiff_is_exact(read, pixels) -> None:
    assert np.array_equal(read(image_files.lzw_tiff(pixels)).source, pixels)


def test_lzw_float_tiff_is_exact(read) -> None:
    assert np.array_equal(read(image_files.lzw_tiff(FLOAT)).source, FLOAT)


@pytest.mark.parametrize("compression", ["packbits", "tiff_lzw", "jpeg", "tiff_adobe_deflate"])
def test_pillow_tiffs(read, compression: str) -> None:
    data = saved(Image.fromarray(COLOUR8), "TIFF", compression=compression)
    difference = np.abs(read(data).source - COLOUR8)
    assert difference.mean() < 30 if compression == "jpeg" else difference.max() == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_float_tiff_in_unit_range(read, dtype) -> None:
    image = read(image_files.tiff(FLOAT.astype(dtype)))
    assert np.array_equal(image.source, FLOAT.astype(dtype).astype(np.float32))
    assert (image.window.low, image.window.high) == (0.0, 1.0)
    assert image.bits == 32
    assert image.warnings == ()


def test_float_tiff_beyond_unit_range(read) -> None:
    values = FLOAT * 1000 - 400
    image = read(image_files.tiff(values))
    assert np.array_equal(image.source, values)
    low, high = np.percentile(values, (0.1, 99.9))
    assert image.window.low == pytest.approx(low)
    assert image.window.high == pytest.approx(high)
    assert any("taken from the image" in text for text in image.warnings)


def test_hounsfield_tiff_is_taken_for_ct(read) -> None:
    image = read(image_files.tiff(image_files.chest().astype(np.int16)))
    assert (image.modality, image.modality_origin, image.units) == (Modality.CT, "guessed", "HU")
    assert (image.window.low, image.window.high) == (-160.0, 240.0)


@pytest.mark.parametrize(("top", "bits"), [(255, 8), (256, 9), (1023, 10), (4095, 12), (4096, 13)])
@pytest.mark.parametrize("encode", [image_files.png, image_files.tiff])
def test_window_of_sixteen_bits(read, top: int, bits: int, encode) -> None:
    image = read(encode(image_files.ramp(top=top).astype(np.uint16)))
    assert (image.window.low, image.window.high) == (0.0, 2.0**bits - 1)


@pytest.mark.parametrize(("pages", "high"), [
    (np.stack([FLOAT * step for step in range(1, 7)]), 6.0),
    (np.stack([GRAY16 // 16 * step // 6 for step in range(1, 7)]).astype(np.uint16), 4095.0),
], ids=["float", "16"])  # fmt: skip
def test_pages_share_one_window(read, pages, high: float) -> None:
    data = image_files.tiff(pages, photometric="minisblack")
    windows = {read(data, slice_index=index).window for index in range(6)}
    assert len(windows) == 1
    assert windows.pop().high == pytest.approx(high, rel=0.1)


def test_pages_are_slices(read, tmp_path: Path) -> None:
    pages = np.stack([GRAY16, GRAY16[::-1], GRAY16[:, ::-1]])
    for data in (image_files.tiff(pages, photometric="minisblack"), image_files.lzw_tiff(*pages)):
        for index, page in enumerate(pages):
            image = read(data, slice_index=index)
            assert np.array_equal(image.source, page)
            assert (image.slice_index, image.slice_count) == (index, 3)
        assert read(data).slice_index == 0
        assert probe(tmp_path / "picture").slice_count == 3


def test_thumbnails_are_no_slices(read) -> None:
    import tifffile

    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(GRAY8, metadata=None)
        writer.write(GRAY8[::2, ::2], metadata=None, subfiletype=1)
    assert read(buffer.getvalue()).slice_count == 1


@pytest.mark.parametrize("pixels", [GRAY8, GRAY16], ids=["8", "16"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_is_zero(read, pixels, compression: str | None) -> None:
    plain = read(image_files.tiff(pixels))
    image = read(image_files.tiff(pixels, photometric="miniswhite", compression=compression))
    assert np.array_equal(image.source, pixels)
    assert np.abs(image.pixels - (1.0 - plain.pixels)).max() < 1e-6
    assert image.window == plain.window.turned(True)


def test_white_is_zero_in_every_compression(read) -> None:
    """Pillow decodes some, and inverts them; the values are those of the file."""
    picture = Image.fromarray(255 - GRAY8)
    for options in ({}, {"compression": "tiff_lzw"}, {"compression": "packbits"}):
        data = bytearray(saved(picture, "TIFF", **options))
        entry = data.index(struct.pack("<HHI", 262, 3, 1))
        struct.pack_into("<H", data, entry + 8, 0)
        image = read(bytes(data))
        assert np.array_equal(image.source, 255.0 - GRAY8)
        assert np.abs(image.pixels - GRAY8 / 255.0).max() < 1e-6


def test_one_bit(read) -> None:
    bits = GRAY8 > 100
    for data in (
        saved(Image.fromarray(bits), "PNG"),
        saved(Image.fromarray(bits), "TIFF"),
        saved(Image.fromarray(bits), "TIFF", compression="group4"),
        image_files.tiff(bits, photometric="minisblack"),
    ):
        image = read(data)
        assert np.array_equal(image.pixels, bits.astype(np.float32))


def test_palette(read) -> None:
    picture = Image.fromarray(COLOUR8).quantize(32)
    expected = np.array(picture.convert("RGB"))
    for data in (
        saved(picture, "PNG"),
        saved(picture, "TIFF"),
        saved(picture, "TIFF", compression="tiff_lzw"),
    ):
        image = read(data)
        assert np.array_equal(image.source, expected)
        assert image.window.high == 255.0


@pytest.mark.parametrize("pixels", [GRAY8, GRAY16, COLOUR8, COLOUR16])
@pytest.mark.parametrize("opaque", [True, False])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_alpha_is_dropped(read, pixels, opaque: bool, kind: str) -> None:
    alpha = np.full(pixels.shape[:2], np.iinfo(pixels.dtype).max, pixels.dtype)
    if not opaque:
        alpha[3, 4] = 7
    stacked = np.dstack([pixels, alpha])
    if kind == "PNG":
        data = image_files.png(stacked)
    else:
        colour = "rgb" if pixels.ndim == 3 else "minisblack"
        data = image_files.tiff(stacked, photometric=colour, extrasamples=["unassalpha"])
    image = read(data)
    assert np.array_equal(image.source, pixels)
    assert any("transparency" in text for text in image.warnings) != opaque


def test_transparent_palette(read) -> None:
    picture = Image.fromarray(COLOUR8).quantize(16)
    image = read(saved(picture, "PNG", transparency=3))
    assert np.array_equal(image.source, np.array(picture.convert("RGB")))
    assert any("transparency" in text for text in image.warnings)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_orientation(read, orientation: int, kind: str) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    if kind == "TIFF":
        data = image_files.tiff(GRAY8, extratags=[(274, 3, 1, orientation, True)])
    else:
        options = {"quality": 95} if kind == "JPEG" else {}
        data = saved(Image.fromarray(GRAY8), kind, exif=exif, **options)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    image = read(data)
    assert np.array_equal(image.source, np.array(upright))
    assert image.shape == (GRAY8.shape if orientation < 5 else GRAY8.shape[::-1])


def test_gray_and_colour_jpeg(read) -> None:
    for pixels in (GRAY8, COLOUR8):
        data = image_files.jpeg(pixels)
        expected = np.array(Image.open(io.BytesIO(data)))
        image = read(data)
        assert np.array_equal(image.source, expected)
        assert image.is_colour == (pixels.ndim == 3)


def test_cmyk_jpeg(read) -> None:
    data = saved(Image.fromarray(COLOUR8).convert("CMYK"), "JPEG", quality=95)
    image = read(data)
    assert image.is_colour
    assert any("CMYK" in text for text in image.warnings)


def test_broken_exif_costs_nothing(read) -> None:
    data = saved(Image.fromarray(GRAY8), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read(data).shape == GRAY8.shape


def test_equal_channels_become_gray(read) -> None:
    image = read(image_files.png(np.dstack([GRAY16] * 3)))
    assert not image.is_colour
    assert np.array_equal(image.source, GRAY16)


def fundus(red: float = 200.0, brightness: float = 1.0) -> np.ndarray:
    row, column = np.mgrid[-1:1:200j, -1:1:220j]
    disc = (row**2 + (column * 1.1) ** 2) < 0.9
    texture = 0.8 + 0.2 * np.sin(9 * row) * np.cos(7 * column)
    scaled = disc[..., None] * texture[..., None] * np.array([red, 90.0, 40.0]) * brightness
    return scaled.astype(np.uint8)


@pytest.mark.parametrize("brightness", [1.0, 0.3])
def test_fundus_is_guessed(read, brightness: float) -> None:
    image = read(image_files.png(fundus(brightness=brightness)))
    assert (image.modality, image.modality_origin) == (Modality.FUNDUS, "guessed")


@pytest.mark.parametrize("rows", [150, 170, 190])
def test_fundus_cut_at_top_and_bottom_is_guessed(read, rows: int) -> None:
    """Sensors of 4:3 and 3:2 cut the disc, whose box is then up to 92 % full."""
    edge = (200 - rows) // 2
    assert read(image_files.png(fundus()[edge : 200 - edge])).modality is Modality.FUNDUS


@pytest.mark.parametrize("pixels", [COLOUR8, GRAY8, fundus(red=80.0), fundus()[60:140, 60:140]])
def test_other_pictures_are_no_fundus(read, pixels) -> None:
    assert read(image_files.png(pixels)).modality is Modality.OTHER


@pytest.mark.parametrize("pixels", [GRAY16, COLOUR8], ids=["16", "rgb"])
def test_lossless_jpeg_picture(read, tmp_path: Path, pixels) -> None:
    image = read(image_files.jpeg_lossless(pixels))
    assert np.array_equal(image.source, pixels)
    bits = 8 * pixels.itemsize
    assert (image.format, image.bits, image.window) == ("JPEG", bits, Window(0.0, 2.0**bits - 1))
    facts = probe(tmp_path / "picture")
    assert (facts.format, facts.rows, facts.columns) == ("JPEG", *pixels.shape[:2])


@pytest.mark.parametrize("boxes", [True, False])
@pytest.mark.parametrize("pixels", [GRAY8, GRAY16, COLOUR8], ids=["8", "16", "rgb"])
def test_jpeg_2000_picture(read, tmp_path: Path, pixels, boxes: bool) -> None:
    data = image_files.jpeg_2000(pixels)
    if boxes:
        options = {"irreversible": False, "mct": 0}
        data = saved(Image.fromarray(pixels), "JPEG2000", **options)
        assert data[4:8] == b"jP  "
    image = read(data)
    assert np.array_equal(image.source, pixels)
    assert (image.format, image.bits) == ("JPEG 2000", 8 * pixels.itemsize)
    assert probe(tmp_path / "picture").format == "JPEG 2000"
    with pytest.raises(ImageReadError):
        read(data[:60])


@pytest.mark.parametrize(
    ("name", "bits"), [("MR_small_jpeg_ls_lossless.dcm", 16), ("JPEG-lossy.dcm", 12)]
)
def test_streams_of_dicom_are_pictures_too(read, name: str, bits: int) -> None:
    """JPEG-LS and JPEG of 12 bits: the stream of a DICOM file is a file of its own."""
    path = Path(str(get_testdata_file(name, download=False)))
    dataset = pydicom.dcmread(path)
    image = read(pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1))
    assert image.bits == bits
    assert np.array_equal(image.source, load(path).source)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("rowsperstrip", [40, 7])
def test_tiff_of_packed_samples(read, bits: int, rowsperstrip: int) -> None:
    levels = image_files.ramp(40, 55, top=2**bits - 1)
    image = read(packed_tiff(levels, bits, rowsperstrip))
    assert np.array_equal(image.source, levels)
    assert (image.bits, image.window) == (bits, Window(0.0, 2.0**bits - 1))
    inverse = read(packed_tiff(levels, bits, rowsperstrip, photometric=0))
    assert np.array_equal(inverse.source, levels)
    assert np.abs(inverse.pixels - (1.0 - image.pixels)).max() < 1e-6
    with pytest.raises(ImageReadError, match=f"{bits}-bit samples"):
        read(packed_tiff(levels, bits, rowsperstrip, compression=5))


def packed_tiff(
    levels: np.ndarray, bits: int, rowsperstrip: int, *, photometric: int = 1, compression: int = 1
) -> bytes:
    """A TIFF file whose rows are packed without gaps, each from a byte on."""
    ones = (levels[..., None] >> np.arange(bits)[::-1]) & 1
    rows = np.packbits(ones.reshape(len(levels), -1).astype(np.uint8), axis=1)
    strips = [rows[k : k + rowsperstrip].tobytes() for k in range(0, len(rows), rowsperstrip)]
    starts = list(itertools.accumulate((len(strip) for strip in strips), initial=8))
    end = starts.pop()
    count, places = len(strips), b"".join(struct.pack("<I", start) for start in starts)
    sizes = b"".join(struct.pack("<I", len(strip)) for strip in strips)
    first, second = (end, end + len(places)) if count > 1 else (starts[0], len(strips[0]))
    tags = [
        (256, 1, levels.shape[1]), (257, 1, len(levels)), (258, 1, bits), (259, 1, compression),
        (262, 1, photometric), (273, count, first), (277, 1, 1), (278, 1, rowsperstrip),
        (279, count, second),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, number, value) for tag, number, value in tags)
    table = struct.pack("<H", len(tags)) + entries + bytes(4)
    header = b"II*\0" + struct.pack("<I", end + len(places) + len(sizes))
    return header + b"".join(strips) + places + sizes + table


def test_png_checksum(read) -> None:
    data = bytearray(image_files.png(GRAY16))
    data[data.index(b"IDAT") + 30] ^= 1
    with pytest.raises(ImageReadError, match="checksum"):
        read(bytes(data))


@pytest.mark.parametrize("pixels", [GRAY16, COLOUR16])
def test_png_with_too_few_pixels(read, pixels) -> None:
    kind = 0 if pixels.ndim == 2 else 2
    short = image_files.png_chunks(56, 40, 16, kind, zlib.compress(bytes(1000)))
    with pytest.raises(ImageReadError, match="damaged"):
        read(short)


def test_tiff_strip_that_inflates_too_far(read) -> None:
    honest = image_files.tiff(GRAY8, compression="zlib", rowsperstrip=40)
    bomb = zlib.compress(bytes(10_000_000))
    data = bytearray(honest + bomb)

    (position,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, position)
    for entry in range(position + 2, position + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", data, entry)
        if tag in (273, 279):
            value = len(honest) if tag == 273 else len(bomb)
            struct.pack_into("<HII", data, entry + 2, 4, 1, value)
    with pytest.raises(ImageReadError, match="more than its pixels"):
        read(bytes(data))


def test_complex_tiff(read) -> None:
    with pytest.raises(ImageReadError, match="complex"):
        read(image_files.tiff(FLOAT.astype(np.complex64)))


def test_shipped_colour_photograph() -> None:
    """The retina that scikit-image ships: a JPEG of 1411 x 1411."""
    import skimage

    path = Path(skimage.__file__).parent / "data" / "retina.jpg"
    if not path.exists():
        pytest.skip("this scikit-image does not ship the picture")
    image = load(path)
    assert image.shape == (1411, 1411)
    assert image.modality is Modality.FUNDUS
