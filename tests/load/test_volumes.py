"""MetaImage, NRRD, GIPL, Analyze and pairs: values, positions and sentences are right."""

import contextlib
import gzip
import os
import random
import re
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from enhancers.decoding import DecodePool, FileContent, OpenedFile
from enhancers.decoding.slice_store import SliceStore
from enhancers.errors import ImageReadError, ImageTooLarge
from enhancers.load import Caps, content_digest, load, pairs, probe
from enhancers.load.slices import FileSlices
from enhancers.method import Modality
from tests.support import image_files, volume_files
from tests.support.volume_files import analyze_pair, gipl, metaimage, mgh, nifti_pair, nrrd, tilted

VOLUME = np.random.default_rng(0).integers(-300, 900, (28, 24, 20)).astype(np.int16)
AFFINE = tilted()
FILES = {
    "MetaImage": metaimage(VOLUME, AFFINE),
    "MetaImage packed": metaimage(VOLUME, AFFINE, packed=True),
    "MetaImage big-endian": metaimage(VOLUME.astype(">i2"), AFFINE),
    "MetaImage written": metaimage(VOLUME, AFFINE, written=True),
    "MetaImage float": metaimage(VOLUME.astype(np.float32), AFFINE),
    "NRRD": nrrd(VOLUME, AFFINE),
    "NRRD gzip": nrrd(VOLUME, AFFINE, encoding="gzip"),
    "NRRD bzip2": nrrd(VOLUME, AFFINE, encoding="bzip2"),
    "NRRD text": nrrd(VOLUME, AFFINE, encoding="text"),
    "NRRD hex": nrrd(VOLUME, AFFINE, encoding="hex"),
    "NRRD big-endian": nrrd(VOLUME.astype(">i2"), AFFINE),
    "NRRD RAS": nrrd(VOLUME, np.diag([-1, -1, 1, 1]) @ AFFINE, space="right-anterior-superior"),
    "NRRD LAS": nrrd(VOLUME, np.diag([1, -1, 1, 1]) @ AFFINE, space="LAS"),
}
UNPLACED = {
    "GIPL": gipl(VOLUME, (0.5, 0.75, 2.0)),
    "GIPL packed": gzip.compress(gipl(VOLUME, (0.5, 0.75, 2.0))),
    "Analyze": b"".join(analyze_pair(VOLUME, (0.5, 0.75, 2.0))),
}


@pytest.fixture(scope="module")
def pool():
    workers = DecodePool(1, 2_500_000_000, 20)
    yield workers
    workers.close()


def voxel(point: tuple[float, float, float]) -> tuple[int, int, int]:
    place = np.linalg.solve(AFFINE, (*point, 1.0))[:3]
    assert np.abs(place - place.round()).max() < 1e-6
    return tuple(place.round().astype(int))


@pytest.mark.parametrize("name", FILES)
def test_every_pixel_lies_where_the_header_says(name: str, tmp_path: Path) -> None:
    path = tmp_path / "IM0001"
    path.write_bytes(FILES[name])
    facts = probe(path)
    for index in (None, 0, 7):
        image = load(path, slice_index=index)
        assert image.format == name.split(maxsplit=1)[0] == facts.format
        assert image.shape == (facts.rows, facts.columns)
        assert image.slice_count == facts.slice_count
        assert image.geometry is not None
        assert image.geometry.spacing == pytest.approx(image.spacing)
        for row in range(0, image.shape[0], 5):
            for column in range(0, image.shape[1], 5):
                place = voxel(image.geometry.point(row, column))
                assert image.source[row, column] == VOLUME[place]


@pytest.mark.parametrize("packed", [False, True])
def test_a_volume_of_freesurfer(tmp_path: Path, packed: bool) -> None:
    """Its place is stated in single precision, and by the centre of the volume."""
    data = mgh(VOLUME, AFFINE)
    path = tmp_path / "volume.mgz"
    path.write_bytes(gzip.compress(data) if packed else data)
    other = tmp_path / "volume.nrrd"
    other.write_bytes(FILES["NRRD"])
    image, expected = load(path), load(other)
    assert (image.format, probe(path).format) == ("MGH", "MGH")
    assert np.array_equal(image.source, expected.source)
    assert image.geometry.affine == pytest.approx(expected.geometry.affine, abs=1e-4)
    assert image.spacing == pytest.approx(expected.spacing)
    path.write_bytes(mgh(VOLUME))
    assert load(path).geometry is None
    path.write_bytes(mgh(np.stack([VOLUME, VOLUME + 1], -1), AFFINE))
    assert load(path, time=1).source.max() == VOLUME.max() + 1
    for damaged in (data[:200], data[:5000]):
        path.write_bytes(damaged)
        with pytest.raises(ImageReadError, match="truncated"):
            load(path)


@pytest.mark.parametrize(
    ("name", "end"), [("MetaImage", "mha"), ("MetaImage packed", "mha"), ("NRRD", "nrrd"),
                      ("NRRD gzip", "nrrd"), ("NRRD RAS", "nrrd"), ("NRRD LAS", "nrrd")],
)  # fmt: skip
def test_positions_are_those_of_another_reader(name: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / f"volume.{end}"
    path.write_bytes(FILES[name])
    other = SimpleITK.ReadImage(str(path))
    image = load(path)
    for row, column in ((0, 0), (5, 17), (image.shape[0] - 1, image.shape[1] - 1)):
        point = image.geometry.point(row, column)
        place = other.TransformPhysicalPointToIndex(point)
        assert other.TransformIndexToPhysicalPoint(place) == pytest.approx(point, abs=1e-9)
        assert other[place] == image.source[row, column]


@pytest.mark.parametrize("end", ["mha", "mhd", "nrrd", "nhdr", "nii", "img", "gipl"])
@pytest.mark.parametrize("packed", [False, True])
def test_what_another_program_writes_is_read(end: str, packed: bool, tmp_path: Path) -> None:
    other = SimpleITK.GetImageFromArray(VOLUME.transpose())
    other.SetSpacing((0.7, 0.9, 2.5))
    other.SetOrigin(tuple(AFFINE[:3, 3]))
    other.SetDirection((AFFINE[:3, :3] / (0.7, 0.9, 2.5)).reshape(-1))
    path = tmp_path / f"volume.{end}"
    SimpleITK.WriteImage(other, str(path), packed)
    other = SimpleITK.ReadImage(str(path))
    image = load(path)
    assert sorted(image.spacing) == pytest.approx([0.7, 0.9])
    if image.geometry is None:
        assert end == "gipl"
        assert image.source.tolist() == VOLUME[..., 10].transpose().tolist()
        return
    for row, column in ((0, 0), (5, 17)):
        point = image.geometry.point(row, column)
        place = other.TransformPhysicalPointToIndex(point)
        assert other.TransformIndexToPhysicalPoint(place) == pytest.approx(point, abs=1e-5)
        assert other[place] == image.source[row, column]


@pytest.mark.parametrize("name", UNPLACED)
def test_volumes_without_a_position(name: str) -> None:
    image = load(UNPLACED[name])
    stored = VOLUME[..., 10].transpose()
    assert image.source.tolist() == (stored[::-1] if name == "Analyze" else stored).tolist()
    assert image.spacing == (0.75, 0.5)
    assert image.geometry is None
    says = "left is" if name == "Analyze" else "no orientation"
    assert any(says in note or "which side" in note for note in image.warnings)


def test_a_volume_has_one_window_and_opens_in_its_middle() -> None:
    rising = (np.arange(20) * np.ones((28, 24, 20))).astype(np.int16)
    rising += (np.arange(28)[:, None, None] % 3).astype(np.int16)
    data = metaimage(rising)
    assert load(data).slice_index == 10
    assert {load(data, slice_index=index).window for index in (0, 10, 19)} == {load(data).window}


@pytest.mark.parametrize("text", ["Modality = MET_MOD_CT", "Comment = CT of the liver"])
def test_a_header_that_speaks_of_ct_is_evidence(text: str) -> None:
    # A crop of soft tissue has no air: its histogram alone says nothing.
    crop = np.random.default_rng(1).integers(-100, 100, (24, 24, 20)).astype(np.int16)
    plain = metaimage(crop)
    name, _, value = text.partition(" = ")
    hinted = load(metaimage(crop, **{name: value}))
    assert load(plain).modality is Modality.OTHER
    assert (hinted.modality, hinted.units, hinted.modality_origin) == (Modality.CT, "HU", "guessed")
    assert any("header speaks of CT" in note for note in hinted.warnings)
    # No CT has such values, whatever is written.
    assert load(metaimage(crop + 20000, **{name: value})).modality is Modality.OTHER


def described(volume: np.ndarray, words: str) -> bytes:
    data = bytearray(image_files.nifti(volume))
    data[148 : 148 + len(words)] = words.encode()
    return bytes(data)


@pytest.mark.parametrize(
    ("make", "words"),
    [(lambda v, w: nrrd(v, content=w), "MR brain"), (described, "TE=3.1;TR=9")],
)
def test_a_header_that_speaks_of_mr(make, words: str) -> None:
    assert load(make(np.abs(VOLUME), words)).modality is Modality.MR
    assert load(make(np.abs(VOLUME), "a volume")).modality is Modality.OTHER


def test_nifti_text_that_speaks_of_ct() -> None:
    crop = np.random.default_rng(1).integers(-100, 100, (24, 24, 20)).astype(np.int16)
    assert load(described(crop, "CT 5 mm")).modality is Modality.CT
    assert load(described(crop, "a scan")).modality is Modality.OTHER


@pytest.mark.parametrize(
    "options",
    [{"description": "CT of the liver"},
     {"imagej": True, "metadata": {"Info": "0008,0060  Modality: CT\n0008,1090  Model: MR-5\n"}}],
)  # fmt: skip
def test_a_tiff_that_speaks_of_ct_is_evidence(options: dict) -> None:
    crop = np.random.default_rng(1).integers(-100, 100, (24, 28)).astype(np.int16)
    assert load(image_files.tiff(crop)).modality is Modality.OTHER
    assert load(image_files.tiff(crop, **options)).modality is Modality.CT


def test_colours_and_vectors() -> None:
    rng = np.random.default_rng(2)
    colours = rng.integers(0, 255, (3, 24, 28, 20)).astype(np.uint8)
    image = load(metaimage(colours, channels=3))
    assert image.is_colour
    assert np.array_equal(image.source, colours[..., 10].transpose(2, 1, 0))
    field = rng.normal(size=(3, 24, 28, 20)).astype(np.float32)
    image = load(metaimage(field, channels=3))
    assert np.array_equal(image.source, field[0, ..., 10].transpose())
    assert "Each voxel has 3 values; the first is shown." in image.warnings


def test_header_size_and_byte_skip() -> None:
    junk = b"other things"
    head = nrrd(VOLUME, AFFINE, **{"byte skip": str(len(junk))})
    start = head.index(b"\n\n") + 2
    expected = load(FILES["NRRD"]).source
    assert np.array_equal(load(head[:start] + junk + head[start:]).source, expected)
    last = nrrd(VOLUME, AFFINE, **{"byte skip": "-1"})
    assert np.array_equal(load(last[:start] + junk * 3 + last[start:]).source, expected)
    head = metaimage(VOLUME, AFFINE, HeaderSize=-1)
    start = head.index(b"LOCAL\n") + 6
    assert np.array_equal(load(head[:start] + junk + head[start:]).source, expected)


# Pairs


def put(folder: Path, **files: bytes) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return {name: folder / name.replace("__", ".") for name in files}


def pair(kind: str) -> tuple[bytes, bytes, str, str]:
    raw = volume_files.values(VOLUME, "raw")
    affine = np.diag([-1, -1, 1, 1]) @ AFFINE
    if kind == "NIfTI":
        return *nifti_pair(VOLUME, affine=affine[:3]), "scan.hdr", "scan.img"
    if kind == "NIfTI gz":
        header, values = nifti_pair(VOLUME, affine=affine[:3])
        return header, gzip.compress(values), "scan.hdr", "scan.img.gz"
    if kind == "NIfTI-2":
        return *nifti_pair(VOLUME, affine=affine[:3], version=2), "scan.hdr", "scan.img"
    if kind == "MetaImage":
        return metaimage(VOLUME, AFFINE, data_file="values.raw"), raw, "scan.mhd", "values.raw"
    if kind == "MetaImage packed":
        head = metaimage(VOLUME, AFFINE, data_file="scan.zraw", packed=True)
        return head, volume_files.values(VOLUME, "zlib"), "scan.mhd", "scan.zraw"
    if kind == "MetaImage skipping":
        head = metaimage(VOLUME, AFFINE, data_file="scan.raw", HeaderSize=5)
        return head, b"other" + raw, "scan.mhd", "scan.raw"
    if kind == "NRRD":
        return nrrd(VOLUME, AFFINE, data_file="scan.raw"), raw, "scan.nhdr", "scan.raw"
    packed = nrrd(VOLUME, AFFINE, data_file="./scan.raw.gz", encoding="gzip")
    return packed, gzip.compress(raw), "scan.nhdr", "scan.raw.gz"


PAIRS = (
    "NIfTI", "NIfTI gz", "NIfTI-2", "MetaImage", "MetaImage packed", "MetaImage skipping", "NRRD",
    "NRRD gz",
)  # fmt: skip


@pytest.mark.parametrize("kind", PAIRS)
def test_the_other_file_is_found_beside_either_one(kind: str, tmp_path: Path, pool) -> None:
    header, values, first, second = pair(kind)
    paths = put(tmp_path, **{first.replace(".", "__"): header, second.replace(".", "__"): values})
    expected = load(FILES["MetaImage"]).source
    # A header names its file, which may have another name; the other way, names have to agree.
    alike = first.split(".")[0] == second.split(".")[0]
    for path in list(paths.values())[: 2 if alike else 1]:
        image = load(path)
        assert image.format == re.match("[A-Za-z]+", kind)[0]
        assert np.array_equal(image.source, expected)
        point = image.geometry.point(3, 4)
        assert image.source[3, 4] == VOLUME[voxel_near(point)]
        assert probe(path).slice_count == image.slice_count
        content = FileContent.local(path, Caps())
        opened = OpenedFile(content, Caps(), pool=pool, store=SliceStore(2**24))
        assert np.array_equal(opened.image().source, expected)
        assert opened.image().digest == image.digest


def voxel_near(point: tuple[float, float, float]) -> tuple[int, int, int]:
    place = np.linalg.solve(AFFINE, (*point, 1.0))[:3]
    assert np.abs(place - place.round()).max() < 1e-4
    return tuple(place.round().astype(int))


@pytest.mark.parametrize("kind", [*PAIRS, "Analyze"])
def test_a_header_alone_says_which_file_is_missing(kind: str, tmp_path: Path) -> None:
    if kind == "Analyze":
        header, first, end = analyze_pair(VOLUME)[0], "Smith.hdr", ".img"
    else:
        header, _, first, second = pair(kind)
        end = {"N": ".img", "M": ".raw"}[kind[0]] if kind[:2] != "NR" else ".raw"
        header = header.replace(second.encode(), b"Smith." + second.rpartition(".")[2].encode())
    path = tmp_path / first
    path.write_bytes(header)
    for call in (load, probe):
        with pytest.raises(ImageReadError, match=re.escape(f"second file ({end}")) as error:
            call(path)
        assert "Smith" not in str(error.value)


def parts(*files: tuple[str, bytes]) -> list[pairs.Part]:
    return [pairs.Part(name, data[: pairs.HEAD], len(data)) for name, data in files]


def test_which_files_of_an_upload_belong_together() -> None:
    raw = volume_files.values(VOLUME, "raw")
    header, values = nifti_pair(VOLUME)
    mhd = metaimage(VOLUME, data_file="folder\\Values.RAW")
    single = FILES["MetaImage"]
    found = pairs.belonging(
        parts(
            ("one.img", values), ("alone.mha", single), ("values.raw", raw), ("one.hdr", header),
            ("scan.mhd", mhd), ("notes.txt", b"some words about it\n"),
        )
    )  # fmt: skip
    assert found == {3: 0, 4: 2}
    # Of two files whose names say nothing, one is the header of the other.
    assert pairs.belonging(parts(("a", raw), ("b", mhd))) == {1: 0}
    # Images belong to nothing, and two headers of one name take one file.
    assert pairs.belonging(parts(("a.mha", single), ("b.mhd", mhd))) == {}
    nhdr = nrrd(VOLUME, data_file="values.raw")
    assert pairs.belonging(parts(("x.nhdr", nhdr), ("values.raw", raw), ("y.mhd", mhd))) == {0: 1}


def test_a_header_that_lists_files_gets_a_sentence() -> None:
    for header in (
        nrrd(VOLUME, data_file="LIST"), metaimage(VOLUME, data_file="slice%03d.raw 1 20 1"),
    ):  # fmt: skip
        with pytest.raises(ImageReadError, match="several files"):
            pairs.joined_header(header, b"")


SECRET = np.random.default_rng(5).integers(0, 900, VOLUME.shape).astype(np.int16)
ELSEWHERE = (
    "{folder}/secret.raw", "../secret.raw", "..\\secret.raw", "sub/../../secret.raw",
    "file://{folder}/secret.raw", "http://127.0.0.1/secret.raw", "~/secret.raw", "secret.key",
    "LIST", "LIST 2", "secret%03d.raw 1 3 1", "link.raw", "scan.mhd", "scan.nhdr", "", ".", "..",
)  # fmt: skip


@pytest.mark.parametrize("named", ELSEWHERE)
@pytest.mark.parametrize("make", [metaimage, nrrd])
def test_no_other_file_is_ever_read(make, named: str, tmp_path: Path) -> None:
    """A header that names a file anywhere else gets a sentence, and nothing of that file."""
    (tmp_path / "secret.raw").write_bytes(SECRET.tobytes(order="F"))
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "secret.key").write_bytes(SECRET.tobytes(order="F"))
    os.symlink(tmp_path / "secret.raw", inner / "link.raw")
    path = inner / ("scan.mhd" if make is metaimage else "scan.nhdr")
    stated = named.format(folder=tmp_path) or " "
    path.write_bytes(make(VOLUME, data_file=stated))
    with pytest.raises(ImageReadError) as error:
        load(path)
    assert "secret" not in str(error.value)
    # What is given with the header is taken, whatever that one names.
    if "LIST" not in named and "%" not in named:
        (inner / "scan.raw").write_bytes(VOLUME.tobytes(order="F"))
        assert np.array_equal(load(path).source, load(make(VOLUME)).source)


def test_bombs_are_refused_before_anything_is_allocated(monkeypatch) -> None:
    huge = "30000 30000 1000"
    small = np.zeros((24, 24, 20), np.int16)
    cases = [
        metaimage(small).replace(b"DimSize = 24 24 20", b"DimSize = " + huge.encode()),
        metaimage(small, packed=True).replace(b"DimSize = 24 24 20", b"DimSize = 900 900 9000"),
        nrrd(small).replace(b"sizes: 24 24 20", b"sizes: " + huge.encode()),
        nrrd(small, encoding="gzip").replace(b"sizes: 24 24 20", b"sizes: 900 900 9000"),
        nrrd(small, encoding="bzip2").replace(b"sizes: 24 24 20", b"sizes: 900 900 9000"),
        nrrd(small, encoding="text").replace(b"sizes: 24 24 20", b"sizes: 900 900 9000"),
        metaimage(small, channels=1000000),
        _patched(gipl(small), ">3H", 0, 60000, 60000, 1000),
        _patched(b"".join(analyze_pair(small)), "<3h", 42, 30000, 30000, 1000),
    ]
    monkeypatch.setattr(np, "empty", lambda *_, **__: pytest.fail("was allocated"))
    for number, data in enumerate(cases):
        with pytest.raises(ImageReadError) as error:
            load(data)
        assert isinstance(error.value, ImageTooLarge) or number in (6, 8)


def _patched(data: bytes, code: str, at: int, *numbers: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(code, changed, at, *numbers)
    return bytes(changed)


def test_a_name_that_is_too_long_gets_a_sentence() -> None:
    with pytest.raises(ImageReadError, match=r"name.*too long.*shorter"):
        load(Path("x" * 300 + ".dcm"))


def fuzz_sources() -> dict[str, bytes]:
    """Small files of every format that is read since, the packed and the written ones too."""
    small = VOLUME[:20, :18, :3]
    gray = image_files.ramp(24, 20, 255)
    bits = gray % 2
    return {
        "MetaImage": metaimage(small, AFFINE), "MetaImage zlib": metaimage(small, packed=True),
        "MetaImage text": metaimage(small, written=True),
        "NRRD": nrrd(small, AFFINE), "NRRD gzip": nrrd(small, encoding="gzip"),
        "NRRD bzip2": nrrd(small, encoding="bzip2"), "NRRD text": nrrd(small, encoding="text"),
        "NRRD hex": nrrd(small, encoding="hex"),
        "GIPL": gipl(small), "Analyze": b"".join(analyze_pair(small)),
        "NIfTI pair": b"".join(nifti_pair(small)),
        "MetaImage header": metaimage(small, data_file="values.raw"),
        "NRRD header": nrrd(small, data_file="values.raw"),
        "BMP": volume_files.picture(gray, "BMP"),
        "WebP": volume_files.picture(image_files.colour_ramp(24, 20), "WEBP", lossless=True),
        **{f"P{kind}": volume_files.pnm(bits, kind, 1) for kind in (1, 4)},
        **{f"P{kind}": volume_files.pnm(gray, kind, 255) for kind in (2, 5)},
        "P6": volume_files.pnm(image_files.colour_ramp(24, 20, 999), 6, 999),
    }  # fmt: skip


FUZZ = fuzz_sources()


@pytest.mark.parametrize("kind", FUZZ)
def test_damage_never_escapes_as_another_error(kind: str) -> None:
    """Cut and changed files end in a sentence or an image, soon and in little memory."""
    chance = random.Random(kind)
    whole = FUZZ[kind]
    tracemalloc.start()
    started = time.monotonic()
    try:
        for case in range(40):
            data = bytearray(whole)
            if case % 4 == 0:
                del data[chance.randrange(len(data)) :]
            for _ in range(chance.choice((0, 1, 2, 8)) if case % 4 == 0 else chance.choice((1, 4))):
                reach = min(len(data), 500) if case % 3 else len(data)
                if reach:
                    data[chance.randrange(reach)] ^= 1 << chance.randrange(8)
            with contextlib.suppress(ImageReadError):
                load(bytes(data))
            if pairs.half_of(bytes(data), len(data)) is not None:
                with contextlib.suppress(ImageReadError):
                    load(pairs.joined_header(bytes(data), b"") + VOLUME.tobytes())
        assert tracemalloc.get_traced_memory()[1] < 150_000_000
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("kind", PAIRS)
def test_slices_one_by_one_are_those_of_the_file(kind: str, tmp_path: Path) -> None:
    header, values, first, second = pair(kind)
    put(tmp_path, **{first.replace(".", "__"): header, second.replace(".", "__"): values})
    expected = load(tmp_path / first, slice_index=3)
    image = FileSlices(tmp_path / first, Caps()).image(3)
    assert np.array_equal(image.source, expected.source)
    assert image.digest == expected.digest == content_digest(tmp_path / first, Caps())
