"""Zip archives and DICOMDIRs: what is read, and what is refused by name."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from enhancers import zip_limits
from enhancers.errors import ImageReadError, ImageTooLarge
from enhancers.series import find_series, is_collection, load_slice
from enhancers.series.times import pick_at
from tests.support import dicom_series, image_files


def zipped(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def three() -> dict[str, bytes]:
    return {f"study/IM{n}": dicom_series.slice_file((0, 0, -2 * n), n) for n in (1, 2, 3)} | {
        "study/readme.txt": b"notes",
        "__MACOSX/._IM1": b"x",
        ".DS_Store": b"x",
    }


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_archive_is_read_in_place(tmp_path: Path, method: int) -> None:
    path = zipped(tmp_path / "x.zip", three(), method)
    found = find_series(path)
    (series,) = found.series
    assert [int(load_slice(series, k).source[0, 0]) for k in range(3)] == [3, 2, 1]
    assert found.ignored == {"files that are no DICOM": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["x.zip"]


def test_entries_of_one_name_are_both_read(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("IM", dicom_series.slice_file((0, 0, 1), 1))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("IM", dicom_series.slice_file((0, 0, 2), 2))
    (series,) = find_series(path).series
    assert [int(load_slice(series, k).source[0, 0]) for k in range(2)] == [1, 2]


def _link(archive: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("scan")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(entry, "/etc/passwd")


def _entry(name: str, data: bytes = b"x") -> Callable[[zipfile.ZipFile], None]:
    return lambda archive: archive.writestr(name, data)


def _inner() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x", "x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("add", "says"),
    [
        (_entry("../../evil"), r"leads out of its folder: '\.\./\.\./evil'"),
        (_entry("a/../../evil"), "leads out of its folder"),
        (_entry("/etc/evil"), "leads out of its folder"),
        (_entry("..\\evil"), "leads out of its folder"),
        (_entry("C:\\evil"), "leads out of its folder"),
        (_link, "link instead of a file: 'scan'"),
        (_entry("inner.dcm", _inner()), "another archive: 'inner.dcm'"),
        (_entry("inner", b"7z\xbc\xaf\x27\x1c" + bytes(50)), "another archive"),
        (_entry("inner", b"Rar!" + bytes(50)), "another archive"),
        (_entry("inner.tgz", b"\x1f\x8b\x08" + bytes(50)), "another archive"),
        (_entry("inner", bytes(257) + b"ustar" + bytes(250)), "another archive"),
    ],
)
def test_archives_that_are_refused(
    tmp_path: Path, add: Callable[[zipfile.ZipFile], None], says: str
) -> None:
    path = zipped(tmp_path / "x.zip", three())
    with zipfile.ZipFile(path, "a") as archive:
        add(archive)
    with pytest.raises(ImageReadError, match=says):
        find_series(path)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", three(), zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    # The flag in the central directory, which is what readers go by.
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ImageReadError, match="encrypted"):
        find_series(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_bounds_are_refused(tmp_path: Path, method: int) -> None:
    with pytest.raises(ImageReadError, match=f"method {method}"):
        find_series(zipped(tmp_path / "x.zip", three(), method))


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "x.zip", {"IM1": bytes(150_000_000)})
    with pytest.raises(ImageTooLarge, match="400 times"):
        find_series(path)
    many = zipped(tmp_path / "many.zip", three())
    monkeypatch.setattr(zip_limits, "MOST_ENTRIES", 3)
    with pytest.raises(ImageTooLarge, match="holds 6 files; 3 are allowed"):
        find_series(many)
    monkeypatch.setattr(zip_limits, "MOST_ENTRIES", 10)
    monkeypatch.setattr(zip_limits, "FREE_BYTES", 1000)
    monkeypatch.setattr(zip_limits, "MOST_EXPANSION", 1)
    with pytest.raises(ImageTooLarge, match="MB are allowed"):
        find_series(many)


def test_a_damaged_archive_and_a_damaged_entry(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", three(), zipfile.ZIP_STORED)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageReadError, match="zip archive is damaged"):
        find_series(path)
    path.write_bytes(data)
    (series,) = find_series(path).series
    zipped(path, {"other": b"x"})
    with pytest.raises(ImageReadError, match="replaced"):
        load_slice(series, 0)


def test_numpy_archives_are_no_collections(tmp_path: Path) -> None:
    import numpy as np

    np.savez(tmp_path / "x.npz", kspace=np.zeros((4, 4)))
    assert not is_collection(tmp_path / "x.npz")
    assert is_collection(zipped(tmp_path / "x.zip", three()))
    assert is_collection(tmp_path)


def _disc(folder: Path, listed: list[list[str]]) -> Path:
    dicom_series.stack(folder / "DICOM", [4, 0, 2])
    path = folder / "DICOMDIR"
    path.write_bytes(dicom_series.dicomdir(listed))
    return path


def test_a_dicomdir_gives_the_files_that_it_lists(tmp_path: Path) -> None:
    # IM998 is not listed, and IM1 is missing; some systems show the names in lower case.
    path = _disc(tmp_path, [["DICOM", "IM999"], ["DICOM", "IM997"], ["DICOM", "IM1"]])
    (tmp_path / "DICOM").rename(tmp_path / "dicom")
    for one in list((tmp_path / "dicom").iterdir()):
        one.rename(one.with_name(one.name.lower()))
    found = find_series(path)
    (series,) = found.series
    assert [int(load_slice(series, k).source[0, 0]) for k in range(2)] == [3, 1]
    assert found.ignored == {"files of the DICOMDIR that are missing": 1}
    (note,) = pick_at(found, None, None).notes
    assert note == "Left out, and perhaps slices of it: files of the DICOMDIR that are missing (1)."
    assert image_files.PATIENT[0] not in repr(found)


@pytest.mark.parametrize(
    "parts", [["..", "x"], ["/etc", "passwd"], ["a/../../x"], ["", "etc"], ["C:", "x"]]
)
def test_a_dicomdir_that_leads_elsewhere_is_refused(tmp_path: Path, parts: list[str]) -> None:
    path = _disc(tmp_path / "disc", [["DICOM", "IM999"], parts])
    (tmp_path / "x").write_bytes(dicom_series.slice_file((0, 0, 0), 9))
    with pytest.raises(ImageReadError, match="outside its folder"):
        find_series(path)


def test_pipes_and_broken_links_are_not_opened(tmp_path: Path) -> None:
    folder = dicom_series.stack(tmp_path / "scan", [0, 2])
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(tmp_path / "nothing")
    found = find_series(folder)
    assert len(found.series[0].slices) == 2
    assert found.ignored == {"files that cannot be opened": 2}
