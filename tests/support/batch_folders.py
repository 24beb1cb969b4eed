"""Folders of images for the tests of batches, and what a batch left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support import image_files


def volume(slices: int = 3) -> bytes:
    """A gzipped NIfTI volume."""
    pages = [image_files.ramp(32, 36, 900 + 10 * index) for index in range(slices)]
    return image_files.nifti(np.stack(pages, axis=-1).astype(np.int16), packed=True)


def fill(folder: Path) -> Path:
    """A PNG, a DICOM file without ending one level down, a volume and a text; returns it."""
    (folder / "sub").mkdir(parents=True)
    (folder / "a.png").write_bytes(image_files.png(image_files.ramp().astype(np.uint16)))
    (folder / "sub" / "IM0001").write_bytes(image_files.dicom(image_files.ramp().astype(np.uint16)))
    (folder / "volume.nii.gz").write_bytes(volume())
    (folder / "readme.txt").write_text("These are notes, not an image.\n")
    return folder


def results(out: Path) -> dict[str, bytes]:
    """The files of the results by their path."""
    room = out / "images"
    found = sorted(path for path in room.rglob("*") if path.is_file())
    return {path.relative_to(room).as_posix(): path.read_bytes() for path in found}
