"""The folder of the evidence: its texts, and the pictures that may be shown."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from enhancers.asset_files import ASSETS

FOLDER = ASSETS / "evidence"

ROUTE = "readingroom/evidence/"
"""Where the pictures are served, below the root of the app."""

TYPES = {".png": "image/png", ".svg": "image/svg+xml"}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.(?:png|svg)")


@dataclass(frozen=True)
class Source:
    """A text of the evidence.

    Parameters
    ----------
    name : str
        Of the file.
    title : str
        Where the file is missing.
    command : str
        Writes the file.
    split : bool
        Whether its headings of the second level are chapters; else it is one.
    """

    name: str
    title: str
    command: str
    split: bool = False

    @property
    def stem(self) -> str:
        """The name without its ending."""
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
        "ingredients.md", "What each ingredient gave",
        "python -m benchmarks ablations --data DIR --out assets/evidence",
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


def listing(folder: Path) -> list[Path]:
    """The texts and pictures of a folder; none where there is no folder."""
    names = {source.name for source in SOURCES}
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return []
    return [path for path in paths if path.name in names or picture_path(folder, path.name)]


def pictures(folder: Path) -> dict[str, Picture]:
    """The pictures of a folder by name; an address changes when its file does."""
    return {
        path.name: Picture(f"{ROUTE}{path.name}?v={stamp(path)}", *size(path))
        for path in listing(folder)
        if path.suffix in TYPES
    }


def picture_path(folder: Path, name: str) -> Path | None:
    """The picture of this name, or None: names with other characters and links lead nowhere."""
    if not _NAME.fullmatch(name):
        return None
    path = folder / name
    return path if path.is_file() and not path.is_symlink() else None


def stamp(path: Path) -> str:
    """The state of a file: when it was written, and its size."""
    try:
        facts = path.stat()
    except OSError:
        return "gone"
    return f"{facts.st_mtime_ns:x}-{facts.st_size:x}"


def size(path: Path) -> tuple[int, int]:
    """Width and height of a picture in CSS pixels; zeros where its head does not tell."""
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
    # A point of matplotlib's is 4/3 of a CSS pixel.
    width, height = (round(float(f[1]) * (4 / 3 if f[2] == b"pt" else 1)) for f in lengths if f)
    return width, height
