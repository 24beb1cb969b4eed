"""Zip files that coordinators upload."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

from benchmarks.attack.attack import Attack, Outcome, outcome
from benchmarks.attack.copies import StudyCopy
from enhancers import zip_limits
from study.domain.errors import BuildError
from study.web.coordinator.uploads import Uploads

_LINK = 0o120777 << 16
NAMES = {
    "up": "../../up.png", "root": "/etc/up.png", "inner": "a/../../up.png", "drive": "C:\\up.png",
    "backslash": "..\\..\\up.png", "empty": "", "point": ".", "nul": "\0up.png", "long": "x" * 300,
}  # fmt: skip


def archive(name: str, content: bytes = b"x", *, link: bool = False) -> bytes:
    """A zip file with one entry, whatever its name."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        entry = zipfile.ZipInfo("x")
        entry.compress_type = zipfile.ZIP_DEFLATED
        # Not as an argument, which would cut it at a NUL.
        entry.filename, entry.external_attr = name, _LINK if link else 0
        made.writestr(entry, content)
    return target.getvalue()


def _refused(content: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload.zip"
        path.write_bytes(content)
        taken = Uploads()
        try:
            taken.take(path)
        except BuildError:
            return True
        finally:
            taken.clear()
        return False


def names(copy: StudyCopy) -> Outcome:
    """Entries with names that lead elsewhere, or that are none, and links."""
    passed = [kind for kind, name in NAMES.items() if not _refused(archive(name))]
    passed += [] if _refused(archive("up.png", b"/etc/passwd", link=True)) else ["link"]
    return outcome(not passed, f"taken: {', '.join(passed) or 'none'}")


def damaged(copy: StudyCopy) -> Outcome:
    """Files with bytes changed anywhere: a sentence, and never another error."""
    good = archive("kante/fall_ä.png", b"content" * 20)
    for place in range(len(good)):
        data = bytearray(good)
        data[place] ^= 0x5A
        _refused(bytes(data))
    return outcome(True, f"{len(good)} damaged files")


def bomb(copy: StudyCopy) -> Outcome:
    """A file that unpacks to more than is allowed."""
    most, zip_limits.MOST_BYTES = zip_limits.MOST_BYTES, 10**6
    try:
        held = _refused(archive("up.png", b"\0" * 10**7))
    finally:
        zip_limits.MOST_BYTES = most
    return outcome(held, "refused" if held else "taken")


FILES: tuple[Attack[StudyCopy], ...] = (
    Attack("zip entries that lead elsewhere or have no name", "refused", names),
    Attack("zip files with changed bytes", "one sentence", damaged),
    Attack("a zip file that unpacks to too much", "refused", bomb),
)
