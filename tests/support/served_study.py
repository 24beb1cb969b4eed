"""A real server for a study in this process, and readers over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from benchmarks.study_load.http_reader import HttpReader
from enhancers.http_limits.connections import limit_connections
from study.accounts.readers import invite
from study.server.standalone import address, bind, build_app, trusted_proxies
from study.storage.store import Store


@contextmanager
def served(store: Store, app=None) -> Iterator[str]:
    """Serve a study, or this app, on a free port; the address is the root."""
    app = app or build_app(store)
    config = uvicorn.Config(app, access_log=False, server_header=False, log_level="warning")
    limit_connections(config, trusted_proxies())
    server = uvicorn.Server(config)
    with bind("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        yield address(listening)
        server.should_exit = True
        thread.join(20)


@contextmanager
def http_reader(store: Store, root: str, code: str, judge=None, heard=None) -> Iterator[HttpReader]:
    """A reader over HTTP who has just joined."""
    with httpx.Client(base_url=root, timeout=60) as client:
        one = HttpReader(client, judge, heard)
        one.join(invite(store, code, actor="coordinator").path)
        yield one
