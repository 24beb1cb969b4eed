"""A command whose output is read in part ends without a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from enhancers.pipes import CLOSED

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "command",
    [
        ("enhancers", "list", "--json"),
        ("enhancers", "networks", "list"),
        ("study", "--help"),
        ("study", "stats", "--help"),
        ("benchmarks", "--help"),
    ],
    ids=" ".join,
)
def test_a_closed_pipe_is_no_traceback(command: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (CLOSED, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("place", "status", "says"), [(">&-", 0, ""), ("> /dev/full", CLOSED, "the disk is full")]
)
def test_no_output_and_a_full_disk_are_no_traceback(
    place: str, status: int, says: str, unbuffered: str
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m enhancers list --json {place}', sys.executable],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr
