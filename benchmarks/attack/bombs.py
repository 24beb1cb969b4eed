"""Small files that unpack to much: an answer comes, memory is bounded, others are served."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from benchmarks.attack.attack import Attack, NotTried, Outcome, outcome
from benchmarks.attack.servers import Server
from tests.support.bombs import BOMBS
from tests.support.page_driver import DrivenTab

_MEMORY = 1.2e9
"""Bytes that all processes of the server may take more: two decoders with their limits."""
_ANSWER = 30.0
_OTHERS = 3.0
_AT_ONCE = 4


FILES: Mapping[str, tuple[str, str]] = {
    "DICOM": ("bomb.dcm", "deflated DICOM, long header"),
    "NIfTI": ("bomb.nii.gz", "NIfTI"),
    "PNG": ("bomb.png", "PNG"),
    "JPEG": ("bomb.jpg", "JPEG"),
}
"""The name of the file, and which of the bombs it is."""


def opened(kind: str, server: Server) -> Outcome:
    """Some visitors open such a file at once."""
    if not server.compares:
        raise NotTried("it has no compare page")
    name, bomb = FILES[kind]
    content, before = BOMBS[bomb](), server.memory()
    most, waited, done = [0], [0.0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            begun = time.perf_counter()
            with server.client() as client:
                client.get("/reader/login")
            waited[0] = max(waited[0], time.perf_counter() - begun)
            done.wait(0.1)

    def weigh() -> None:
        while not done.wait(0.05):
            most[0] = max(most[0], server.memory() - before)

    def one(number: int) -> float:
        begun = time.perf_counter()
        tab = DrivenTab(server.address)
        tab.upload("upload", name, content)
        tab.wait(2 * _ANSWER)
        tab.close()
        return time.perf_counter() - begun

    watchers = [threading.Thread(target=watch), threading.Thread(target=weigh)]
    for each in watchers:
        each.start()
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            seconds = max(pool.map(one, range(_AT_ONCE)))
    finally:
        done.set()
        for each in watchers:
            each.join()
    held = seconds < _ANSWER and most[0] < _MEMORY and waited[0] < _OTHERS
    told = f"{len(content) / 1e6:.1f} MB: {seconds:.0f} s, {most[0] / 1e9:.1f} GB more"
    return outcome(held, f"{told}, others wait {waited[0]:.1f} s")


SERVERS: tuple[Attack[Server], ...] = tuple(
    Attack(
        f"{_AT_ONCE} visitors open a {kind} that unpacks to much",
        f"{_ANSWER:.0f} s, below {_MEMORY / 1e9:g} GB",
        partial(opened, kind),
    )
    for kind in FILES
)
