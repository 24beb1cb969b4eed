"""An open study of ready-made images, and a server of it in a process of its own."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from study.domain.errors import StudyError
from study.domain.protocol import Protocol
from study.storage import key_file
from study.storage.store import Store

SIDE = 512
"""Rows and columns of the images."""
_CASES, _METHODS = 8, 4
PAIRS = _CASES * _METHODS * (_METHODS - 1) // 2
"""Pairs of each reader."""
_START_SECONDS = 120.0


def open_study_of(folder: Path, readers: int, url: str | None) -> Store:
    """An open study of ready-made images, in which each reader reads each pair once."""
    from study.planning.freeze import freeze
    from study.planning.lifecycle import open_study
    from study.stimuli.rendering import Options, build
    from study.stimuli.sources import from_folders

    protocol = Protocol(
        title="Load", readers=readers, training=0, dummies=0, repeats=0, nulls=0, ask_blinding=False
    )
    _images(folder / "images")
    key = key_file.create(folder / "key.json", folder / "study")
    store = Store.create(
        folder / "study", protocol=protocol, code="LOAD", seed_sha256=key.seed_sha256, url=url
    )
    key = key.bind(store.study_id)
    key_file.save(key)
    build(store, key, from_folders(folder / "images"), options=Options(accept_differences=True))
    freeze(store, key, actor="bench")
    open_study(store, actor="bench")
    return store


def _images(folder: Path) -> None:
    """Smooth cases with more or less noise by method."""
    from PIL import Image

    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    for case in range(_CASES):
        clean = 128 + 60 * np.sin((9 + case) * x) * np.cos((7 + 2 * case) * y)
        for method in range(_METHODS):
            noise = np.random.default_rng([case, method]).normal(0, 2 * method + 1, clean.shape)
            path = folder / f"step{method}" / f"case{case}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.rint(clean + noise).clip(0, 255).astype(np.uint8)).save(path)


@contextmanager
def server_of(folder: Path, url: str | None) -> Iterator[str]:
    """Run a server of the study as a process, and yield its root URL."""
    command = [sys.executable, "-m", "study", "serve", str(folder), "--port", "0"]
    if url is not None:
        command += ["--database", url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lines: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)

    threading.Thread(target=listen, daemon=True).start()
    try:
        while True:
            try:
                name, _, link = lines.get(timeout=_START_SECONDS).partition(": ")
            except queue.Empty:
                raise StudyError("The server did not start.") from None
            if name == "Readers":
                break
        yield link.strip().removesuffix("/reader/")
    finally:
        process.terminate()
        process.wait(30)
