"""SHA-256 of files of any size, read in pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from enhancers.networks.entry import KnownFile

PIECE = 2**24


@dataclass(frozen=True)
class Progress:
    """How far a fetch or an addition has come: ``done`` of ``total`` bytes of ``note``."""

    note: str
    done: int
    total: int

    @property
    def fraction(self) -> float:
        """In [0, 1]; 0 where the total is not known."""
        return min(1.0, self.done / self.total) if self.total else 0.0


def sha256_of(path: Path, note: str = "") -> Generator[Progress, None, str]:
    """The SHA-256 of a file, with progress on the way."""
    digest = hashlib.sha256()
    total, done = path.stat().st_size, 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            done += len(piece)
            yield Progress(note or f"Checking {path.name}", done, total)
    return digest.hexdigest()


def known_files(
    folder: Path, paths: Iterable[Path]
) -> Generator[Progress, None, tuple[KnownFile, ...]]:
    """Size and SHA-256 of files below ``folder``."""
    found = []
    for path in paths:
        digest = yield from sha256_of(path)
        found.append(KnownFile(path.relative_to(folder).as_posix(), path.stat().st_size, digest))
    return tuple(found)


def files_below(folder: Path) -> list[Path]:
    """Every file below ``folder``, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
