"""An upload of one DICOM file of several frames: sorted and told apart as a series of files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from enhancers.decoding import FileContent, UploadedSeries, holds_frames, worker
from enhancers.decoding.slice_store import SliceStore
from enhancers.load import Caps, load, probe
from enhancers.load.dicom.frames import FrameFile
from enhancers.series.files import LocalFile
from enhancers.series.times import volumes
from tests.decoding.test_opened_series import uploads
from tests.load.test_mosaic import COUNT, mosaic_file
from tests.support import dicom_series, image_files

SHUFFLED = (30.0, 10.0, 40.0, 20.0)


def shuffled(**elements: Any) -> bytes:
    return dicom_series.enhanced([{"z": z} for z in SHUFFLED], **elements)


def cine() -> bytes:
    frames = np.stack([dicom_series.pixels(index) for index in range(5)])
    return image_files.dicom(frames, Modality="US", NumberOfFrames=5)


def opened_upload(folder: Path, pool, data: bytes) -> UploadedSeries:
    paths = uploads(folder, {"Doe_Jane.dcm": data})
    assert holds_frames(paths[0], Caps(), pool)
    return UploadedSeries(paths, Caps(), pool=pool, store=SliceStore(10**8))


def test_frames_are_in_the_order_of_their_positions(tmp_path: Path, pool) -> None:
    opened = opened_upload(tmp_path, pool, shuffled()).open()
    # The first pixel of a frame is its number in the file.
    assert [opened.image(index).source[0, 0] for index in range(4)] == [1, 3, 0, 2]
    assert opened.frames() == (1, 3, 0, 2)
    assert opened.one_object
    assert opened.slice_name == "slice"
    assert opened.grid is not None
    assert not any("Doe" in path.name for path in tmp_path.rglob("*.dcm"))


def test_times_and_echoes_are_told_apart(tmp_path: Path, pool) -> None:
    frames = [{"z": z, "time": t} for t in (1, 2, 3) for z in SHUFFLED]
    uploaded = opened_upload(tmp_path / "times", pool, dicom_series.enhanced(frames))
    assert [len(times) for times in volumes(uploaded.found)] == [3]
    opened = uploaded.open()
    assert (opened.slice_count, opened.time_count) == (4, 3)
    assert [opened.image(0, time=time).source[0, 0] for time in range(3)] == [1, 5, 9]
    frames = [{"z": z, "echo": echo} for echo in (2.5, 5.0) for z in SHUFFLED]
    uploaded = opened_upload(tmp_path / "echoes", pool, dicom_series.enhanced(frames))
    assert [one.parts for one in uploaded.found.series] == [("TE 2.5 ms",), ("TE 5 ms",)]


def test_frames_without_places_are_times(tmp_path: Path, pool) -> None:
    opened = opened_upload(tmp_path, pool, cine()).open()
    assert (opened.slice_count, opened.slice_name) == (5, "time")
    assert [opened.image(index).source[0, 0] for index in range(5)] == [0, 1, 2, 3, 4]
    assert "5 frames" in opened.series.description


def test_slices_of_a_mosaic_are_no_frames_of_an_object(tmp_path: Path, pool) -> None:
    normal = ["-1", "0", "0"]
    data = mosaic_file({"NumberOfImagesInMosaic": [str(COUNT)], "SliceNormalVector": normal})
    opened = opened_upload(tmp_path, pool, data).open()
    assert opened.slice_count == COUNT
    assert not opened.one_object


@pytest.mark.parametrize(
    "data",
    [image_files.dicom(image_files.ramp()), image_files.png(image_files.ramp()), shuffled()[:200]],
)
def test_other_files_hold_no_frames(tmp_path: Path, pool, data: bytes) -> None:
    (path,) = uploads(tmp_path, {"one": data})
    assert not holds_frames(path, Caps(), pool)
    FileContent.take(path, Caps())
    assert not holds_frames(path, Caps(), pool)


def test_the_same_upload_of_another_visitor(tmp_path: Path, pool) -> None:
    (path,) = uploads(tmp_path, {"one": shuffled()})
    first = UploadedSeries([path], Caps(), pool=pool, store=SliceStore(10**8))
    assert not path.exists()
    assert holds_frames(path, Caps(), pool)
    second = UploadedSeries([path], Caps(), pool=pool, store=SliceStore(10**8))
    assert second.open().image(0).source[0, 0] == first.open().image(0).source[0, 0] == 1


def test_the_worker_reads_a_frame_and_not_the_file(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "0").write_bytes(shuffled(WindowCenter=500, WindowWidth=900))
    headers: list[Path] = []
    known = FrameFile.__init__

    def counted(self: FrameFile, path: Path, caps: Caps) -> None:
        headers.append(path)
        known(self, path, caps)

    def whole(self: LocalFile, caps: Caps) -> bytes:
        raise AssertionError("the file was read as a whole")

    monkeypatch.setattr(FrameFile, "__init__", counted)
    monkeypatch.setattr(LocalFile, "read", whole)
    worker._reader.cache_clear()
    caps = {"max_bytes": 10**8, "max_pixels": 10**7}
    for frames in ((2,), (0, 3)):
        asked = {"source": str(tmp_path), "slices": [([0], one) for one in frames], "caps": caps}
        _, arrays = worker.REPORTING_JOBS["slices"](asked, lambda _: None)
        assert [values[0, 0] for values in arrays] == list(frames)
    assert len(headers) == 1


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_frames_that_are_missing_at_the_end(
    tmp_path: Path, pool, implicit: bool, grouped: bool
) -> None:
    frames = np.stack([dicom_series.pixels(index) for index in range(2)])
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    data = image_files.dicom(frames, syntax, Modality="US", NumberOfFrames=3)
    if grouped:
        dataset = pydicom.dcmread(io.BytesIO(dicom_series.enhanced([{"z": z} for z in (9, 6, 3)])))
        dataset.PixelData = frames.tobytes()
        data = image_files.to_bytes(dataset)
    path = tmp_path / "alone"
    path.write_bytes(data)
    said = "The header states 3 frames, and the file holds 2: it may be truncated."
    assert probe(path).slice_count == 2
    last = load(path, slice_index=1)
    assert (last.source[0, 0], last.slice_count) == (1, 2)
    assert said in last.warnings
    opened = opened_upload(tmp_path, pool, data).open()
    assert opened.slice_count == 2
    order = [1, 0] if grouped else [0, 1]
    assert [opened.image(index).source[0, 0] for index in range(2)] == order
    assert said in opened.image(0).warnings
