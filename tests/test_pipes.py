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
