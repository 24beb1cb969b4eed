"""``python app.py`` as a user starts it, for tests that need the running program."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


@contextmanager
def program(**settings: str) -> Iterator[str]:
    """``python app.py`` with these settings; yields its address."""
    named = {f"READINGROOM_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "READINGROOM_PORT": free_port(), **named},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = next((line for line in process.stdout if "Reading Room is at" in line), "")
        assert said, "the program did not start"
        yield said.split()[-1].rstrip("/")
    finally:
        process.terminate()
        process.wait(30)
