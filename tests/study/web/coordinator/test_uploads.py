"""Zip files of coordinators: nothing leaves the folder, and whatever is wrong is one sentence."""

from __future__ import annotations

import io
import random
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from study.domain.errors import BuildError
from study.web.coordinator.uploads import Uploads

LINK = 0o120777 << 16


def archive(*names: str, attributes: int = 0) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for number, name in enumerate(names):
            entry = zipfile.ZipInfo("x")
            # Not as an argument, which would cut it at a NUL.
            entry.filename, entry.external_attr = name, attributes
            made.writestr(entry, f"content {number}")
    return target.getvalue()


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("",), "without a name"), (("a.png", ""), "without a name"), (("./",), "is empty"),
        ((".",), "without a name"), (("\0a.png",), "without a name"),
        (("../a.png",), "leads elsewhere"), (("/etc/a.png",), "leads elsewhere"),
        (("a/../../b.png",), "leads elsewhere"), (("C:\\a.png",), "leads elsewhere"),
        (("a.png", "a.png"), "cannot be unpacked"), (("a", "a/b.png"), "cannot be unpacked"),
        (("x" * 300,), "cannot be unpacked"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_none_is_refused(tmp_path: Path, names: tuple[str, ...], says: str) -> None:
    refused(tmp_path, archive(*names), says)


def test_a_link_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, archive("a.png", attributes=LINK), "leads elsewhere")


def refused(folder: Path, content: bytes, says: str) -> None:
    path = folder / "upload.zip"
    path.write_bytes(content)
    with pytest.raises(BuildError, match=says):
        Uploads().take(path)
    assert list(folder.iterdir()) == []


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    """Bytes changed anywhere: names, sizes, methods, checksums."""
    good = archive("kante/fall_ä.png", "b/c.png", "manifest.csv")
    draws = random.Random(7)
    for _ in range(300):
        data = bytearray(good)
        for _ in range(draws.choice((1, 2, 5))):
            data[draws.randrange(len(data))] = draws.choice((0, 1, 0x7F, 0x80, 0xFF, 0x2F))
        path = tmp_path / "upload.zip"
        path.write_bytes(data)
        uploads = Uploads()
        with suppress(BuildError):
            uploads.take(path)
        uploads.clear()
        assert list(tmp_path.iterdir()) == []
