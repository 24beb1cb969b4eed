"""Temporary files end with their process, or after kill -9 at the next start of another one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from enhancers.private_folders import remove_old

ROOT = Path(__file__).parents[1]
CODE = """
import sys, time
from enhancers.private_folders import private_folder, removed_at_sigterm
removed_at_sigterm()
(private_folder("gradio") / "Doe_Jane.dcm").write_bytes(b"patient")
print("ready", flush=True)
if sys.argv[1:] == ["wait"]:
    time.sleep(60)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks and signals of POSIX")


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, cwd=ROOT, env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.dcm")]


def test_a_process_that_ends_leaves_nothing(tmp_path: Path) -> None:
    assert start(tmp_path).wait() == 0
    assert list(tmp_path.iterdir()) == []


def test_sigterm_leaves_nothing(tmp_path: Path) -> None:
    with start(tmp_path, "wait") as process:
        assert files(tmp_path) == ["Doe_Jane.dcm"]
        process.terminate()
    assert list(tmp_path.iterdir()) == []


def test_the_next_start_removes_what_a_killed_process_left_and_nothing_else(
    tmp_path: Path,
) -> None:
    other = tmp_path / "reading-room-of-mine"
    other.mkdir()
    with start(tmp_path, "wait") as alive, start(tmp_path, "wait") as killed:
        assert len(files(tmp_path)) == 2
        killed.kill()
        killed.wait()
        assert len(files(tmp_path)) == 2
        start(tmp_path).wait()
        assert len(files(tmp_path)) == 1
        os.kill(alive.pid, signal.SIGKILL)
        alive.wait()
        start(tmp_path).wait()
    assert list(tmp_path.iterdir()) == [other]


def test_old_files_are_removed_with_their_folders_and_others_stay(tmp_path: Path) -> None:
    for name in ("logo", "upload/Doe_Jane.dcm"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"-")
    remove_old(tmp_path, 60)
    assert files(tmp_path) == ["Doe_Jane.dcm"]
    remove_old(tmp_path, -60, kept=[tmp_path / "logo"])
    assert [path.name for path in tmp_path.iterdir()] == ["logo"]
