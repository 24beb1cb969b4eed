"""BMP, PNM, WebP and NumPy: every value as it was stored."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhancers.errors import ImageReadError, ImageTooLarge
from enhancers.load import load, probe
from tests.support import image_files
from tests.support.volume_files import picture, pnm

GRAY = image_files.ramp(24, 40, 255).astype(np.uint8)
COLOUR = image_files.colour_ramp(24, 40).astype(np.uint8)


def flipped_bmp() -> bytes:
    """The same picture stored from the top: its height is negative."""
    data = bytearray(picture(COLOUR[::-1], "BMP"))
    struct.pack_into("<i", data, 22, -24)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [(picture(GRAY, "BMP"), GRAY), (picture(COLOUR, "BMP"), COLOUR), (flipped_bmp(), COLOUR),
     (picture(COLOUR, "WEBP", lossless=True), COLOUR),
     (picture(np.repeat(GRAY[..., None], 3, 2), "WEBP", lossless=True), GRAY),
     (pnm(GRAY, 2, 255), GRAY), (pnm(GRAY, 5, 255), GRAY), (pnm(COLOUR, 3, 255), COLOUR),
     (pnm(COLOUR, 6, 255), COLOUR)],
)  # fmt: skip
def test_pictures_of_eight_bits(data: bytes, expected: np.ndarray) -> None:
    image = load(data)
    assert np.array_equal(image.source, expected)
    assert (image.window.low, image.window.high, image.units) == (0.0, 255.0, "gray level")


@pytest.mark.parametrize("most", [1023, 4095, 65535])
@pytest.mark.parametrize("kind", [2, 3, 5, 6])
def test_pnm_keeps_all_bits(kind: int, most: int) -> None:
    pixels = (image_files.ramp if kind in (2, 5) else image_files.colour_ramp)(24, 40, most)
    image = load(pnm(pixels, kind, most))
    assert np.array_equal(image.source, pixels)
    assert image.bits == most.bit_length()


@pytest.mark.parametrize("kind", [1, 4])
def test_a_bitmap_shows_its_ones_black(kind: int) -> None:
    bits = (image_files.ramp(24, 37, 255) % 2).astype(np.uint8)
    assert np.array_equal(load(pnm(bits, kind, 1)).source, 255 * (1 - bits))


def test_a_pnm_value_above_its_white_is_damage() -> None:
    with pytest.raises(ImageReadError, match="damaged"):
        load(pnm(np.full((24, 40), 9), 2, 8))


def test_the_first_picture_of_an_animation() -> None:
    frames = [Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    image = load(buffer.getvalue())
    assert np.array_equal(image.source, COLOUR)
    assert any("animation" in note for note in image.warnings)


def test_transparency_is_dropped_with_a_note() -> None:
    clear = np.dstack([COLOUR, np.full((24, 40), 128, np.uint8)])
    image = load(picture(clear, "WEBP", lossless=True, exact=True))
    assert np.array_equal(image.source, COLOUR)
    assert any("transparency" in note for note in image.warnings)


def test_bombs_are_refused_from_the_header() -> None:
    bmp = bytearray(picture(GRAY, "BMP"))
    struct.pack_into("<ii", bmp, 18, 30000, 30000)
    canvas = (29999).to_bytes(3, "little")
    webp = b"RIFF\x64\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + canvas + canvas + bytes(80)
    for data in (bytes(bmp), webp, b"P5 30000 30000 255 " + bytes(100)):
        with pytest.raises(ImageTooLarge, match="30000 x 30000"):
            load(data)


def npy(values: np.ndarray, **named: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    if named:
        np.savez_compressed(buffer, **named)
    else:
        np.save(buffer, values)
    return buffer.getvalue()


RNG = np.random.default_rng(0)
STACK = RNG.integers(-1000, 3000, (7, 24, 40)).astype(np.int16)
ARRAYS = {
    "gray": (RNG.integers(0, 255, (24, 40)).astype(np.uint8), (0.0, 255.0), "gray level"),
    "float": (RNG.random((24, 40)).astype(np.float32), (0.0, 1.0), "a.u."),
    "16 bits": (RNG.integers(0, 4095, (24, 40)).astype(np.uint16), (0.0, 4095.0), "gray level"),
    "colour": (RNG.integers(0, 255, (24, 40, 3)).astype(np.uint8), (0.0, 255.0), "gray level"),
    "Fortran": (np.asfortranarray(RNG.random((24, 40))), (0.0, 1.0), "a.u."),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_real_arrays_are_images(name: str, tmp_path: Path) -> None:
    values, window, units = ARRAYS[name]
    for data in (npy(values), npy(values, image=values), npy(values, anything=values)):
        image = load(data)
        assert np.array_equal(image.source, values.astype(np.float32))
        assert (image.window.low, image.window.high) == window
        assert (image.format, image.units, image.spacing) == ("NumPy", units, None)
        assert "no units, spacing or orientation" in image.warnings[0]
        (tmp_path / "a").write_bytes(data)
        assert (probe(tmp_path / "a").rows, probe(tmp_path / "a").slice_count) == (24, 1)


def test_slices_of_an_array_lie_along_its_first_axis() -> None:
    data = npy(STACK)
    image = load(data)
    assert (image.slice_index, image.slice_count) == (3, 7)
    assert any("first axis" in note for note in image.warnings)
    shown = [load(data, slice_index=index) for index in range(7)]
    assert all(np.array_equal(one.source, STACK[k]) for k, one in enumerate(shown))
    assert len({one.window for one in shown}) == 1


@pytest.mark.parametrize(
    ("values", "says"),
    [(np.zeros((2, 3, 4, 24, 40)), "shape"), (np.zeros(9), "shape"), (np.array(["a"]), "is <U1"),
     (np.zeros((7, 9)), "smallest")],
)  # fmt: skip
def test_arrays_that_are_no_image(values: np.ndarray, says: str) -> None:
    with pytest.raises(ImageReadError, match=says):
        load(npy(values))


def test_array_bombs_are_refused_from_the_header() -> None:
    data = npy(np.zeros((24, 40), np.uint8))
    for shape in (b"(99999999, 99999999), ", b"(9999999999, 999999)"):
        changed = data.replace(b"(24, 40), }" + b" " * 11, shape + b"}" + b" " * (21 - len(shape)))
        assert changed != data
        with pytest.raises(ImageReadError):
            load(changed)
