"""The worker process: decodes one file after another, within limits that it sets for itself.

The server starts it as ``python -m enhancers.decoding.worker BYTES SECONDS`` and sends requests on
its standard input (see `messages`). It imports what decoding needs, and neither torch nor gradio.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from enhancers.decoding.derived_heads import head_facts
from enhancers.decoding.messages import (
    ConnectionEnded,
    image_facts,
    raw_facts,
    read_facts,
    spectrum_arrays,
    with_source,
    write_arrays,
    write_facts,
)
from enhancers.decoding.series_messages import found_facts, source_file
from enhancers.errors import ReadingRoomError
from enhancers.load import Caps, coded_values, read_slice, read_volume
from enhancers.load.raw import packed, quiet_cv2
from enhancers.load.window import as_source, finish
from enhancers.save.dicom import DerivedFacts, derived_head
from enhancers.series import find_series
from enhancers.series.headers import frame_count
from enhancers.series.reader import SliceReader

LIBRARIES = ("dicom", "numpy_kspace", "raster", "tiff", "volumes.volume")
GRACE = 5
"""Seconds after which the process ends by itself where the server did not end it: it was killed."""

READY = {"ready": True}
"""What the worker sends when it has started: the time for a file counts from then."""

Answer = tuple[dict[str, Any], list[NDArray[Any]]]


def main(memory: int, seconds: int) -> None:
    """Answer requests until the server closes the connection."""
    requests, answers = _own_streams()
    for name in LIBRARIES:
        importlib.import_module(f"enhancers.load.{name}")
    quiet_cv2().setNumThreads(1)
    _limit(memory)
    write_facts(answers.write, READY)
    with contextlib.suppress(ConnectionEnded, BrokenPipeError):
        while True:
            asked = read_facts(requests)
            with _time_limit(seconds + GRACE) as restart:
                _answer(asked, requests, answers, restart)


def _answer(
    asked: dict[str, Any], requests: BufferedReader, answers: FileIO, restart: Callable[[], None]
) -> None:
    def write(data: Any) -> None:
        view = memoryview(data)
        while view:
            view = view[answers.write(view) :]

    def report(done: int) -> None:
        restart()
        write_facts(write, {"done": done})

    data = requests.read(asked["size"])
    try:
        if asked["job"] in REPORTING_JOBS:
            facts, arrays = REPORTING_JOBS[asked["job"]](asked, report)
        else:
            facts, arrays = JOBS[asked["job"]](asked, data)
    except ReadingRoomError as error:
        write_facts(write, {"error": type(error).__name__, "message": str(error)})
    except MemoryError:
        write_facts(write, {"error": "MemoryError"})
    except Exception as error:
        write_facts(write, {"error": "internal", "message": repr(error)[:500]})
    else:
        write_arrays(write, facts, arrays)


def _image(asked: dict[str, Any], data: bytes) -> Answer:
    """One slice as an image; and the volume it is of, where that is at hand and small."""
    caps, index = Caps(**asked["caps"]), asked["slice_index"]
    volume = read_volume(data, caps) if asked["volume"] else None
    plane, at = asked["plane"], asked["time"]
    if volume is None:
        raw = read_slice(data, index, caps, plane, at)
    else:
        raw = volume.slice(index, plane, at)
    window = None if asked["window"] is None else tuple(asked["window"])
    image = finish(raw, hashlib.sha256(data).hexdigest(), window)
    del data
    facts = image_facts(with_source(raw, image), image)
    arrays: list[NDArray[Any]] = [image.source, image.pixels]
    if volume is not None:
        facts["volume"] = volume.header.as_json()
        arrays.append(volume.as_bytes())
    elif raw.sample is not None:
        arrays.append(raw.sample)
    return facts, [*arrays, *spectrum_arrays(raw)]


def _header(asked: dict[str, Any], data: bytes) -> Answer:
    """Coded values of a DICOM header, of a file or of one of a series."""
    caps = Caps(**asked["caps"])
    return {"values": coded_values(_data(asked, data, caps), asked["names"], caps)}, []


def _data(asked: dict[str, Any], data: bytes, caps: Caps) -> bytes:
    """The bytes of a file that was sent, or of the one of a series that the server names."""
    file = asked.get("file")
    return data if file is None else source_file(file, Path(asked["source"])).read(caps)


def _series(asked: dict[str, Any], report: Callable[[int], None]) -> Answer:
    """The series of an upload, from the headers of its files."""
    last = time.monotonic()

    def progress(done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= asked["report_seconds"]:
            last = time.monotonic()
            report(done)

    found = find_series(Path(asked["source"]), Caps(**asked["caps"]), progress)
    return found_facts(found), []


_reader = functools.lru_cache(maxsize=1)(SliceReader)


def _frames(asked: dict[str, Any], data: bytes) -> Answer:
    """How many frames a DICOM file has, that the server names; 0 for other files."""
    del data
    with contextlib.suppress(OSError), Path(asked["source"]).open("rb") as file:
        return {"frames": frame_count(file, Caps(**asked["caps"]))}, []
    return {"frames": 0}, []


def _slices(asked: dict[str, Any], report: Callable[[int], None]) -> Answer:
    """Slices of a series, whose files the server names."""
    reader, source = _reader(Caps(**asked["caps"])), Path(asked["source"])
    facts: list[dict[str, Any]] = []
    arrays: list[NDArray[Any]] = []
    for file, frame in asked["slices"]:
        if arrays:
            report(len(arrays))
        raw, digest = reader.read(source_file(file, source), frame)
        kept = packed(raw, as_source(raw.values))
        facts.append({**raw_facts(kept), "digest": digest})
        arrays.append(kept.values)
    return {"slices": facts}, arrays


def _derived(asked: dict[str, Any], data: bytes) -> Answer:
    """The head of an object that is derived from a file, or from one of an upload of many."""
    caps = Caps(**asked["caps"])
    data = _data(asked, data, caps)
    rows, columns = asked["shape"]
    facts = DerivedFacts.from_json(asked["facts"])
    return head_facts(derived_head(data, facts, (rows, columns), caps))


JOBS: dict[str, Callable[[dict[str, Any], bytes], Answer]] = {
    "image": _image, "header": _header, "derived": _derived, "frames": _frames,
}  # fmt: skip
REPORTING_JOBS: dict[str, Callable[[dict[str, Any], Callable[[int], None]], Answer]] = {
    "series": _series, "slices": _slices,
}  # fmt: skip
"""Jobs with many files, each of which may take the time of one."""


def _own_streams() -> tuple[BufferedReader, FileIO]:
    """Standard input and output; libraries that print, print to nowhere."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    return requests, answers


def _limit(memory: int) -> None:
    """Limit what may be allocated beyond what the libraries have, where the system has limits.

    `RLIMIT_DATA` counts private memory; the address space is limited too, for systems that count
    nothing else.
    """
    with contextlib.suppress(AttributeError, OSError, ValueError):
        os.nice(5)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        size, data = _own_size()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (data + memory, data + memory))
        # Threads and libraries that are loaded later take address space and little memory.
        space = size + memory + 2**30
        resource.setrlimit(resource.RLIMIT_AS, (space, space))


def _own_size() -> tuple[int, int]:
    """Bytes of the address space and of private memory of this process; 0 where unknown."""
    try:
        fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0, 0
    page = os.sysconf("SC_PAGE_SIZE")
    return int(fields[0]) * page, int(fields[5]) * page


@contextlib.contextmanager
def _time_limit(seconds: int) -> Iterator[Callable[[], None]]:
    """End the process after so long; the server does so earlier, unless it was killed itself.

    What is yielded starts the time anew.
    """

    def restart() -> None:
        if hasattr(signal, "alarm"):
            signal.alarm(seconds)

    restart()
    yield restart
    if hasattr(signal, "alarm"):
        signal.alarm(0)


if __name__ == "__main__":
    main(*(int(value) for value in sys.argv[1:3]))
