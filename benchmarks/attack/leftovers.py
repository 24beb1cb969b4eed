"""Files of patients that stay on the disk when a server is killed or ended."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from benchmarks.attack.attack import Attack, NotTried, Outcome, outcome
from benchmarks.attack.servers import Server, combined_app, end, random_text
from tests.support.image_files import png, ramp
from tests.support.page_driver import DrivenTab

_SECONDS = 15.0


def _upload(server: Server, mark: str) -> None:
    """Open an image whose file, and its name, have a mark."""
    tab = DrivenTab(server.address)
    content = png(ramp(64, 64, 255).astype("uint8")) + mark.encode()
    tab.upload("upload", f"{mark}.png", content)
    tab.wait()
    tab.close()


def _left(folder: Path, mark: str) -> int:
    """Files below a folder with the mark in their content or name."""
    found = 0
    for path in folder.rglob("*"):
        try:
            found += mark in path.name or (path.is_file() and mark.encode() in path.read_bytes())
        except OSError:
            continue
    return found


def _gone(folder: Path, mark: str) -> bool:
    begun = time.monotonic()
    while _left(folder, mark):
        if time.monotonic() - begun > _SECONDS:
            return False
        time.sleep(0.2)
    return True


def killed(server: Server) -> Outcome:
    """The server is killed with an upload open, and started again; then it is ended by SIGTERM."""
    if not server.compares or server.process is None:
        raise NotTried("it has no uploads of visitors")
    first, second = random_text(), random_text()
    _upload(server, first)
    end(server.process, signal.SIGKILL)
    stayed = _left(server.temporary, first)
    home = server.temporary.parent.with_name("again")
    with combined_app(server.own, home, temporary=server.temporary) as again:
        assert again.process is not None
        removed = _gone(server.temporary, first)
        _upload(again, second)
        end(again.process, signal.SIGTERM)
        ended = _gone(server.temporary, second)
    told = f"{stayed} files after kill -9, {'none' if removed else 'some'} at the next start"
    return outcome(removed and ended, f"{told}, {'none' if ended else 'some'} after SIGTERM")


LAST: tuple[Attack[Server], ...] = (
    Attack("kill -9 and SIGTERM with an upload open", "nothing is left", killed),
)
"""Made last: it ends the server."""
