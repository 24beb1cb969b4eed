"""DICOM: every encoding gives the same values; LUTs, windows, geometry by the standard."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from enhancers.errors import ImageReadError, ImageTooLarge
from enhancers.image import EACH_SLICE, MedicalImage, NamedWindow, Window
from enhancers.load import Caps, load, probe
from enhancers.method import Modality
from enhancers.windows import file_presets
from tests.support import bombs, image_files

GRAY8 = image_files.ramp(top=255).astype(np.uint8)
GRAY16 = image_files.ramp().astype(np.uint16)
SIGNED = (image_files.ramp() - 1500).astype(np.int16)
COLOUR = image_files.colour_ramp().astype(np.uint8)


def shipped(name: str) -> Path:
    """A file inside the pydicom package."""
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path)


@pytest.fixture
def read(tmp_path: Path):
    def write_and_load(data: bytes, **options: Any) -> MedicalImage:
        path = tmp_path / "IM0001"
        path.write_bytes(data)
        return load(path, **options)

    return write_and_load


NATIVE = [
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]  # fmt: skip


@pytest.mark.parametrize("pixels", [GRAY8, GRAY16, SIGNED, COLOUR], ids=["8", "16", "s16", "rgb"])
@pytest.mark.parametrize(
    "syntax", [*NATIVE, RLELossless, JPEGLosslessSV1], ids=lambda uid: uid.name
)
def test_lossless_encodings_keep_every_value(read, syntax, pixels) -> None:
    assert np.array_equal(read(image_files.dicom(pixels, syntax)).source, pixels)


@pytest.mark.parametrize("pixels", [GRAY8, GRAY16, COLOUR], ids=["8", "16", "rgb"])
def test_jpeg_2000_keeps_every_value(read, pixels) -> None:
    assert np.array_equal(read(image_files.dicom(pixels, JPEG2000Lossless)).source, pixels)


def test_jpeg_baseline_is_what_pillow_decodes(read) -> None:
    import io

    from PIL import Image

    stored = np.array(Image.open(io.BytesIO(image_files.jpeg(GRAY8))))
    assert np.array_equal(read(image_files.dicom(GRAY8, JPEGBaseline8Bit)).source, stored)


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize("fake", [GRAY16])
def test_the_two_decoders_agree(read, monkeypatch, syntax, fake) -> None:
    from enhancers.load.dicom import pixels

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no plugin")

    expected = read(image_files.dicom(fake, syntax)).source
    monkeypatch.setattr(pixels, "pixel_array", refuse)
    monkeypatch.setattr(pixels, "RLELossless", None)
    assert np.array_equal(read(image_files.dicom(fake, syntax)).source, expected)


@pytest.mark.parametrize(
    "name",
    ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm",
     "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_expb.dcm",
     "MR_small_padded.dcm"],
)  # fmt: skip
def test_shipped_encodings_of_one_image(name: str) -> None:
    plain, other = load(shipped("MR_small.dcm")), load(shipped(name))
    assert np.array_equal(other.source, plain.source)
    assert np.array_equal(other.pixels, plain.pixels)
    assert other.window == plain.window


@pytest.mark.parametrize(
    ("name", "limit"),
    [("SC_rgb_rle.dcm", 0), ("SC_rgb_jpeg_gdcm.dcm", 0), ("SC_rgb_gdcm_KY.dcm", 1),
     ("SC_rgb_jls_lossy_line.dcm", 8), ("SC_rgb_jls_lossy_sample.dcm", 8),
     ("SC_rgb_jpeg_dcmtk.dcm", 5), ("SC_rgb_dcmtk_+eb+cr.dcm", 3),
     ("SC_ybr_full_422_uncompressed.dcm", 5)],
)  # fmt: skip
def test_shipped_colours(name: str, limit: int) -> None:
    """All show the same bars; the lossy ones are compared inside a bar, away from its edges."""
    image = load(shipped(name))
    assert image.is_colour
    bars = load(shipped("SC_rgb_rle_2frame.dcm"), slice_index=0)
    rows = [5, 15, 25, 35, 45, 55, 65, 75, 85, 95]
    assert np.abs(image.source[rows, 50] - bars.source[rows, 50]).max() <= limit


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm"])
def test_twelve_bit_jpeg(name: str) -> None:
    image = load(shipped(name))
    lossless = load(shipped("JPEG2000.dcm"))
    assert image.bits == 12
    # The same acquisition, compressed twice with loss.
    assert np.corrcoef(image.source.ravel(), lossless.source.ravel())[0, 1] > 0.95


def test_without_preamble_and_header(read) -> None:
    data = image_files.to_bytes(image_files.dicom_dataset(SIGNED), bare=True)
    assert data[:2] == b"\x08\x00"
    assert np.array_equal(read(data).source, SIGNED)


def test_ct_rescale_and_units(read) -> None:
    image = read(
        image_files.dicom(GRAY16, Modality="CT", RescaleSlope="2", RescaleIntercept="-1024.5")
    )
    assert image.units == "HU"
    assert image.modality is Modality.CT
    assert image.modality_origin == "file"
    assert np.array_equal(image.source, GRAY16 * 2.0 - 1024.5)
    assert (image.window.low, image.window.high) == (-160.0, 240.0)
    inside = (image.source > -160) & (image.source < 240)
    assert inside.any()
    back = image.window.to_source(image.pixels)
    assert np.abs(back[inside] - image.source[inside]).max() < 1e-3


def test_ct_without_rescale_is_not_hounsfield(read) -> None:
    assert read(image_files.dicom(GRAY16, Modality="CT")).units == "gray level"


@pytest.mark.parametrize("slope", [None, "", "0"])
def test_intercept_without_a_usable_slope(read, slope: str | None) -> None:
    elements = {} if slope is None else {"RescaleSlope": slope}
    image = read(image_files.dicom(GRAY16, Modality="CT", RescaleIntercept="-1024", **elements))
    assert np.array_equal(image.source, GRAY16 - 1024.0)
    assert (image.units, image.window) == ("HU", Window(-160.0, 240.0))


def test_slope_without_an_intercept(read) -> None:
    image = read(image_files.dicom(GRAY16, Modality="CT", RescaleSlope="2"))
    assert np.array_equal(image.source, GRAY16 * 2.0)
    assert image.units == "gray level"


def test_compressed_ct_is_rescaled_once(read) -> None:
    elements = {"Modality": "CT", "RescaleSlope": "3", "RescaleIntercept": "-1024"}
    plain = read(image_files.dicom(GRAY16, **elements))
    packed = read(image_files.dicom(GRAY16, JPEGLosslessSV1, **elements))
    assert np.array_equal(plain.source, packed.source)


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [(None, 40 - 0.5 - 199.5, 40 - 0.5 + 199.5), ("LINEAR", -160.0, 239.0),
     ("LINEAR_EXACT", -160.0, 240.0), ("SIGMOID", -160.0, 240.0)],
)  # fmt: skip
def test_window_functions(read, function: str | None, low: float, high: float) -> None:
    elements = {} if function is None else {"VOILUTFunction": function}
    image = read(image_files.dicom(GRAY16, WindowCenter="40", WindowWidth="400", **elements))
    assert (image.window.low, image.window.high) == (low, high)
    assert any("sigmoid" in text for text in image.warnings) == (function == "SIGMOID")


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT"])
def test_window_is_what_pydicom_applies(read, function: str) -> None:
    from pydicom.pixels import apply_windowing

    data = image_files.dicom(
        GRAY16, WindowCenter="1800", WindowWidth="1500", VOILUTFunction=function
    )
    reference = apply_windowing(GRAY16, image_files.dicom_dataset(GRAY16, {
        "WindowCenter": "1800", "WindowWidth": "1500", "VOILUTFunction": function}))  # fmt: skip
    assert np.abs(read(data).pixels - reference / 65535).max() < 1e-6


def test_first_of_several_windows(read) -> None:
    image = read(image_files.dicom(GRAY16, WindowCenter=["1000", "50"], WindowWidth=["501", "9"]))
    assert (image.window.low, image.window.high) == (749.5, 1249.5)


def test_windows_of_a_file_have_its_explanations(read) -> None:
    name = image_files.PATIENT[0]
    image = read(
        image_files.dicom(
            GRAY16, WindowCenter=["1000", "50", "70", "9"], WindowWidth=["501", "0", "9", "5"],
            WindowCenterWidthExplanation=["SOFT_TISSUE", "LUNG", name, "WINDOW4"],
        )
    )  # fmt: skip
    # A width of 0 is no window, and a name is not repeated.
    assert [(one.name, one.window.low, one.window.high) for one in image.windows] == [
        ("Soft tissue", 749.5, 1249.5), ("Window 3", 65.5, 73.5), ("Window 4", 6.5, 10.5),
    ]  # fmt: skip
    assert [preset.label for preset in file_presets(image, image.window)] == [
        "Window 3 (file)", "Window 4 (file)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("slope", "centre", "width", "low", "high"),
    [("0.00005", "0.1077", "0.2147", 0.00035, 0.21505), ("1", "1", "1", 0.0, 1.0),
     ("0.5", "1.2", "1", 0.5, 1.0), ("1", "40,5", "400,0", -159.5, 239.5),
     ("1", "1e400", "1", None, None)],
)  # fmt: skip
def test_unusual_windows_that_a_file_states(
    read, slope: str, centre: str, width: str, low: float | None, high: float | None
) -> None:
    """Width below 1, a step (width 1), a decimal comma; the last is no number."""
    elements = {"RescaleSlope": slope, "RescaleIntercept": "0"}
    dataset = image_files.dicom_dataset(GRAY16, elements)
    dataset.add(pydicom.DataElement("WindowCenter", "LO", centre))
    dataset.add(pydicom.DataElement("WindowWidth", "LO", width))
    data = image_files.to_bytes(dataset).replace(b"\x50\x10LO", b"\x50\x10DS")
    image = read(data.replace(b"\x51\x10LO", b"\x51\x10DS"))
    said = any("states no window" in text for text in image.warnings)
    if low is None:
        assert said
    else:
        assert (image.window.low, image.window.high) == pytest.approx((low, high))
        assert not said


def test_a_width_of_one_is_a_step(read) -> None:
    """LINEAR, C.11.2.1.2.1: up to c - 0.5 black, beyond white."""
    image = read(image_files.dicom(GRAY16, WindowCenter="2000", WindowWidth="1"))
    assert np.array_equal(image.pixels, (GRAY16 > 1999.5).astype(np.float32))


@pytest.mark.parametrize(("centre", "width"), [("90000", "10"), ("5", "0"), ("5", "-3")])
def test_useless_window_is_replaced(read, centre: str, width: str) -> None:
    image = read(image_files.dicom(GRAY16, WindowCenter=centre, WindowWidth=width))
    assert image.pixels.max() - image.pixels.min() > 0.9
    assert any("taken from the image" in text for text in image.warnings)


def lut(entries: np.ndarray, first: int = 0) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [entries.size % 65536, first, 16])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return item


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_modality_lut(read, syntax) -> None:
    table = (np.arange(4096) ** 2 // 300).astype(np.uint16)
    data = image_files.dicom(GRAY16, syntax, ModalityLUTSequence=[lut(table)])
    assert np.array_equal(read(data).source, table[GRAY16])


@pytest.mark.parametrize("name", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize("broken", ["no items", "no descriptor", "no entries"])
def test_empty_lookup_tables_are_ignored(read, name: str, broken: str) -> None:
    item = lut(np.arange(4096).astype(np.uint16))
    if broken == "no descriptor":
        item.LUTDescriptor = None
    elif broken == "no entries":
        del item.LUTData
    items = [] if broken == "no items" else [item]
    image = read(image_files.dicom(GRAY16, **{name: items}))
    assert np.array_equal(image.source, GRAY16)
    assert not any("VOI LUT" in text for text in image.warnings)


@pytest.mark.parametrize(
    "name",
    ["SamplesPerPixel", "PhotometricInterpretation", "BitsStored", "HighBit",
     "PixelRepresentation"],
)  # fmt: skip
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_missing_elements_have_their_usual_value(read, name: str, syntax) -> None:
    dataset = pydicom.dcmread(io.BytesIO(image_files.dicom(GRAY16, syntax)))
    delattr(dataset, name)
    image = read(image_files.to_bytes(dataset))
    assert np.array_equal(image.source, GRAY16)
    said = any("signed" in text for text in image.warnings)
    assert said == (name == "PixelRepresentation")


@pytest.mark.parametrize("name", ["Rows", "Columns", "BitsAllocated"])
def test_missing_elements_without_a_default_are_named(read, name: str) -> None:
    with pytest.raises(ImageReadError, match=f"no usable {name};"):
        read(image_files.dicom(GRAY16, **{name: None}))


def test_acr_nema(read) -> None:
    """ACR-NEMA 2.0: no file header, no samples per pixel, no photometric interpretation."""
    elements = {"SamplesPerPixel": None, "PhotometricInterpretation": None, "BitsStored": 12}
    dataset = image_files.dicom_dataset(GRAY16, elements)
    dataset.HighBit = 11
    assert np.array_equal(read(image_files.to_bytes(dataset, bare=True)).source, GRAY16)


def test_first_of_two_transfer_syntaxes(read) -> None:
    data = image_files.dicom(GRAY16)
    one, two = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1\\1.2.840.10008.1.2"
    start = data.index(one)
    length = int.from_bytes(data[140:144], "little") + len(two) - len(one)
    head = data[:140] + length.to_bytes(4, "little") + data[144 : start - 2]
    twice = head + len(two).to_bytes(2, "little") + two + data[start + len(one) :]
    image = read(twice)
    assert np.array_equal(image.source, GRAY16)
    assert dict(image.tags)["TransferSyntax"] == "Explicit VR Little Endian"


def test_voi_lut_gives_its_output(read) -> None:
    table = (65535 * np.sqrt(np.arange(4096) / 4095)).astype(np.uint16)
    image = read(image_files.dicom(GRAY16, VOILUTSequence=[lut(table)]))
    assert np.array_equal(image.source, table[GRAY16])
    assert (image.window.low, image.window.high) == (0.0, 65535.0)
    assert any("VOI LUT" in text for text in image.warnings)


def test_range_of_a_lookup_table_is_that_of_its_entries(read) -> None:
    """12-bit entries under a descriptor of 16 bits: white is the largest, and that is said."""
    table = np.arange(4096).astype(np.uint16)
    image = read(image_files.dicom(GRAY16, VOILUTSequence=[lut(table)]))
    assert (image.window.low, image.window.high) == (0.0, 4095.0)
    assert any("up to 65535 and fills it up to 4095" in text for text in image.warnings)
    eight = read(image_files.dicom(GRAY8, ModalityLUTSequence=[lut(table[:256] * 4)]))
    assert np.array_equal(eight.source, GRAY8 * 4.0)
    assert (eight.window.low, eight.window.high) == (0.0, 1020.0)
    full = read(image_files.dicom(GRAY16, VOILUTSequence=[lut(table * 15)]))
    assert full.window.high == 65535.0
    assert not any("fills" in text for text in full.warnings)


def test_window_is_preferred_to_voi_lut(read) -> None:
    table = np.arange(4096)[::-1].astype(np.uint16)
    image = read(
        image_files.dicom(
            GRAY16, VOILUTSequence=[lut(table)], WindowCenter="2000", WindowWidth="1000"
        )
    )
    assert np.array_equal(image.source, GRAY16)


def test_monochrome1_is_inverted_on_display_only(read) -> None:
    """The values stay those of the file, in its units; black is the upper end of the window."""
    elements = {"BitsStored": 12, "HighBit": 11, "WindowCenter": "1000", "WindowWidth": "1001"}
    two = read(image_files.dicom(GRAY16, **elements))
    one = read(image_files.dicom(GRAY16, PhotometricInterpretation="MONOCHROME1", **elements))
    assert np.abs(one.pixels - (1.0 - two.pixels)).max() < 1e-6
    assert np.array_equal(one.source, GRAY16)
    assert np.array_equal(one.pixels, one.window.to_unit(one.source))
    assert (one.window, one.windows[0].window) == (Window(1499.5, 499.5), Window(1499.5, 499.5))
    given = read(image_files.dicom(GRAY16, PhotometricInterpretation="MONOCHROME1", **elements),
                 window=(100.0, 300.0))  # fmt: skip
    assert given.window == Window(300.0, 100.0)
    ct = {"Modality": "CT", "RescaleSlope": "1", "RescaleIntercept": "-1024"}
    hounsfield = read(image_files.dicom(GRAY16, PhotometricInterpretation="MONOCHROME1", **ct))
    assert (hounsfield.units, hounsfield.window) == ("HU", Window(240.0, -160.0))
    assert np.array_equal(hounsfield.source, GRAY16 - 1024.0)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("shape", ["IDENTITY", "INVERSE"])
def test_the_shape_of_the_presentation_lut_inverts_once(read, photometric: str, shape: str) -> None:
    elements = {"PhotometricInterpretation": photometric, "PresentationLUTShape": shape}
    image = read(image_files.dicom(GRAY16, **elements, WindowCenter=1000, WindowWidth=1001))
    inverted = photometric == "MONOCHROME1" or shape == "INVERSE"
    assert image.window == Window(499.5, 1499.5).turned(inverted)
    assert np.array_equal(image.source, GRAY16)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLosslessSV1])
def test_monochrome1_compressed(read, syntax) -> None:
    elements = {"PhotometricInterpretation": "MONOCHROME1"}
    plain, packed = (
        read(image_files.dicom(GRAY16, **elements)),
        read(image_files.dicom(GRAY16, syntax, **elements)),
    )
    assert np.array_equal(plain.source, packed.source)


@pytest.mark.parametrize("stored", [9, 10, 12, 14])
@pytest.mark.parametrize("offset", [0, 2])
@pytest.mark.parametrize("signed", [False, True])
def test_unused_bits_are_ignored(read, stored: int, offset: int, signed: bool) -> None:
    top = 2**stored - 1
    levels = image_files.ramp(top=top) - (2 ** (stored - 1) if signed else 0)
    field = (levels & top) << offset
    noise = np.random.default_rng(3).integers(0, 65536, levels.shape)
    mask = top << offset
    words = ((noise & ~mask & 0xFFFF) | field).astype(np.uint16)
    data = image_files.dicom(
        words, BitsStored=stored, HighBit=stored - 1 + offset, PixelRepresentation=int(signed)
    )
    image = read(data)
    assert np.array_equal(image.source, levels)
    assert image.bits == stored


def test_overlay_bits_of_a_shipped_file() -> None:
    assert load(shipped("examples_overlay.dcm")).source.max() < 4096


def test_planar_colour(read) -> None:
    data = image_files.dicom(np.ascontiguousarray(COLOUR), PlanarConfiguration=1)
    start = data.index(COLOUR.tobytes())
    planes = np.moveaxis(COLOUR, -1, 0).tobytes()
    image = read(data[:start] + planes + data[start + len(planes) :])
    assert np.array_equal(image.source, COLOUR)
    assert (image.window.low, image.window.high) == (0.0, 255.0)


def test_ybr_full(read) -> None:
    from pydicom.pixels import convert_color_space

    ybr = convert_color_space(COLOUR, "RGB", "YBR_FULL")
    image = read(image_files.dicom(ybr, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(image.source - COLOUR).max() <= 2


def test_gray_stored_as_rgb_is_gray(read) -> None:
    image = read(image_files.dicom(np.dstack([GRAY8] * 3)))
    assert not image.is_colour
    assert np.array_equal(image.source, GRAY8)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless, JPEGLosslessSV1]
)
def test_palette(read, bits: int, syntax) -> None:
    channels = ("Red", "Green", "Blue")
    levels = np.arange(256)
    tables = [levels * (256 if bits == 16 else 1) * scale // 4 for scale in (4, 3, 2)]
    elements: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for channel, table in zip(channels, tables, strict=True):
        elements[f"{channel}PaletteColorLookupTableDescriptor"] = [256, 0, bits]
        words = table.astype("<u2" if bits == 16 else "u1").tobytes()
        elements[f"{channel}PaletteColorLookupTableData"] = words
    image = read(image_files.dicom(GRAY8, syntax, **elements))
    expected = np.stack(tables, axis=-1)[GRAY8]
    assert np.array_equal(image.source, expected)


def test_one_bit(read) -> None:
    image = load(shipped("liver_1frame.dcm"))
    assert set(np.unique(image.pixels)) == {0.0, 1.0}


def test_frames(read, tmp_path: Path) -> None:
    frames = np.stack([GRAY16, GRAY16[::-1], GRAY16[:, ::-1]])
    for syntax in (ExplicitVRLittleEndian, RLELossless, JPEGLosslessSV1):
        data = image_files.dicom(frames, syntax)
        # The last syntax starts a process for each frame: one tells enough.
        for index, frame in list(enumerate(frames))[2 if syntax == JPEGLosslessSV1 else 0 :]:
            image = read(data, slice_index=index)
            assert np.array_equal(image.source, frame)
            assert (image.slice_index, image.slice_count) == (index, 3)
    assert read(data).slice_index == 1
    facts = probe(tmp_path / "IM0001")
    assert (facts.slice_count, facts.default_slice) == (3, 1)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
@pytest.mark.parametrize("modality", ["MR", "PT"])
def test_frames_share_one_window(read, syntax, modality: str) -> None:
    frames = np.stack([GRAY16 * step // 20 for step in range(1, 21)]).astype(np.uint16)
    frames[0] = 7
    data = image_files.dicom(frames, syntax, Modality=modality)
    windows = {read(data, slice_index=index).window for index in (1, 8, 19)}
    assert len(windows) == 1
    [window] = windows
    assert window.high == pytest.approx(np.percentile(frames, 99.8), rel=0.1)
    assert window.low == 0.0 if modality == "MR" else window.low < np.percentile(frames, 5)
    other = image_files.dicom(frames // 2, syntax, Modality=modality)
    assert read(other, slice_index=8).window.high == pytest.approx(window.high / 2, rel=0.01)


def test_a_blank_frame_refuses_no_object(read) -> None:
    frames = np.stack([np.zeros_like(GRAY8), GRAY8, np.zeros_like(GRAY8)])
    for depth in (frames, frames.astype(np.uint16) * 16):
        data = image_files.dicom(depth)
        assert np.array_equal(read(data).source, depth[1])
        blank = read(data, slice_index=0)
        assert not blank.source.any()
        assert blank.window == read(data).window
        assert any("slice is constant" in text for text in blank.warnings)


def test_functional_groups_of_a_frame(read) -> None:
    def group(slope: str, centre: str, row: str) -> Dataset:
        transform, voi, measures, item = Dataset(), Dataset(), Dataset(), Dataset()
        transform.RescaleSlope, transform.RescaleIntercept = slope, "5"
        voi.WindowCenter, voi.WindowWidth, voi.VOILUTFunction = centre, "100", "LINEAR_EXACT"
        measures.PixelSpacing = [row, "0.5"]
        item.PixelValueTransformationSequence = [transform]
        item.FrameVOILUTSequence = [voi]
        item.PixelMeasuresSequence = [measures]
        return item

    frames = np.stack([GRAY16, GRAY16])
    data = image_files.dicom(
        frames, Modality="MR",
        PerFrameFunctionalGroupsSequence=[group("1", "300", "0.25"), group("2", "800", "0.75")],
    )  # fmt: skip
    first, second = read(data, slice_index=0), read(data, slice_index=1)
    assert np.array_equal(first.source, GRAY16 + 5.0)
    assert np.array_equal(second.source, GRAY16 * 2.0 + 5.0)
    assert (first.window.low, second.window.low) == (250.0, 250.0)
    assert first.windows[1:] == (NamedWindow(EACH_SLICE, Window(250.0, 350.0)),)
    assert second.windows[1:] == (NamedWindow(EACH_SLICE, Window(750.0, 850.0)),)
    assert (first.spacing, second.spacing) == ((0.25, 0.5), (0.75, 0.5))


def test_spacing(read) -> None:
    at_detector = {"ImagerPixelSpacing": ["0.2", "0.3"]}
    image = read(image_files.dicom(GRAY16, PixelSpacing=["0.5", "0.25"], **at_detector))
    assert image.spacing == (0.5, 0.25)
    assert not any("detector" in text for text in image.warnings)
    image = read(image_files.dicom(GRAY16, **at_detector))
    assert image.spacing == (0.2, 0.3)
    assert any("detector" in text for text in image.warnings)
    assert image.aspect == (0.2, 0.3)
    assert read(image_files.dicom(GRAY16)).spacing is None
    assert read(image_files.dicom(GRAY16)).aspect is None
    # Without lengths: how high and wide pixels are (C.7.6.3.1.7).
    image = read(image_files.dicom(GRAY16, PixelAspectRatio=["4", "3"]))
    assert (image.spacing, image.aspect) == (None, (4.0, 3.0))
    image = read(image_files.dicom(GRAY16, PixelAspectRatio=["4", "3"], PixelSpacing=["2", "2"]))
    assert image.aspect == (2.0, 2.0)
    assert read(image_files.dicom(GRAY16, PixelSpacing=["0", "1"])).spacing is None


@pytest.mark.parametrize(
    ("code", "modality"),
    [("CT", "CT"), ("MR", "MR"), ("US", "US"), ("CR", "XR"), ("DX", "XR"), ("DR", "XR"),
     ("MG", "XR"), ("RF", "XR"), ("RG", "XR"), ("XA", "XR"), ("OP", "FUNDUS"), ("ES", "ENDOSCOPY"),
     ("GM", "MICROSCOPY"), ("SM", "MICROSCOPY"), ("NM", "OTHER"), ("QQ", "OTHER")],
)  # fmt: skip
def test_modality(read, code: str, modality: str) -> None:
    image = read(image_files.dicom(GRAY16, Modality=code))
    assert image.modality == Modality(modality)
    assert image.modality_origin == "file"


def test_a_tile_of_a_whole_slide_is_said(read) -> None:
    kind = "1.2.840.10008.5.1.4.1.1.77.1.6"
    image = read(image_files.dicom(GRAY16, Modality="SM", SOPClassUID=kind))
    assert any("each of its frames is a tile" in text for text in image.warnings)
    assert not any("tile" in text for text in read(image_files.dicom(GRAY16)).warnings)


def test_no_modality_is_guessed(read) -> None:
    assert read(image_files.dicom(GRAY16, Modality=None)).modality_origin == "guessed"


def test_mr_without_window(read) -> None:
    image = read(image_files.dicom(GRAY16, Modality="MR"))
    assert image.window.low == 0.0
    assert image.window.high == pytest.approx(np.percentile(GRAY16, 99.8))
    assert image.units == "a.u."


def test_padding_does_not_set_the_window(read) -> None:
    padded = GRAY16 + np.uint16(10_000)
    padded[:10] = 60_000
    image = read(image_files.dicom(padded, Modality="DX", PixelPaddingValue=60_000))
    assert image.window.high < 15_000


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("value", "limit", "lowest"),
    [(-2000, None, -2000), (63536, None, -2000), (-2000, -1990, -2000), (-1990, -2000, -2000),
     (63536, 63546, -2000)],
)  # fmt: skip
def test_padding_of_signed_pixels(read, syntax, value: int, limit: int | None, lowest: int) -> None:
    """Also written unsigned (63536 has the bits of -2000), and as a range."""
    padded = GRAY16.astype(np.int16) + np.int16(30)
    padded[:10] = lowest if limit is None else np.linspace(-2000, -1990, 56).astype(np.int16)
    dataset = image_files.dicom_dataset(padded, {"Modality": "MR"})
    for tag, number in ((0x00280120, value), (0x00280121, limit)):
        if number is not None:
            dataset.add_new(tag, "SS" if number < 0 else "US", number)
    data = image_files.to_bytes(dataset, bare=syntax == ImplicitVRLittleEndian)
    image = read(data)
    assert image.window.low == 0.0
    assert image.window.high == pytest.approx(np.percentile(padded[10:], 99.8))
    assert not image.pixels[:10].any()


def test_deflate_bomb(read) -> None:
    import struct
    import zlib

    good = image_files.dicom(GRAY16, DeflatedExplicitVRLittleEndian)
    (length,) = struct.unpack_from("<I", good, 140)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflater.compress(bytes(4_000_000)) + deflater.flush()
    with pytest.raises(ImageTooLarge, match="unpacks"):
        read(good[: 144 + length] + bomb, caps=Caps(max_bytes=100_000))


@pytest.mark.parametrize(
    ("elements", "says"),
    [({"SamplesPerPixel": 4}, "4 samples"), ({"BitsStored": 12, "HighBit": 3}, "HighBit 3"),
     ({"Rows": 0}, "56 x 0"), ({"Columns": 17}, "do not match|another size|constant")],
)  # fmt: skip
def test_contradicting_headers(read, elements: dict[str, Any], says: str) -> None:
    if "Columns" in elements:
        elements = {**elements, "NumberOfFrames": 40}
    with pytest.raises(ImageReadError, match=says):
        read(image_files.dicom(GRAY16, **elements))


def test_signed_stream_under_an_unsigned_header(read) -> None:
    """JPEG 2000: what the stream says of its samples holds; both headers give the same values."""
    stream = bytearray(image_files.jpeg_2000(GRAY16))
    # Ssiz (T.800, A.5.1): without the level shift the samples begin at -32768.
    stream[42] |= 0x80
    for representation in (0, 1):
        dataset = image_files.dicom_dataset(GRAY16, {"PixelRepresentation": representation})
        dataset.PixelData = encapsulate([bytes(stream)])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
        assert np.array_equal(read(image_files.to_bytes(dataset)).source, GRAY16 - 32768.0)
    assert np.array_equal(read(bytes(stream)).source, GRAY16 - 32768.0)


@pytest.mark.parametrize(
    ("uid", "name"),
    [("1.2.840.10008.1.2.4.204", "JPIP"), ("1.2.840.10008.1.2.4.102", "MPEG"),
     ("1.2.3.4.5.6", "1.2.3.4.5.6")],
)  # fmt: skip
def test_unsupported_transfer_syntax(read, uid: str, name: str) -> None:
    data = image_files.dicom(GRAY8, JPEGBaseline8Bit)
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(uid)
    with pytest.raises(ImageReadError, match="not supported") as error:
        read(image_files.to_bytes(dataset))
    assert name in str(error.value)
    assert uid in str(error.value)


@pytest.mark.parametrize("name", ["test-SR.dcm", "rtplan.dcm", "rtstruct.dcm", "waveform_ecg.dcm"])
def test_shipped_objects_without_image(name: str) -> None:
    with pytest.raises(ImageReadError, match="holds no image"):
        load(shipped(name))


def test_shipped_truncated_file() -> None:
    with pytest.raises(ImageReadError, match="truncated"):
        load(shipped("MR_truncated.dcm"))


@pytest.mark.parametrize("factor", [256, 257])
def test_eight_bit_colours_in_a_sixteen_bit_palette(read, factor: int) -> None:
    elements: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    tables = [np.arange(256), np.arange(256)[::-1], np.arange(256) // 2]
    for channel, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        elements[f"{channel}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        words = (table * factor).astype("<u2").tobytes()
        elements[f"{channel}PaletteColorLookupTableData"] = words
    image = read(image_files.dicom(GRAY8, **elements))
    assert np.array_equal(image.source, np.stack(tables, axis=-1)[GRAY8])
    assert (image.bits, image.window.high) == (8, 255.0)


@pytest.mark.parametrize("disguise", ["", "bytes between segments", "a second codestream"])
def test_a_stream_that_states_another_size_is_not_decoded(read, disguise: str) -> None:
    syntax, stream = JPEGBaseline8Bit, bombs.jpeg(9000)
    if disguise == "bytes between segments":
        place = stream.index(b"\xff\xc0")
        stream = stream[:place] + b"\0\0" + stream[place:]
    elif disguise:
        small = bombs.jpeg_2000(64)
        syntax, stream = JPEG2000Lossless, small + bombs.jpeg_2000(9000) + small[:4]
    with pytest.raises(ImageReadError, match="another size"):
        read(bombs.encapsulated(syntax, stream))


# High-throughput JPEG 2000 as an encoder wrote it, in base 85: 16 x 16 samples of known values.
HIGH_THROUGHPUT = {
    "gray": (
        "|4;u>04YEK0000G0000G00000000000000G0000G0000000000009pH0sl|{2mk^A000XAQUDA90ssL31q1{@0sm"
        "Y86Cj9?kdTm&kdTm&kdTmwh=~7W02crOPjF>!N>E53R%LP^FfKASE;BCwkN^q*00000egFaglfVEbN%jQ?bN~Rr0"
        "206e696Ishjai&@&ku-0KfnfKmZef5Xb=nbO0XdkpRO~0Kfnh5C8>WhG7`0aDsIJe)Pi+KmNc{f$X*bzyK>C02Yw"
        "$?(XjAz^A9D!gv7w{r&y@{r&y@j9`2AF@fy50RPz"
    ),
    "signed": (
        "|4;u>04YEK0000G0000G00000000000000G0000G000000000000EBy0sl|{2mk^A000XAQUDA90ssL31q1{@0sm"
        "Y86Cj9?kdTm&kdTm&kdTmwh=~7W02crOPjF>!N>E53R%LP^FfKASE;BCwkN^q*00000egFaglfVEb>HPwSbN~Rr0"
        "206e696Ishjai&@&ku-0KfnfKmZef5Xb=nbO0XdkpRO~0Kfnh5C8>WhG7`0aDsIJe)Pi+KmNc{f$X*bzyK>C02Yw"
        "$?(XjAz^A9D!gv7w{r&y@{r&y@j9`2AF@fy50RPz"
    ),
    "colour": (
        "|4;u>053oQ0000G0000G00000000000000G0000G000000000000RdB0S5sA2LS>9Pyh%30ssI21OHM03;+TE0Ra"
        "UB1V91*TmTawP*_-4SXfwCSXfwCSWr+<|6~9c00B>MWo}APNFY{aav(4+GBz$VF8`1K3IG5A008~~0soW05&--sa"
        "{#~+fUN-sbO68-fW-j^bN~PV0Kf>~1fUml0LK7_bO68!U<9D>0LOFyA_0eV0Kf@g1i<0|2Xp{P{sISd0Kf>~1i%5"
        "~0OR-o15^OO319@kzyLyY0FaOXLsS63319@^006>t03t>H0Ao}DzzHA)K%fic05Kx|!O85k0Kf@g1yJy`@^k=3!!"
        "Z895P|Hr0Kf_01yBI+pr=B00FDla<G>*S?6v@)3XuPQ{nx*B?6&~G6TlUK0O!CdOXdLH-QC^&@_YBm?6?5H6%Yk@"
        "0O!>7^zwHAzW3gH@BM%Pd-ebU?79H|*#"
    ),
}
COUNT = np.arange(256).reshape(16, 16)


@pytest.mark.parametrize("end", ["201", "202", "203"])
@pytest.mark.parametrize(
    ("kind", "values"),
    [("gray", (16 * COUNT).astype(np.uint16)), ("signed", (16 * COUNT - 2000).astype(np.int16)),
     ("colour", np.dstack([COUNT, COUNT[::-1, ::-1], np.full((16, 16), 90)]).astype(np.uint8))],
)  # fmt: skip
def test_high_throughput_jpeg_2000(kind: str, values: np.ndarray, end: str) -> None:
    stream = base64.b85decode(HIGH_THROUGHPUT[kind])
    dataset = image_files.dicom_dataset(values, {"BitsStored": 16 if values.ndim == 2 else 8})
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4." + end)
    image = load(image_files.to_bytes(dataset))
    assert np.array_equal(image.source, values)
    assert any(value.startswith("High-Throughput") for _, value in image.tags)
    # The stream by itself is a file, too, and a damaged one is said to be.
    assert np.array_equal(load(stream).source, values)
    dataset.PixelData = encapsulate([stream[: len(stream) // 2]])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    with pytest.raises(ImageReadError):
        load(image_files.to_bytes(dataset))
