"""Recognition by content, errors of their own, caps, and nothing of the patient left."""

import contextlib
import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from enhancers import load as reading
from enhancers.errors import ImageReadError, ImageTooLarge, ParameterError
from enhancers.image import MedicalImage
from enhancers.load import Caps, load, probe
from enhancers.save import BundleItem, to_tiff_source, write_bundle
from enhancers.settings import Settings
from tests.support import image_files

GRAY16 = image_files.ramp().astype(np.uint16)
VOLUME = np.stack([image_files.ramp(32, 36, 900 + 10 * k) for k in range(20)], axis=-1).astype(
    np.int16
)
GOOD = {
    "DICOM": image_files.dicom(GRAY16),
    "PNG": image_files.png(GRAY16),
    "TIFF": image_files.tiff(GRAY16),
    "JPEG": image_files.jpeg(image_files.ramp(top=255)),
    "NIfTI": image_files.nifti(VOLUME),
}
BAD = image_files.bad_files()


@pytest.fixture
def put(tmp_path: Path):
    """Write bytes under a name that says nothing."""

    def write(data: bytes, name: str = "IM0001") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("name", ["IM0001", "wrong.txt", "other.dcm", "picture.nii.gz"])
def test_content_decides_and_not_the_name(put, kind: str, name: str) -> None:
    path = put(GOOD[kind], name)
    assert load(path).format == kind
    assert probe(path).format == kind


@pytest.mark.parametrize("kind", GOOD)
def test_probe_agrees_with_load(put, kind: str) -> None:
    path = put(GOOD[kind])
    facts, image = probe(path), load(path)
    assert (facts.rows, facts.columns) == image.shape
    assert facts.slice_count == image.slice_count
    assert facts.default_slice == image.slice_index


@pytest.mark.parametrize("kind", GOOD)
def test_pixels_are_the_source_in_the_stated_window(put, kind: str) -> None:
    image = load(put(GOOD[kind]))
    assert np.array_equal(image.pixels, image.window.to_unit(image.source))
    assert image.source.dtype == np.float32


@pytest.mark.parametrize("key", BAD)
def test_each_bad_file_has_its_own_error(put, key: str) -> None:
    bad = BAD[key]
    with pytest.raises(ImageReadError) as error:
        load(put(bad.data, bad.name))
    message = str(error.value)
    assert bad.says in message
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 260
    assert bad.name not in message


def test_bad_files_read_differently() -> None:
    # Truncations share their words where the formats do; no other two kinds of fault may.
    says = [bad.says for key, bad in BAD.items() if "bomb" not in key and "truncated" not in key]
    assert len(set(says)) == len(says)


def test_bombs_are_refused_from_their_headers(tmp_path: Path) -> None:
    for key, bomb in image_files.bombs().items():
        (tmp_path / key).write_bytes(bomb.data)
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from enhancers.load import load, probe; from enhancers.errors import ImageTooLarge\n"
        "from enhancers.load import dicom, raster, tiff\n"
        "from enhancers.load.volumes import volume\n"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before, refused = used(), 0\n"
        "for path in Path(sys.argv[1]).iterdir():\n"
        "    for call in (load, probe):\n"
        "        try: call(path)\n"
        "        except ImageTooLarge: refused += 1\n"
        "print(refused, used() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    refused, grown = (int(word) for word in done.stdout.split())
    assert refused == 2 * len(image_files.bombs())
    # 900 megapixels would be 900,000 KiB at least.
    assert grown < 50_000
    assert done.stderr == ""


def test_file_size_cap_is_checked_before_reading(put, monkeypatch) -> None:
    path = put(GOOD["PNG"])
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("was read"))
    with pytest.raises(ImageTooLarge, match=r"MB; the limit is 0\.0001 MB"):
        load(path, caps=Caps(max_bytes=100))


def test_the_limits_name_their_settings(put) -> None:
    for caps, name in (
        (Caps(max_bytes=100), "max_file_mb"), (Caps(max_pixels=100), "max_megapixels"),
    ):  # fmt: skip
        assert name in Settings.model_fields
        with pytest.raises(ImageTooLarge, match=f"raise READINGROOM_{name.upper()}"):
            load(put(GOOD["PNG"]), caps=caps)


FOREIGN = {
    "HEIC": b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(60),
    "AVIF": b"\0\0\0\x20ftypavif\0\0\0\0avifmif1" + bytes(60),
    "a video": b"\0\0\0\x18ftypisom" + bytes(60),
    "MATLAB": b"MATLAB 5.0 MAT-file Platform: posix" + bytes(100),
    "PAR/REC": b"# === DATA DESCRIPTION FILE ===\n",
    "bzip2": b"BZh91AY&SY" + bytes(60),
    "tar archive": bytes(257) + b"ustar" + bytes(250),
    "xz archive": b"\xfd7zXZ\0" + bytes(60),
    "Zstandard": b"\x28\xb5\x2f\xfd" + bytes(60),
    "JPEG XL": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_formats_are_named_with_advice(put, name: str) -> None:
    with pytest.raises(ImageReadError, match=f"{name}.*; (save|convert|unpack)"):
        load(put(FOREIGN[name]))


def test_default_caps_are_those_of_the_settings() -> None:
    assert Caps() == Caps.from_settings(Settings.model_construct())


def test_caps_can_be_raised_and_lowered(put) -> None:
    path = put(image_files.png(np.zeros((40, 40), np.uint8) + np.arange(40, dtype=np.uint8)))
    with pytest.raises(ImageTooLarge, match="40 x 40"):
        load(path, caps=Caps(max_pixels=1599))
    assert load(path, caps=Caps(max_pixels=1600)).shape == (40, 40)


def test_places_that_are_no_file(tmp_path: Path) -> None:
    for path, says in (
        (tmp_path, "folder"),
        (tmp_path / "Patient_Name.dcm", "no such file"),
        (Path("a\0b"), "cannot be opened|no such file"),
        (tmp_path / ("x" * 5000), "name .* is too long for this system"),
    ):
        with pytest.raises(ImageReadError, match=says) as error:
            load(path)
        assert "Patient_Name" not in str(error.value)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageReadError, match="regular file"):
        load(tmp_path / "pipe")


def test_no_permission(put, monkeypatch) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = put(GOOD["PNG"])
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ImageReadError, match="permissions"):
        load(path)


@pytest.mark.parametrize("kind", GOOD)
def test_slices_that_do_not_exist(put, kind: str) -> None:
    path = put(GOOD[kind])
    for index in (-1, 20, 10**9):
        with pytest.raises(ParameterError, match=f"no slice {index};"):
            load(path, slice_index=index)


@pytest.mark.parametrize("window", [(1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0), (0, float("inf"))])
def test_impossible_windows(put, window: tuple[float, float]) -> None:
    with pytest.raises(ParameterError, match="lower one first"):
        load(put(GOOD["PNG"]), window=window)


def test_given_window_wins_and_nothing_is_lost(put) -> None:
    data = image_files.dicom(GRAY16, WindowCenter="2000", WindowWidth="4000")
    image = load(put(data), window=(100.0, 300.0))
    assert (image.window.low, image.window.high) == (100.0, 300.0)
    assert np.array_equal(image.source, GRAY16)
    assert image.pixels.min() == 0.0
    assert image.pixels.max() == 1.0


def everything_of(image: MedicalImage) -> bytes:
    """All that can be seen of an image, or leaves with it."""
    import io

    bundle = io.BytesIO()
    write_bundle(bundle, image, [BundleItem("a", image.pixels)], "", "{}", None)
    text = repr(image) + repr(image.tags) + repr(image.warnings)
    return text.encode() + bundle.getvalue() + to_tiff_source(image, image.pixels, image.units)


def hostile_headers() -> list[dict[str, object]]:
    """Every element that is read and holds text, with the patient's name in it."""
    name = image_files.PATIENT[0]
    keys = ("Modality", "RescaleType", "VOILUTFunction", "BurnedInAnnotation",
            "LossyImageCompression", "WindowCenterWidthExplanation")  # fmt: skip
    return [{key: name} for key in keys] + [dict.fromkeys(keys, name.upper())]


@pytest.mark.parametrize("elements", hostile_headers())
def test_no_word_of_the_patient_survives(put, elements: dict[str, object]) -> None:
    given = {"RescaleSlope": "2", "RescaleIntercept": "0", "WindowCenter": "900",
             "WindowWidth": "900", **elements}  # fmt: skip
    data = image_files.dicom(GRAY16, **given)
    path = put(data, f"{image_files.PATIENT[0]}.dcm")
    seen = everything_of(load(path)).lower()
    for secret in image_files.PATIENT:
        assert secret.encode() in data
        assert secret.lower().encode() not in seen


def test_numbers_that_are_names_are_dropped(put) -> None:
    data = bytearray(image_files.dicom(GRAY16, KVP="120.0000"))
    start = data.index(b"120.0000")
    data[start : start + 8] = b"Zyxwvut "
    seen = everything_of(load(put(bytes(data))))
    assert b"Zyxwvut" in bytes(data)
    assert b"Zyxwvut" not in seen
    assert b"KVP" not in seen


def test_whitelist_is_the_only_way_in(put) -> None:
    image = load(put(image_files.dicom(GRAY16, KVP="120", Modality="CT", SliceThickness="2.5")))
    assert dict(image.tags) == {
        "Modality": "CT",
        "PhotometricInterpretation": "MONOCHROME2",
        "TransferSyntax": "Explicit VR Little Endian",
        "BitsStored": "16",
        "SliceThickness": "2.5 mm",
        "KVP": "120 kV",
    }


def test_errors_do_not_quote_the_patient(put) -> None:
    for data in (
        image_files.dicom(GRAY16, Rows=9999),
        image_files.dicom(GRAY16)[:-100],
        image_files.dicom(GRAY16, HighBit=2, BitsStored=12),
    ):
        with pytest.raises(ImageReadError) as error:
            load(put(data))
        assert not any(secret in str(error.value) for secret in image_files.PATIENT)


@pytest.mark.parametrize("value", ["YES", "yes ", "NO", None])
def test_burned_in_annotation(put, value: str | None) -> None:
    elements = {} if value is None else {"BurnedInAnnotation": value}
    warned = any(
        "burned" in text for text in load(put(image_files.dicom(GRAY16, **elements))).warnings
    )
    assert warned == (value is not None and value.strip().upper() == "YES")


def fuzz_sources() -> dict[str, bytes]:
    from pydicom.uid import (
        DeflatedExplicitVRLittleEndian,
        JPEG2000Lossless,
        JPEGBaseline8Bit,
        RLELossless,
    )

    gray8 = image_files.ramp(top=255).astype(np.uint8)
    colour16 = image_files.colour_ramp(top=65535).astype(np.uint16)
    return {
        **GOOD,
        "PNG colour 16": image_files.png(colour16),
        "TIFF LZW colour 16": image_files.lzw_tiff(colour16),
        "TIFF deflate": image_files.tiff(GRAY16, compression="zlib"),
        "NIfTI gz": image_files.nifti(VOLUME, packed=True),
        "NIfTI-2": image_files.nifti(VOLUME, version=2),
        "DICOM bare": image_files.to_bytes(image_files.dicom_dataset(GRAY16), bare=True),
        "DICOM deflated": image_files.dicom(GRAY16, DeflatedExplicitVRLittleEndian),
        "DICOM RLE": image_files.dicom(GRAY16, RLELossless),
        "DICOM JPEG": image_files.dicom(gray8, JPEGBaseline8Bit),
        "DICOM JPEG 2000": image_files.dicom(GRAY16, JPEG2000Lossless),
    }


FUZZ = fuzz_sources()


def damaged(kind: str, count: int) -> list[bytes]:
    """Truncations and flipped bytes, more of them in the header; the same ones every time."""
    chance = random.Random(kind)
    cases = []
    for case in range(count):
        data = bytearray(FUZZ[kind])
        if case % 4 == 0:
            del data[chance.randrange(len(data)) :]
        else:
            reach = len(data) if case % 2 else min(len(data), 700)
            for _ in range(chance.choice((1, 2, 8, 40))):
                value = chance.choice((0, 1, 127, 255, chance.randrange(256)))
                data[chance.randrange(reach)] = value
        cases.append(bytes(data))
    return cases


@pytest.mark.parametrize("kind", FUZZ)
def test_damage_never_escapes_as_another_error(put, kind: str, monkeypatch, capfd) -> None:
    # The decoder of last resort is a process of its own and has a test of its own.
    if kind.startswith("DICOM"):
        from enhancers.load.dicom import pixels

        def refuse(*_: object) -> None:
            raise ImageReadError("damaged.")

        monkeypatch.setattr(pixels, "_with_gdcm", refuse)
    refused = 0
    for data in damaged(kind, 60):
        path = put(data)
        with contextlib.suppress(ImageReadError):
            probe(path)
        try:
            image = load(path, caps=Caps(max_pixels=4_000_000))
        except ImageReadError:
            refused += 1
        else:
            assert np.isfinite(image.pixels).all()
    assert refused > 0
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_damage_is_not_commented_on_the_console(tmp_path: Path) -> None:
    for kind in FUZZ:
        # Those that reach the decoder of last resort take a process each.
        if kind not in ("DICOM JPEG", "DICOM JPEG 2000"):
            for case, data in enumerate(damaged(kind, 12)):
                (tmp_path / f"{kind}-{case}").write_bytes(data)
    code = (
        "import contextlib, sys; from pathlib import Path; from enhancers.load import load, Caps\n"
        "from enhancers.errors import ImageReadError\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    with contextlib.suppress(ImageReadError): load(path, caps=Caps(max_pixels=4000000))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == done.stderr == ""


def test_crash_of_the_last_decoder_is_an_error(put) -> None:
    """Lossless JPEG with a damaged Huffman table: GDCM crashes on some of these."""
    from pydicom.uid import JPEGLosslessSV1

    data = bytearray(image_files.dicom(GRAY16, JPEGLosslessSV1))
    table = data.index(b"\xff\xc4")
    data[table + 5 : table + 21] = b"\xff" * 16
    with pytest.raises(ImageReadError, match="damaged"):
        load(put(bytes(data)))


def test_reader_faults_become_one_sentence(put, monkeypatch) -> None:
    from enhancers.load import raster

    def fail(*_: object) -> None:
        raise struct.error("unpack requires a buffer of 4 bytes")

    monkeypatch.setattr(raster, "read", fail)
    monkeypatch.setattr(raster, "probe", fail)
    path = put(GOOD["PNG"])
    for call in (load, probe):
        with pytest.raises(ImageReadError, match="PNG file is damaged or truncated"):
            call(path)


def test_importing_the_package_reads_no_library() -> None:
    code = (
        "import sys, enhancers.load; heavy = {'pydicom', 'SimpleITK', 'cv2', 'tifffile', 'PIL', "
        "'torch'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names() -> None:
    assert set(reading.__all__) == {"MIN_SIDE", "Caps", "Probe", "load", "probe"}
