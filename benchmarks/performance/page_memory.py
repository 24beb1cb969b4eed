"""``benchmarks memory --page``: what a volume takes on the server, and how soon it is seen."""

from __future__ import annotations

import gc
import io
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from benchmarks.performance.figures import Measurement
from benchmarks.performance.memory import judged, resident
from enhancers.compare import Request, compare
from enhancers.decoding import Opened, OpenedFile, UploadedSeries, decode_pool
from enhancers.load import Caps
from enhancers.ui import navigator
from enhancers.ui.session import Session

SIZE = (512, 512, 300)
"""Columns, rows and slices of the volume."""
SMALL = (96, 96, 24)
MOST_SHARE = 1.5
"""Most resident memory above that of an idle server, as a share of the stored volume."""
MOST_SECONDS, MOST_RATIO = 2.0, 1.3
"""Most time to the first picture of a series, and as a share of reading its pixels by pydicom."""
OPENED = 20
_READING = """
import os, pathlib, pydicom, sys, time
os.nice(5)
files = sorted(pathlib.Path(sys.argv[1]).iterdir())
pydicom.dcmread(files[0]).pixel_array
start = time.perf_counter()
for path in files:
    pydicom.dcmread(path).pixel_array
print(time.perf_counter() - start)
"""
MOVES = 12


@dataclass
class _Peak:
    """The largest resident memory in MB while it is watched."""

    value: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self._ended.wait(0.05):
            self.value = max(self.value, resident())

    def end(self) -> None:
        self._ended.set()


@contextmanager
def _watched() -> Iterator[_Peak]:
    peak = _Peak(resident())
    thread = threading.Thread(target=peak.watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        peak.end()
        thread.join()


def page_memory() -> Iterator[Measurement]:
    """Memory and times of a volume on the page, as one NIfTI file and as a series of DICOM files.

    The handlers of the page are called in this process; decoding happens in its workers, as on the
    server, whose memory is returned after each file.
    """
    folder = Path(tempfile.mkdtemp(prefix="page-memory-"))
    try:
        decode_pool().warm_up()
        _walk(_opened_nifti(folder, SMALL), MOVES)
        idle = resident()
        yield _held("NIfTI", _opened_nifti(folder, SIZE), idle)
        gc.collect()
        yield from _series(folder)
        yield _growth(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _held(name: str, opened: Opened, idle: float) -> Measurement:
    """Open a volume and move about in all planes."""
    with _watched() as peak:
        _walk(opened, MOVES)
    gc.collect()
    raw = np.prod(SIZE) * 2 / 1e6
    now = resident()
    detail = (
        f"{raw:.0f} MB of int16; idle {idle:.0f} MB, open {now:.0f} MB, at most {peak.value:.0f} MB"
    )
    return Measurement(f"{name}: memory of a volume", (now - idle) / raw, MOST_SHARE, "x", detail)


def _series(folder: Path) -> Iterator[Measurement]:
    files = _series_files(folder / "series")
    alone = _pydicom_alone(files[0].parent)
    idle = resident()
    start = time.perf_counter()
    uploaded = UploadedSeries(files, Caps())
    opened = uploaded.open()
    opened.image()
    first = time.perf_counter() - start
    detail = f"{len(files)} files; pydicom alone reads their pixels in {alone:.2f} s"
    yield Measurement("Series: first picture", first, MOST_SECONDS, "s", detail)
    yield Measurement("Series: first picture", first / alone, MOST_RATIO, "x", detail)
    start = time.perf_counter()
    held = _held("Series", opened, idle)
    detail = f"{held.detail}; all planes after {time.perf_counter() - start:.1f} s more"
    yield Measurement(held.name, held.measured, held.required, held.unit, detail)


def _pydicom_alone(folder: Path) -> float:
    """Seconds in which pydicom reads the pixels of all files, with the priority of a worker."""
    done = subprocess.run(
        [sys.executable, "-c", _READING, str(folder)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def _growth(folder: Path) -> Measurement:
    """Open a volume and run a method on it, again and again."""
    sizes = []
    for _ in range(OPENED):
        opened = _opened_nifti(folder, SMALL)
        session = _walk(opened, 3)
        assert session.image is not None
        for event in compare(session.image, [Request("tv")], seed=0, device="cpu"):
            assert not event.error
        del opened, session
        gc.collect()
        sizes.append(resident())
    return judged(f"{OPENED} volumes opened, with runs", sizes)


def _walk(opened: Opened, moves: int) -> Session:
    """A session that looked at the volume in all planes, at several slices."""
    session = Session()
    session.open(opened.image(), "volume", opened)
    grid = opened.grid
    assert grid is not None
    for move in range(moves):
        plane = ("axial", "coronal", "sagittal")[move % 3]
        count = grid.size(plane)[2]
        index = (move + 1) * count // (moves + 2)
        image = opened.image(index, plane=plane)
        session.move_to(image)
        navigator.value(session)
    return session


def _values(size: tuple[int, int, int]) -> NDArray[np.int16]:
    """A body of soft tissue in air, with noise."""
    i, j, k = (np.linspace(-1, 1, count) for count in size)
    inside = i[:, None, None] ** 2 + j[None, :, None] ** 2 + 0.5 * k[None, None, :] ** 2 < 0.6
    noise = np.random.default_rng(0).integers(-30, 30, size, dtype=np.int16)
    return np.where(inside, np.int16(40), np.int16(-1000)) + noise


def _opened_nifti(folder: Path, size: tuple[int, int, int]) -> Opened:
    """A volume as an upload, whose file is gone when it is open."""
    import SimpleITK

    path = folder / f"{'x'.join(map(str, size))}.nii"
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(_values(size).T))
    image.SetSpacing((0.8, 0.8, 1.0))
    SimpleITK.WriteImage(image, str(path))
    del image
    gc.collect()
    return OpenedFile.upload(path, Caps())


def _series_files(folder: Path) -> list[Path]:
    """The slices of a CT series, one file each."""
    folder.mkdir()
    values = _values(SIZE)
    found = []
    for index in range(SIZE[2]):
        path = folder / f"{index}.dcm"
        path.write_bytes(_slice_file(values[:, :, index].T, index))
        found.append(path)
    return found


def _slice_file(values: NDArray[Any], index: int) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"1.2.3.4.{index}"
    dataset.Modality, dataset.SeriesInstanceUID, dataset.InstanceNumber = "CT", "1.2.3", index
    dataset.ImagePositionPatient = [0, 0, float(index)]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [0.8, 0.8], 1
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    dataset.Rows, dataset.Columns = values.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation, dataset.RescaleSlope, dataset.RescaleIntercept = 1, 1, -1024
    dataset.PixelData = (values + 1024).astype(np.int16).tobytes()
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
