"""Volumes in two files: a header, and the values it speaks of.

The two become the bytes of one file, the header first, which every reader and worker takes. A
header names its second file, and sometimes any file of a disk: no such name is ever opened. The
second file is the one that a user gives, or one that lies beside the header (`beside`).
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from enhancers.errors import ImageReadError
from enhancers.load.file_format import (
    is_analyze,
    is_half_a_pair,
    is_metaimage,
    is_nifti,
    is_nrrd,
    sniff,
)
from enhancers.load.volumes import metaimage, nrrd

HEAD = 2**20
"""Bytes at the beginning of a file by which it is known as a header."""

_GZIP = b"\x1f\x8b"
_NIFTI1, _NIFTI2 = 348, 540
_LONGEST_BINARY = 2**16
_HEADERS = (".hdr", ".mhd", ".nhdr")
_VALUES = (".img", ".raw", ".zraw", ".img.gz", ".raw.gz", ".raw.bz2", ".bin", ".dat")
_PLAIN_NAME = re.compile(r"[^/\\:%*?\x00-\x1f]{1,255}")


class Part(NamedTuple):
    """A file that may belong to another one: its name, first `HEAD` bytes and size."""

    name: str
    head: bytes
    size: int


class Half(NamedTuple):
    """A header whose values are in another file.

    ``data_file`` is what it says of that one, empty where the format goes by the name.
    """

    kind: str
    data_file: str


def half_of(head: bytes, size: int) -> Half | None:
    """What a file of ``size`` bytes is the header of; None where it holds its values, or is none.

    Parameters
    ----------
    head : bytes
        Its first `HEAD` bytes.
    size : int
    """
    try:
        if is_metaimage(head):
            named = metaimage.data_file(head)
            return None if named is None else Half("MetaImage", named)
        if is_nrrd(head):
            named = nrrd.data_file(head)
            return None if named is None else Half("NRRD", named)
    except ImageReadError:
        return None
    if size > _LONGEST_BINARY:
        return None
    if is_nifti(head) and is_half_a_pair(head):
        return Half("NIfTI", "") if size < _NIFTI2 + 64 or _extended(head) else None
    return Half("Analyze", "") if is_analyze(head) and size <= _NIFTI1 + 64 else None


def _extended(head: bytes) -> bool:
    """Whether a NIfTI header is followed by extensions."""
    length = _NIFTI1 if head[344:347] == b"ni1" else _NIFTI2
    return head[length : length + 1] not in (b"", b"\0")


def joined_header(header: bytes, values: bytes) -> bytes:
    """What is put before the bytes of the second file, so that both are one.

    Parameters
    ----------
    header : bytes
        Of the first file, as `half_of` knows it.
    values : bytes
        The first bytes of the second file.

    Raises
    ------
    ImageReadError
        The header lists several files.
    """
    half = half_of(header[:HEAD], len(header))
    assert half is not None
    if half.data_file.upper().startswith("LIST") or re.search(r"%0?\d*d", half.data_file):
        raise ImageReadError(
            f"The {half.kind} header lists several files of values; save the volume as one file."
        )
    if half.kind == "MetaImage":
        return metaimage.joined(header)
    if half.kind == "NRRD":
        return nrrd.joined(header)
    cut = header[: int.from_bytes(header[:4], "little" if header[3] == 0 else "big")]
    # The members of a gzip file are unpacked one after the other.
    return gzip.compress(cut, mtime=0) if values.startswith(_GZIP) else cut


def belonging(parts: Sequence[Part]) -> dict[int, int]:
    """Which of several files belong together: from the index of a header to that of its values.

    A header's second file is the one that it names, else the one of its own name, else, of two
    files, the other one. Files that are images by themselves belong to none.
    """
    halves = {n: half for n, part in enumerate(parts) if (half := half_of(part.head, part.size))}
    free = [n for n, part in enumerate(parts) if n not in halves and not _is_image(part.head)]
    found: dict[int, int] = {}
    for fits in (_named, _alike, lambda *_: len(parts) == 2):
        for header, half in halves.items():
            other = next((n for n in free if fits(parts[header].name, half, parts[n].name)), None)
            if header not in found and other is not None:
                found[header] = other
                free.remove(other)
    return found


def _is_image(head: bytes) -> bool:
    try:
        sniff(head)
    except ImageReadError:
        return False
    return True


def _named(_: str, half: Half, other: str) -> bool:
    stated = PurePosixPath(half.data_file.replace("\\", "/")).name
    return bool(stated) and stated.casefold() == _base(other)


def _alike(header: str, _: Half, other: str) -> bool:
    stem, name = _base(header).rpartition(".")[0], _base(other)
    return any(name == stem + end for end in _VALUES)


def _base(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name.casefold()


def head_of(path: Path) -> bytes:
    """The first `HEAD` bytes of a file."""
    with path.open("rb") as file:
        return file.read(HEAD)


def pair_of(paths: Sequence[Path]) -> tuple[Path, Path] | None:
    """The header and the values, where two files are that; None for all others.

    Of more files, those that are named as headers and values are; others are not read.

    Raises
    ------
    OSError
        A file cannot be read.
    ImageReadError
        There are several such pairs.
    """
    if len(paths) > 2:
        paths = [one for one in paths if one.name.casefold().endswith((*_HEADERS, *_VALUES))]
    if len(paths) < 2:
        return None
    found = belonging([Part(one.name, head_of(one), one.stat().st_size) for one in paths])
    if len(found) > 1:
        raise ImageReadError(
            f"The files hold {len(found)} volumes, each with a header and a file of values; give "
            "the two files of one."
        )
    return next(((paths[first], paths[second]) for first, second in found.items()), None)


def beside(path: Path) -> tuple[Path, Path] | None:
    """The header and its second file, of which ``path`` is one, in one folder; None for neither.

    Only a file of the header's folder is taken: one that the header names by a bare name that ends
    as those of values do, or one of the header's own name, and none to which a link points.
    """
    # Opening a pipe would wait for somebody to write to it.
    if not path.is_file():
        return None
    head = head_of(path)
    half = half_of(head, path.stat().st_size)
    if half is not None:
        other = _values_of(path, half)
        return None if other is None else (path, other)
    if _is_image(head):
        return None
    stem = path.name.removesuffix(".gz").removesuffix(".bz2").rpartition(".")[0] or path.name
    for end in _HEADERS:
        header = path.with_name(stem + end)
        if header == path or not header.is_file():
            continue
        half = half_of(head_of(header), header.stat().st_size)
        if half is not None and _values_of(header, half) == path:
            return header, path
    return None


def _values_of(header: Path, half: Half) -> Path | None:
    stem = header.name.rpartition(".")[0]
    names = [stem + end for end in _VALUES]
    stated = half.data_file
    if _PLAIN_NAME.fullmatch(stated) and stated.casefold().endswith(_VALUES):
        names.insert(0, stated)
    folder = header.parent.resolve()
    found = [header.with_name(name) for name in names]
    return next(
        (one for one in found if one.is_file() and one.resolve().parent == folder != one), None
    )
