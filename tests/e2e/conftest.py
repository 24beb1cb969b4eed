"""A real browser and a served app, for the tests that look at what is on the screen."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from fastapi import APIRouter

if os.environ.get("READINGROOM_NO_BROWSER") == "1":
    collect_ignore_glob = ["test_*.py"]

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Debian's chromium, started once."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail(
            "No chromium on this machine: install it (apt-get install chromium) or set "
            "READINGROOM_NO_BROWSER=1 to leave the browser tests out.",
            pytrace=False,
        )
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    # Names of this machine, for tests with several sites.
    flags.append("--host-resolver-rules=MAP *.example.test 127.0.0.1")
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=path, args=flags)
        yield instance
        instance.close()


@contextmanager
def open_page(browser, **options) -> Iterator:
    """A page of 1280 x 720; ``problems`` lists its script errors, ``asked`` its requests."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, **options)
    fresh = context.new_page()
    fresh.set_default_timeout(90_000)
    fresh.problems = []
    fresh.asked = []
    fresh.on("pageerror", lambda error: fresh.problems.append(str(error)))
    fresh.on("request", lambda request: fresh.asked.append(request.url))
    yield fresh
    context.close()


@pytest.fixture
def page(browser) -> Iterator:
    """A fresh page for one test."""
    with open_page(browser) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def shared_page(browser) -> Iterator:
    """One page for all tests of a module: loading it is the slow part."""
    with open_page(browser) as fresh:
        yield fresh


@pytest.fixture
def dense_page(browser) -> Iterator:
    """A page on a screen with two device pixels for one of CSS."""
    with open_page(browser, device_scale_factor=2) as fresh:
        yield fresh


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., str]]:
    """Serve Blocks in a thread on a free port: ``serve(blocks, *routers, **launch) -> address``."""
    served = []

    def start(blocks, *routers: APIRouter, **launch) -> str:
        app, _, _ = blocks.launch(
            server_name="127.0.0.1",
            server_port=free_port(),
            prevent_thread_lock=True,
            quiet=True,
            _frontend=False,
            **launch,
        )
        for routes in routers:
            app.include_router(routes)
        served.append(blocks)
        return f"http://127.0.0.1:{blocks.server_port}"

    yield start
    for blocks in served:
        blocks.close()
