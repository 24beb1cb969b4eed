"""A quota of uploads for each address in an hour, and no upload that the disk cannot hold."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

from enhancers.http_limits.addresses import client_group

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOUR = 3600.0
GB_PER_HOUR = 8.0
FILES_PER_HOUR = 5000
_STEP = 60.0
"""Seconds whose uploads are counted together."""
_ADDRESSES = 10_000
"""Most addresses that are remembered; the one that uploaded least recently is forgotten."""
_SPARE = 64 * 2**20
"""Bytes that an upload leaves free on the disk."""
_FILE = b'filename="'


@dataclass
class _Step:
    """What came from one address in a minute."""

    at: float
    bytes: int = 0
    files: int = 0


class UploadQuota:
    """Counts in memory what each address uploads.

    Parameters
    ----------
    gb_per_hour : float
        Most 10^9 bytes.
    files_per_hour : int
    clock : callable
        Gives seconds.
    """

    def __init__(
        self,
        gb_per_hour: float = GB_PER_HOUR,
        files_per_hour: int = FILES_PER_HOUR,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gb, self._files = gb_per_hour, files_per_hour
        self._clock = clock
        self._lock = threading.Lock()
        self._steps: OrderedDict[str, list[_Step]] = OrderedDict()

    def take(self, address: str, size: int) -> str:
        """Count an upload of some bytes, or say why it is refused; empty where it is not."""
        with self._lock:
            now = self._clock()
            steps = [one for one in self._steps.get(address, ()) if one.at > now - HOUR]
            left = self._gb * 1e9 - sum(one.bytes for one in steps)
            if size > left or sum(one.files for one in steps) >= self._files:
                minutes = math.ceil((steps[0].at + HOUR - now) / 60) if steps else 60
                return self._sentence(size, minutes)
            self._step(address, steps, now).bytes += size
            return ""

    def add_files(self, address: str, number: int) -> None:
        """Count files of an upload that was taken."""
        with self._lock:
            steps = self._steps.get(address, [])
            self._step(address, steps, self._clock()).files += number

    def _step(self, address: str, steps: list[_Step], now: float) -> _Step:
        if not steps or steps[-1].at < now - _STEP:
            steps = [*steps, _Step(now)]
        self._steps[address] = steps
        self._steps.move_to_end(address)
        while len(self._steps) > _ADDRESSES:
            self._steps.popitem(last=False)
        return steps[-1]

    def _sentence(self, size: int, minutes: int) -> str:
        if size > self._gb * 1e9:
            return f"This file is too large: {self._gb:g} GB may be uploaded in an hour."
        return (
            f"Too much was uploaded from your address: {self._gb:g} GB or {self._files} files are "
            f"possible in an hour. Try again in {minutes} minute{'s' * (minutes != 1)}."
        )


class QuotaOfUploads:
    """ASGI middleware: uploads beyond the quota, or the disk, are refused before they are stored.

    Parameters
    ----------
    app : ASGIApp
    quota : UploadQuota
    """

    def __init__(self, app: ASGIApp, quota: UploadQuota) -> None:
        self._app = app
        self._quota = quota

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with a sentence that the page shows."""
        if scope["type"] != "http" or not _is_upload(scope):
            await self._app(scope, receive, send)
            return
        address = client_group(scope)
        status, problem = self._problem(scope, address)
        if not problem:
            await self._app(scope, self._counted(receive, address), send)
            return
        # A browser that is still sending would show that the connection broke.
        while (await receive()).get("more_body"):
            pass
        await PlainTextResponse(problem, status)(scope, receive, send)

    def _problem(self, scope: Scope, address: str) -> tuple[int, str]:
        size = Headers(scope=scope).get("content-length", "")
        if not size.isdecimal():
            return 411, "An upload has to say its size (Content-Length)."
        if _free_bytes() < int(size) + _SPARE:
            return 507, "The disk of the server is full: nothing can be uploaded now."
        return 429, self._quota.take(address, int(size))

    def _counted(self, receive: Receive, address: str) -> Receive:
        """Count the files in a form while it is read."""
        end = b""

        async def counted() -> Message:
            nonlocal end
            message = await receive()
            text = end + message.get("body", b"")
            if number := text.count(_FILE):
                self._quota.add_files(address, number)
            # A name that is cut between two messages is counted with the second one.
            end = text[-(len(_FILE) - 1) :]
            return message

        return counted


def _is_upload(scope: Scope) -> bool:
    path: str = scope["path"]
    return scope["method"] == "POST" and path.rstrip("/").endswith("/upload")


def _free_bytes() -> int:
    """Bytes that are free where Gradio keeps uploads."""
    folder = os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return shutil.disk_usage(tempfile.gettempdir()).free
