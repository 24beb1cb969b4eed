"""Formats that SimpleITK reads, in a process of its own: MINC 2, HDF5 of ITK, and VTK images."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from enhancers.errors import ImageReadError, ImageTooLarge
from enhancers.load.file_format import Format
from enhancers.load.open_by_path import named_file
from enhancers.load.raw import FREE_BYTES, MOST_EXPANSION, Caps
from enhancers.load.volumes import metaimage
from enhancers.load.volumes.header import Header
from enhancers.load.volumes.itk_worker import TOO_LARGE

READERS: dict[Format, str] = {
    "MINC": "MINCImageIO",
    "ITK HDF5": "HDF5ImageIO",
    "VTK": "VTKImageIO",
}
"""The readers of SimpleITK."""

_WORKER = Path(__file__).with_name("itk_worker.py")
_SECONDS = 120
_MEMORY = 4 * 2**30


def as_metaimage(kind: Format, data: bytes, caps: Caps) -> bytes:
    """The bytes of a file as those of a MetaImage; formats that are read here stay as they are.

    Raises
    ------
    ImageReadError
        The file is damaged, or this system cannot keep the reader from opening other files.
    """
    if kind not in READERS:
        return data
    if sys.platform == "win32":
        raise ImageReadError(
            f"{kind} files are not read on Windows; convert the volume to NIfTI or MetaImage."
        )
    damaged = ImageReadError(
        f"The {kind} file is damaged, holds no image, or refers to other files; export it as NIfTI."
    )
    most = min(caps.max_unpacked, max(FREE_BYTES, MOST_EXPANSION * len(data)))
    with named_file(data) as path:
        try:
            done = subprocess.run(
                [sys.executable, "-P", str(_WORKER), path, READERS[kind], str(most), str(_MEMORY)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise damaged from None
    if done.returncode == TOO_LARGE:
        raise ImageTooLarge(
            f"The {kind} file unpacks to more than {most / 1e6:.4g} MB, the limit for its size. "
            "Export a smaller volume."
        )
    if done.returncode:
        raise damaged
    return done.stdout


def parse(kind: Format, data: bytes, caps: Caps) -> Header:
    """The header of what `as_metaimage` gave."""
    return replace(metaimage.parse(data, caps), format=kind)
