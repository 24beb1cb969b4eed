"""Downloads: resumable, checked by size and SHA-256, refused where network access is off."""

from __future__ import annotations

import contextlib
import re
import shutil
import textwrap
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import httpx

from enhancers.errors import FetchFailed
from enhancers.networks.digests import sha256_steps
from enhancers.networks.entry import Download, Hub, bytes_text
from enhancers.networks.progress import Progress

ATTEMPTS = 5
"""Attempts in a row without a byte after which a download is given up."""
FIRST_ATTEMPTS = 2
"""The same while no server was reached: most likely there is no network, and the user waits."""
PAUSE_SECONDS = 1.0
"""Pause before the second attempt; doubled for each further one."""
TIMEOUT = httpx.Timeout(30.0, connect=15.0)
PIECE = 2**20
"""Bytes between two reports of progress."""
SPARE = 256 * 2**20
"""Bytes of the disk that must stay free."""

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


def offline() -> bool:
    """Whether HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) forbids network access."""
    from huggingface_hub import constants

    return constants.is_offline_mode()


def check_space(
    folder: Path, needed: int, what: str, *, setting: str = "READINGROOM_MODELS_DIR"
) -> None:
    """Raise FetchFailed where the disk of ``folder`` has no room for ``needed`` bytes.

    ``setting`` is the environment variable with which the user chooses another folder.
    """
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if free < needed + SPARE:
        raise FetchFailed(
            f"{what} needs {bytes_text(needed)} below {folder} and its disk has "
            f"{bytes_text(free)} free; make room, or set {setting} to another disk."
        )


def download(source: Download, path: Path) -> Iterator[Progress]:
    """Download a file to ``path``, continuing what is there; an interruption leaves it for later.

    Raises
    ------
    FetchFailed
        The server cannot be reached, or sends another file than the expected one.
    """
    yield from received(source, path)
    digest = yield from sha256_steps(path, "Checking the download")
    if digest != source.sha256:
        path.unlink()
        raise FetchFailed(
            f"What {source.address} sent has SHA-256 {digest} and not {source.sha256}: it is "
            "another or a damaged file, and was deleted."
        )


def received(source: Download, path: Path) -> Iterator[Progress]:
    """Download a file as `download` does, without a check of its content.

    Raises
    ------
    FetchFailed
        The server cannot be reached, or sends a file of another size.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    note = f"Downloading {httpx.URL(source.address).path.rpartition('/')[2]}"
    idle, reached = 0, False
    while (have := _size(path)) != source.size:
        if have > source.size:
            path.unlink()
            continue
        try:
            for done in _transfer(source, path, have):
                yield Progress(note, done, source.size)
        except httpx.TransportError as error:
            idle = 0 if _size(path) > have else idle + 1
            reached = reached or not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            if idle >= (ATTEMPTS if reached else FIRST_ATTEMPTS):
                raise FetchFailed(
                    f"{source.address} cannot be reached ({_reason(error)}). What has arrived is "
                    "kept: try again later to continue."
                ) from error
            yield Progress(f"{note}: the connection failed, trying again", _size(path), source.size)
            time.sleep(PAUSE_SECONDS * 2**idle)
        except httpx.HTTPError as error:
            raise FetchFailed(f"{source.address} cannot be read ({_reason(error)}).") from error


def _transfer(source: Download, path: Path, have: int) -> Iterator[int]:
    """Send one request, append its answer to ``path``, and yield the size of the file."""
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with httpx.stream(
        "GET", source.address, headers=headers, timeout=TIMEOUT, follow_redirects=True
    ) as response:
        start = _start(source, response, have)
        with path.open("r+b" if start else "wb") as file:
            file.seek(start)
            done = reported = start
            # In the pieces that arrive: a larger buffer would be lost with the connection.
            for piece in response.iter_raw():
                if done + len(piece) > source.size:
                    raise _another(source, f"more than {source.size} bytes")
                file.write(piece)
                done += len(piece)
                if done - reported >= PIECE or done == source.size:
                    reported = done
                    yield done
    if done < source.size:
        raise httpx.ReadError(f"the connection ended after {done} of {source.size} bytes")


def _start(source: Download, response: httpx.Response, have: int) -> int:
    """The position at which the answer begins; FetchFailed where it is of another file."""
    status = response.status_code
    if status == httpx.codes.PARTIAL_CONTENT:
        range_ = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if range_ is None or int(range_[1]) != have:
            raise _another(source, "a part that was not asked for")
        if range_[2] not in ("*", str(source.size)):
            raise _another(source, f"a file of {range_[2]} bytes, not {source.size}")
        return have
    if status == httpx.codes.OK:
        length = response.headers.get("Content-Length", str(source.size))
        if length != str(source.size):
            raise _another(source, f"a file of {length} bytes, not {source.size}")
        return 0
    if status in (408, 429) or status >= 500:
        raise httpx.RemoteProtocolError(f"it answered {status} {response.reason_phrase}")
    raise FetchFailed(f"{source.address} answered {status} {response.reason_phrase}.".rstrip())


def _another(source: Download, what: str) -> FetchFailed:
    return FetchFailed(f"{source.address} sends {what}: it is not the file that was published.")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: Exception) -> str:
    return textwrap.shorten(str(error), 160, placeholder=" ...").rstrip(".") or type(error).__name__


class _Stopped(Exception):
    """Ends the hub's threads after the caller has stopped."""


def snapshot(source: Hub, endpoint: str | None = None) -> Iterator[Progress]:
    """Download a repository's files into the hub's cache, continuing an interrupted download.

    Raises
    ------
    FetchFailed
        The hub cannot be reached, or sends other files than the expected ones.
    """
    stopped = threading.Event()
    failure: list[Exception] = []

    def work() -> None:
        from huggingface_hub import snapshot_download

        try:
            snapshot_download(
                source.repository, revision=source.revision, endpoint=endpoint,
                allow_patterns=[file.path for file in source.files],
                tqdm_class=stopping_bar(stopped.is_set),
            )  # fmt: skip
        except Exception as error:
            failure.append(error)

    worker = threading.Thread(target=work, name="snapshot", daemon=True)
    worker.start()
    try:
        while worker.is_alive():
            worker.join(0.25)
            arrived = min(_arrived(source), source.size)
            yield Progress(f"Downloading {source.repository}", arrived, source.size)
    finally:
        stopped.set()
    if failure:
        raise FetchFailed(
            f"{source.repository} could not be fetched from the hub ({_reason(failure[0])}). What "
            "has arrived is kept: try again later to continue."
        ) from failure[0]
    yield from _checked(source)


def _checked(source: Hub) -> Generator[Progress, None, None]:
    for file in source.files:
        path = source.folder / file.path
        digest = (yield from sha256_steps(path)) if path.is_file() else "none"
        if digest != file.sha256:
            # The cache links to the content, which would otherwise be used next time.
            path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise FetchFailed(
                f"{file.path} of {source.repository} arrived with SHA-256 {digest} and not "
                f"{file.sha256}: it is another or a damaged file, and was deleted."
            )


def _arrived(source: Hub) -> int:
    """Bytes of the repository in the hub's cache, including unfinished files."""
    total = 0
    for path in (source.folder.parents[1] / "blobs").glob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def stopping_bar(stopped: Callable[[], bool]) -> type[Any]:
    """A silent progress bar for the hub's threads, which raises once ``stopped()`` is true."""
    from tqdm import tqdm

    class Silent(tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            if stopped():
                raise _Stopped
            return super().update(n)

    return Silent
