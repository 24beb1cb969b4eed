"""SHA-256 of files of any size, with progress or remembered between runs."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator, Iterable
from functools import lru_cache
from pathlib import Path

from enhancers.networks.derived_files import derived_path, write_derived
from enhancers.networks.entry import KnownFile
from enhancers.networks.progress import Progress

PIECE = 2**24
REMEMBERED = 64 * 2**20
"""Size in bytes from which on a digest is stored in a file."""


def digest(path: Path) -> str:
    """SHA-256 of a file, computed again only when its size or time of change differs."""
    facts = path.stat()
    return remembered_digest(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=64)
def remembered_digest(path: Path, size: int, changed: int) -> str:
    """SHA-256 of a file of this size in bytes and time of change in nanoseconds."""
    if size < REMEMBERED:
        return sha256_of(path)
    name = hashlib.sha256(f"{path.resolve()}:{size}:{changed}".encode()).hexdigest()
    stored = derived_path(f"{name}.sha256")
    with contextlib.suppress(OSError):
        text = stored.read_text(encoding="ascii", errors="replace").strip()
        if len(text) == 64:
            return text
    found = sha256_of(path)
    write_derived(stored, found.encode())
    return found


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_steps(path: Path, note: str = "") -> Generator[Progress, None, str]:
    """SHA-256 of a file, with progress."""
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
    """Size and SHA-256 of files below ``folder``, with progress."""
    found = []
    for path in paths:
        digest = yield from sha256_steps(path)
        found.append(KnownFile(path.relative_to(folder).as_posix(), path.stat().st_size, digest))
    return tuple(found)


def files_below(folder: Path) -> list[Path]:
    """Every file below ``folder``, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
