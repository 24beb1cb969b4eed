"""The folder of the evidence: its texts and the pictures that they show."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from enhancers.asset_files import ASSETS

FOLDER = ASSETS / "evidence"

ROUTE = "readingroom/evidence/"
"""Address of the pictures, relative to the root of the app."""

TYPES = {".png": "image/png", ".svg": "image/svg+xml"}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.(?:png|svg)")


@dataclass(frozen=True)
class Source:
    """A text of the evidence.

    Parameters
    ----------
    name : str
        File name.
    title : str
        Shown where the file is missing.
    command : str
        The command that writes the file.
    split : bool
        Whether its headings of the second level are chapters; else the file is one.
    """

    name: str
    title: str
    command: str
    split: bool = False

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return self.name.removesuffix(".md")


SOURCES = (
    Source(
        "evidence.md", "How good is it?",
        "python -m benchmarks evidence --data DIR", split=True,
    ),
    Source(
        "segmentation.md", "Segmentation of enhanced images",
        "python -m benchmarks segmentation --out assets/evidence",
    ),
    Source(
        "ingredients.md", "What each component contributes",
        "python -m benchmarks ablations --data DIR --out assets/evidence",
    ),
    Source(
        "reconstruction.md", "Reconstruction by trained networks",
        "python -m benchmarks reconstruction --data DIR --out assets/evidence/reconstruction.md",
    ),
    Source(
        "spine.md", "Ultrasound of the spine",
        "python -m benchmarks spine --out assets/evidence/spine.md",
    ),
    Source(
        "benchmarks.md", "Speed and memory",
        "python -m benchmarks speed --out assets/evidence/benchmarks.md",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A picture that the texts may show.

    Parameters
    ----------
    address : str
        Relative to the root of the app.
    width, height : int
        In CSS pixels; 0 where unknown.
    """

    address: str
    width: int = 0
    height: int = 0


def evidence_files(folder: Path) -> list[Path]:
    """The texts and pictures of a folder; empty where the folder does not exist."""
    names = {source.name for source in SOURCES}
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return []
    return [path for path in paths if path.name in names or picture_path(folder, path.name)]


def pictures(folder: Path) -> dict[str, Picture]:
    """The pictures of a folder by name; an address changes when its file does."""
    return {
        path.name: Picture(f"{ROUTE}{path.name}?v={file_state(path)}", *picture_size(path))
        for path in evidence_files(folder)
        if path.suffix in TYPES
    }


def picture_path(folder: Path, name: str) -> Path | None:
    """The picture of this name; None for other characters, other files and symbolic links."""
    if not _NAME.fullmatch(name):
        return None
    path = folder / name
    return path if path.is_file() and not path.is_symlink() else None


def file_state(path: Path) -> str:
    """The state of a file: modification time and size."""
    try:
        status = path.stat()
    except OSError:
        return "gone"
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture in CSS pixels; zeros where they are not in its header."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return 0, 0
    if head.startswith(b"\x89PNG") and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
        return width, height
    tag = re.search(rb"<svg[^>]*>", head)
    lengths = [
        re.search(rb"\s" + side + rb'="([\d.]+)(pt|px)?"', tag[0]) if tag else None
        for side in (b"width", b"height")
    ]
    if not all(lengths):
        return 0, 0
    # Matplotlib's sizes are in points of 4/3 CSS pixels.
    width, height = (round(float(f[1]) * (4 / 3 if f[2] == b"pt" else 1)) for f in lengths if f)
    return width, height
