"""What was decoded once is not decoded again, and is what the loader gives."""

from __future__ import annotations

import gc
import hashlib
import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from enhancers.decoding import FileContent, OpenedFile
from enhancers.decoding.slice_store import SliceStore
from enhancers.errors import ImageReadError, ParameterError
from enhancers.image import MedicalImage
from enhancers.load import Caps, depths, load
from enhancers.load.volumes import volume
from enhancers.method import Modality
from tests.support import image_files

GRAY16 = image_files.ramp().astype(np.uint16)
VOLUME = np.stack([image_files.ramp(32, 36, 900 + 10 * k) for k in range(20)], axis=-1).astype(
    np.int16
)
FRAMES = np.stack([image_files.ramp(32, 36, 900 + 10 * k) for k in range(3)]).astype(np.uint16)
FILES = {
    "DICOM": image_files.dicom(GRAY16, WindowCenter="900", WindowWidth="400", Modality="MR"),
    "frames": image_files.dicom(FRAMES, NumberOfFrames=3),
    "PNG": image_files.png(GRAY16),
    "colour": image_files.png(image_files.colour_ramp().astype(np.uint8)),
    "TIFF": image_files.tiff(FRAMES),
    "JPEG": image_files.jpeg(image_files.ramp(top=255)),
    "NIfTI": image_files.nifti(VOLUME, packed=True),
    "one slice": image_files.nifti(VOLUME[..., :1]),
}


class Counted:
    """A pool that counts what it is asked."""

    def __init__(self, pool) -> None:
        self.pool, self.asked = pool, 0

    def ask(self, *given, **options):
        self.asked += 1
        return self.pool.ask(*given, **options)


def same(one: MedicalImage, other: MedicalImage) -> bool:
    names = [field.name for field in fields(one) if field.name != "reading"]
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    read = [image.reading for image in (one, other)]
    if None not in read:
        first, second = (reading(Modality.MR) for reading in read if reading)
        pairs.append((first, second))
    return all(
        np.array_equal(a, b) if isinstance(a, np.ndarray) else (a, type(a)) == (b, type(b))
        for a, b in pairs
    )


@pytest.mark.parametrize("kind", FILES)
def test_every_look_is_what_the_loader_gives(tmp_path: Path, pool, kind: str) -> None:
    path = tmp_path / "upload"
    path.write_bytes(FILES[kind])
    counted = Counted(pool)
    opened = OpenedFile(FileContent(path, Caps()), Caps(), pool=counted, store=SliceStore(10**8))
    first = opened.image()
    assert same(first, load(path))
    looked = {first.slice_index}
    for index in {first.slice_index, first.slice_count - 1, 0}:
        for window in (None, (100.0, 300.0)):
            assert same(opened.image(index, window), load(path, slice_index=index, window=window))
        looked.add(index)
    assert counted.asked == (1 if kind == "NIfTI" else len(looked))
    with pytest.raises(ParameterError, match="no slice 99"):
        opened.image(99)


def test_the_store_has_a_limit_and_forgets_files_that_are_closed(
    tmp_path: Path, pool, monkeypatch
) -> None:
    # Few small slices come together.
    monkeypatch.setattr(depths, "MOST_PIXELS", 0)
    path = tmp_path / "upload"
    path.write_bytes(FILES["frames"])
    counted, store = Counted(pool), SliceStore(2 * 4 * FRAMES[0].size)
    opened = OpenedFile(FileContent(path, Caps()), Caps(), pool=counted, store=store)
    for index in (0, 1, 2, 1, 0):
        opened.image(index)
    # The first slice made room for the third.
    assert (counted.asked, store.size) == (4, store.capacity)
    del opened
    gc.collect()
    assert store.size == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_large_volume_is_read_plane_by_plane(tmp_path: Path, monkeypatch, axis: int) -> None:
    path = tmp_path / "volume"
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = 5.0
    affine = np.diag([-spacing[0], spacing[1], spacing[2], 1.0])
    path.write_bytes(image_files.nifti(VOLUME, affine=affine, packed=True))
    # The window is chosen by a part of the values then.
    monkeypatch.setattr(volume, "SAMPLE_LIMIT", 1000)
    expected = [load(path, slice_index=index) for index in (0, 7)]
    monkeypatch.setattr(volume, "SMALL_VOLUME", 0)
    assert all(
        same(load(path, slice_index=index), whole)
        for index, whole in zip((0, 7), expected, strict=True)
    )


def test_an_upload_leaves_the_disk_at_once(tmp_path: Path, pool) -> None:
    path = tmp_path / hashlib.sha256(FILES["PNG"]).hexdigest() / "Doe_Jane_1970.png"
    path.parent.mkdir()
    path.write_bytes(FILES["PNG"])
    first = FileContent.take(path, Caps())
    assert list(tmp_path.iterdir()) == []
    # Somebody else uploaded the same file a moment before.
    assert FileContent.take(path, Caps()) is first
    assert b"".join(first.pieces()) == FILES["PNG"]
    assert OpenedFile(first, Caps(), pool=pool).image().shape == GRAY16.shape
    del first
    gc.collect()
    with pytest.raises(ImageReadError, match="upload it again"):
        FileContent.take(path, Caps())


def test_an_upload_that_is_refused_leaves_the_disk_too(tmp_path: Path) -> None:
    path = tmp_path / "Doe_Jane.dcm"
    path.write_bytes(FILES["DICOM"])
    with pytest.raises(ImageReadError, match="the limit is"):
        FileContent.take(path, Caps(max_bytes=100))
    assert not path.exists()


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageReadError, match="regular file"):
        FileContent(tmp_path / "pipe", Caps())


def test_planes_and_times_of_a_volume_are_decoded_once(tmp_path: Path, pool) -> None:
    path = tmp_path / "volume"
    values = np.stack([VOLUME, VOLUME[::-1]], axis=-1)
    path.write_bytes(image_files.nifti(values, affine=np.diag([-1.0, -1.0, 2.0, 1.0]), packed=True))
    counted = Counted(pool)
    opened = OpenedFile(FileContent(path, Caps()), Caps(), pool=counted, store=SliceStore(10**8))
    assert opened.grid is None
    for plane in ("axial", "coronal", "sagittal", "stored"):
        for time in (0, 1):
            found = opened.image(3, plane=plane, time=time)
            assert same(found, load(path, slice_index=3, plane=plane, time=time))
    assert counted.asked == 1
    assert opened.grid.shape == VOLUME.shape


def test_tabs_share_what_was_decoded(tmp_path: Path) -> None:
    path = tmp_path / hashlib.sha256(FILES["NIfTI"]).hexdigest() / "volume.nii.gz"
    path.parent.mkdir()
    path.write_bytes(FILES["NIfTI"])
    first = OpenedFile.upload(path, Caps())
    assert OpenedFile.upload(path, Caps()) is first
    local = tmp_path / "local"
    local.write_bytes(FILES["NIfTI"])
    kept = OpenedFile.local(local, Caps())
    assert OpenedFile.local(local, Caps()) is kept
    local.write_bytes(FILES["frames"])
    assert OpenedFile.local(local, Caps()) is not kept
