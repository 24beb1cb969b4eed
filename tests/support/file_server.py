"""A local web server with the faults of real ones, and a small imitation of the hub."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FakeSite:
    """The files of the server, and its faults.

    Parameters
    ----------
    files : dict
        Path to content.
    drop_after : list of int
        Bytes after which the connection ends early, one for each of the next requests.
    statuses : list of int
        Answers of the next requests, before any content.
    ranges : bool
        Whether it knows Range.
    length : int or None
        What it says of the whole file's length, where that is not the truth.
    offset : int
        How far the part it sends lies from the one that was asked for.
    """

    files: dict[str, bytes]
    drop_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    length: int | None = None
    offset: int = 0
    asked: list[str] = field(default_factory=list)


def _handler(site: FakeSite) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            wanted = self.headers.get("Range")
            site.asked.append(f"{self.command} {self.path} {wanted or ''}".strip())
            path = self.path.partition("?")[0]
            if body and site.statuses:
                self.send_response(site.statuses.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if path not in site.files:
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            whole = site.files[path]
            total = site.length or len(whole)
            start = 0
            if wanted and site.ranges:
                start = int(wanted.removeprefix("bytes=").rstrip("-")) + site.offset
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(total - start))
            self.send_header("ETag", f'"{hashlib.sha256(whole).hexdigest()}"')
            self.send_header("X-Repo-Commit", "c" * 40)
            if path.startswith("/api/"):
                self.send_header("Content-Type", "application/json")
            self.end_headers()
            if not body:
                return
            content = whole[start:]
            if site.drop_after and not path.startswith("/api/"):
                content = content[: site.drop_after.pop(0)]
                self.close_connection = True
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serving(site: FakeSite) -> Iterator[str]:
    """Serve ``site`` and yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def hub_of(repository: str, revision: str, files: dict[str, bytes]) -> FakeSite:
    """The hub's description of one repository at one revision."""
    tree = [
        {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
        for path, data in files.items()
    ]
    facts = {
        "id": repository, "modelId": repository, "sha": revision, "private": False, "tags": [],
        "downloads": 0, "likes": 0, "siblings": [{"rfilename": path} for path in files],
    }  # fmt: skip
    served = {f"/{repository}/resolve/{revision}/{path}": data for path, data in files.items()}
    served[f"/api/models/{repository}/revision/{revision}"] = json.dumps(facts).encode()
    served[f"/api/models/{repository}/tree/{revision}"] = json.dumps(tree).encode()
    return FakeSite(served)
