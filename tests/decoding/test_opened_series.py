"""Uploads of several files and archives: found and decoded by workers, and gone from the disk."""

from __future__ import annotations

import gc
import io
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from enhancers.decoding import FileContent, UploadedSeries, content, opened_series
from enhancers.decoding import pool as pool_room
from enhancers.decoding.slice_store import SliceStore
from enhancers.errors import ImageReadError, ImageTooLarge, ParameterError
from enhancers.image import MedicalImage
from enhancers.load import Caps
from enhancers.load.depths import ALONE
from enhancers.private_folders import process_folder
from enhancers.series import LocalSeries, find_series, load_slice
from tests.decoding.test_opened_file import Counted, same
from tests.series.test_images import pet
from tests.support import dicom_series, image_files

DEPTHS = (0.0, 2.0, 4.0, 6.0, 8.0)


def uploads(folder: Path, files: dict[str, bytes]) -> list[Path]:
    """Files where Gradio puts uploads: each in a folder that has the digest of the file as name."""
    found = []
    for index, (name, data) in enumerate(files.items()):
        path = folder / f"{index:064x}" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        found.append(path)
    return found


def ct(count: int = 5, **elements: object) -> dict[str, bytes]:
    return {
        f"Doe_Jane_{count - index}.dcm": dicom_series.slice_file(
            (0, 0, 2 * index), index + 1, **elements
        )
        for index in range(count)
    }


def archive(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, one in files.items():
            packed.writestr(name, one)
    return data.getvalue()


EARLIER: set[Path] = set()
"""Uploads of pages that tests before this one opened, and that Python still holds."""


def held() -> list[str]:
    """What this test uploaded, below the folder of this process."""
    return [path.name for path in process_folder().rglob("uploaded-*") if path not in EARLIER]


@pytest.fixture(autouse=True)
def of_this_test_alone() -> None:
    EARLIER.clear()
    EARLIER.update(process_folder().rglob("uploaded-*"))


@pytest.fixture
def upload(tmp_path: Path, pool):
    def of(files: dict[str, bytes], **options) -> UploadedSeries:
        paths = uploads(tmp_path / "uploads", files)
        return UploadedSeries(paths, Caps(), pool=pool, store=SliceStore(10**8), **options)

    yield of
    gc.collect()
    assert held() == []


@pytest.mark.parametrize("packed", [False, True])
def test_every_slice_is_what_the_command_line_reads(tmp_path: Path, upload, packed: bool) -> None:
    files = {**ct(), "report.txt": b"nothing"}
    local = dicom_series.write(tmp_path / "local", files.values())
    expected = find_series(local)
    uploaded = upload({"Doe_Jane.zip": archive(files)} if packed else files)
    assert not any(path.is_file() for path in tmp_path.rglob("uploads/*/*"))
    end = time.monotonic() + 60
    while any(tmp_path.glob("uploads/*")) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(tmp_path.glob("uploads/*"))
    assert [one.description for one in uploaded.found.series] == [expected.series[0].description]
    assert uploaded.found.left_out == expected.left_out
    opened = uploaded.open()
    assert opened.slice_count == 5
    assert same(opened.image(), load_slice(expected.series[0]))
    for index in (4, 0, 2):
        assert same(opened.image(index), load_slice(expected.series[0], index))
        given = opened.image(index, (100.0, 300.0))
        assert same(given, load_slice(expected.series[0], index, window=(100.0, 300.0)))
    with pytest.raises(ParameterError, match="no slice 99"):
        opened.image(99)
    # Names of files and of entries stay nowhere.
    names = [one.file.name for one in uploaded.found.series[0].slices]
    assert not any("Doe" in name for name in names)
    assert not any("Doe" in path.name for path in process_folder().rglob("*"))


def test_a_slice_is_decoded_once(tmp_path: Path, pool) -> None:
    counted = Counted(pool)
    paths = uploads(tmp_path, ct())
    uploaded = UploadedSeries(paths, Caps(), pool=counted, store=SliceStore(10**8))
    opened = uploaded.open("3") if len(uploaded.found.series) > 1 else uploaded.open()
    assert uploaded.open() is opened
    counted.asked = 0
    for index in (0, 1, 2, 3, 4, 2, 0, 4):
        opened.image(index)
        opened.image(index, (0.0, 10.0))
    assert counted.asked == 5


def test_other_planes_ask_once_for_many_slices(tmp_path: Path, pool, monkeypatch) -> None:
    counted, files = Counted(pool), ct(10, WindowCenter=500, WindowWidth=900)
    store = SliceStore(10**8)
    uploaded = UploadedSeries(uploads(tmp_path, files), Caps(), pool=counted, store=store)
    [series] = find_series(dicom_series.write(tmp_path / "local", files.values())).series
    local = LocalSeries(series)
    opened = uploaded.open()
    opened.image(4)
    counted.asked = 0
    assert same(opened.image(1, plane="coronal"), local.image(1, plane="coronal"))
    assert counted.asked == 1
    for index in range(9):
        opened.image(index)
    opened.image(2, plane="sagittal")
    assert counted.asked == 1
    one = opened.series.rows * opened.series.columns * 2
    monkeypatch.setattr(opened_series, "BATCH_BYTES", 4 * one)
    paths = uploads(tmp_path / "again", files)
    again = UploadedSeries(paths, Caps(), pool=counted, store=SliceStore(10**8))
    counted.asked = 0
    again.open().section("coronal", 1)
    assert counted.asked == 3


def test_several_series_are_listed_and_picked(upload) -> None:
    localizer = {
        f"L{index}": dicom_series.slice_file(
            (0, 0, 50 * index), index + 1, SeriesInstanceUID="1.2.3.7", SeriesNumber=1,
            SOPInstanceUID=f"1.2.3.7.{index}", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        )
        for index in range(2)
    }  # fmt: skip
    uploaded = upload({**ct(), **localizer, "DICOMDIR": dicom_series.dicomdir([("A", "B")])})
    assert [len(one.slices) for one in uploaded.found.series] == [2, 5]
    assert uploaded.found.ignored == {"DICOM files without an image": 1}
    with pytest.raises(ParameterError, match="2 series"):
        uploaded.open()
    image: MedicalImage = uploaded.open("1").image()
    assert image.slice_count == 2
    assert uploaded.open("2").image().slice_count == 5


def test_progress_counts_files(upload, monkeypatch) -> None:
    monkeypatch.setattr(opened_series, "REPORT_SECONDS", 0)
    seen: list[int] = []
    upload(ct(30), progress=seen.append)
    assert seen == list(range(30))


def test_a_job_that_takes_too_long_is_stopped_in_spite_of_its_reports(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(opened_series, "REPORT_SECONDS", 0)
    monkeypatch.setattr(pool_room, "MOST_FILES_TIME", 0)
    workers = pool_room.DecodePool(1, 10**9, 20)
    with pytest.raises(ImageTooLarge, match="takes more than"):
        UploadedSeries(uploads(tmp_path, ct(200)), Caps(), pool=workers)
    workers.close()
    gc.collect()
    assert held() == []


def test_two_visitors_upload_the_same_files(tmp_path: Path, pool) -> None:
    files = ct()
    first = UploadedSeries(uploads(tmp_path, files), Caps(), pool=pool)
    paths = [path for path in sorted(tmp_path.rglob("*")) if path.is_file()]
    assert paths == []
    again = [tmp_path / f"{index:064x}" / name for index, name in enumerate(files)]
    second = UploadedSeries(again, Caps(), pool=pool)
    # Somebody opens one of them by itself.
    alone = FileContent.take(again[0], Caps())
    assert b"".join(alone.pieces()) == next(iter(files.values()))
    del first
    gc.collect()
    assert second.open().image(0).slice_count == 5
    del second
    gc.collect()
    with pytest.raises(ImageReadError, match="upload it again"):
        UploadedSeries(again, Caps(), pool=pool)
    assert held() == []


def test_files_that_were_taken_alone_are_found_too(tmp_path: Path, pool) -> None:
    files = ct(2)
    paths = uploads(tmp_path, files)
    alone = FileContent.take(paths[0], Caps())
    assert UploadedSeries(paths, Caps(), pool=pool).open().slice_count == 2
    assert alone.size == len(next(iter(files.values())))


def test_one_file_twice_is_a_copy(tmp_path: Path, pool) -> None:
    paths = uploads(tmp_path, ct(2))
    uploaded = UploadedSeries([*paths, paths[0]], Caps(), pool=pool)
    assert uploaded.found.left_out == "Left out: copies of images (1)."


REFUSED = {
    "no DICOM at all": ({"a.png": image_files.png(image_files.ramp()), "b": b"x"}, "no DICOM"),
    "an empty archive": ({"a.zip": archive({})}, "no DICOM image"),
    "an archive of archives": ({"a.zip": archive({"b.zip": archive({})})}, "another archive"),
    "half an archive": ({"a.zip": archive(ct())[:900]}, "damaged or truncated"),
    "a way out": ({"a.zip": archive({"../../x": b""})}, "leads out of its folder"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_leaves_nothing(tmp_path: Path, pool, what: str) -> None:
    files, words = REFUSED[what]
    with pytest.raises(ImageReadError, match=words):
        UploadedSeries(uploads(tmp_path, files), Caps(), pool=pool)
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    assert held() == []


def test_too_many_and_too_large(tmp_path: Path, pool, monkeypatch) -> None:
    monkeypatch.setattr(content, "MOST_FILES", 3)
    with pytest.raises(ImageTooLarge, match="zip archive"):
        UploadedSeries(uploads(tmp_path, ct()), Caps(), pool=pool)
    with pytest.raises(ImageTooLarge, match="more than"):
        UploadedSeries(uploads(tmp_path, ct(3)), Caps(max_bytes=100), pool=pool)
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    assert held() == []


def test_a_worker_that_names_other_files_reaches_none(tmp_path: Path, pool) -> None:
    class Lying:
        """A pool whose worker was taken over."""

        def __init__(self, numbers: list[object]) -> None:
            self.numbers = numbers

        def ask(self, *given, **asked):
            answer = pool.ask(*given, **asked)
            if "files" in answer.facts:
                answer.facts["files"][0] = self.numbers
            return answer

    paths = uploads(tmp_path, ct(2))
    with pytest.raises(ImageReadError, match="could not be listed"):
        UploadedSeries(paths, Caps(), pool=Lying(["/etc/passwd"]))
    opened = UploadedSeries(uploads(tmp_path, ct(2)), Caps(), pool=Lying([99])).open()
    with pytest.raises(ImageReadError):
        opened.image(0)


def test_pixels_of_one_damaged_slice_spoil_no_other(upload) -> None:
    files = ct()
    first = next(iter(files))
    files[first] = files[first][:-200]
    opened = upload(files).open()
    with pytest.raises(ImageReadError, match="damaged"):
        opened.image(0)
    assert np.isfinite(opened.image(1).source).all()
    assert opened.image(1).depths is None
    assert ALONE in opened.image(1).warnings


def test_values_of_a_scaled_series_are_kept_as_the_file_has_them(tmp_path: Path, pool) -> None:
    folder = pet(tmp_path / "pet")
    local = LocalSeries(find_series(folder).pick(None))
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    paths, store = uploads(tmp_path / "uploads", files), SliceStore(10**8)
    opened = UploadedSeries(paths, Caps(), pool=pool, store=store).open()
    for index in (0, 1, 2, 0):
        assert same(opened.image(index), local.image(index))
    count = opened.series.rows * opened.series.columns
    # 16 bits of the scanner for each value, and no floats.
    assert store.size == 3 * 2 * count
    planes = [one.section("coronal", 7) for one in (opened, local)]
    assert np.array_equal(*planes)
    assert planes[0].dtype == np.float32
