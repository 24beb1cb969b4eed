"""The demonstration on the web: a landing page, a study for every visitor, the report at the end.

A visitor's address holds 128 random bits and no cookie is set, so the demonstration also works
inside another site's frame. The reader's page is the one of a real study; requests to it are passed
to the visitor's store, signed in as the visitor.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from enhancers.asset_files import asset_text
from enhancers.html_templates import html_templates
from enhancers.http_limits.addresses import client_group
from enhancers.http_limits.shares import in_excess
from enhancers.private_folders import private_folder
from study.demo import demo_study
from study.domain.errors import WrongScreen
from study.storage.models import new_token
from study.web.devices import DEVICE_COOKIE
from study.web.reader_api import PREFIX, router

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

MAX_VISITS = 60
"""Studies that are kept; of the address with most, the one that was inactive longest makes room."""
IDLE_HOURS = 3.0
"""A visitor's study is removed after so long without a request."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "img-src data:; form-action 'self'; base-uri 'none'"
    ),
}
_API = (f"{PREFIX}/api/", f"{PREFIX}/pixels/")


@dataclass
class _Visit:
    """A visitor's study, its endpoints, and the monotonic time of the last request."""

    demo: demo_study.DemoStudy
    api: ASGIApp
    last_request: float
    address: str = ""


class DemoSite:
    """An ASGI app to be mounted below some path, such as ``/demo``.

    Parameters
    ----------
    folder : Path
        For the template and the visitors' studies; emptied by `close`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._visits: dict[str, _Visit] = {}
        self._lock = threading.Lock()
        self._preparing = threading.Lock()
        self._page: _Visit | None = None

    @classmethod
    def temporary(cls) -> DemoSite:
        """A demo in a temporary folder that is removed at exit."""
        demo = cls(private_folder("demo"))
        atexit.register(demo.close)
        return demo

    def prepare(self) -> None:
        """Make the template and the reader's page, once; later visitors need not wait."""
        with self._preparing:
            if self._page is None:
                from study.web import reader_page

                template = demo_study.prepare(self._folder / "template")
                page = demo_study.start(template, self._folder / "page")
                self._page = _Visit(page, reader_page.attach(FastAPI(), page.store), 0.0)

    def start(self, address: str = "") -> str:
        """Make a study for a visitor from an address, and return the token of its own address."""
        self.prepare()
        token = new_token()
        made = demo_study.start(self._folder / "template", self._folder / token)
        api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        api.include_router(router(made.store, made.accounts))
        with self._lock:
            self._visits[token] = _Visit(made, api, time.monotonic(), address)
            self._make_room(token)
        return token

    def close(self) -> None:
        """Remove everything."""
        with self._lock:
            for visit in (*self._visits.values(), *([self._page] if self._page else [])):
                visit.demo.close()
            self._visits.clear()
            shutil.rmtree(self._folder, ignore_errors=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request below the path where this is mounted."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        token, _, rest = path.lstrip("/").partition("/")
        visit = self._visit(token)
        if visit is not None and f"/{rest}".startswith(f"{PREFIX}/"):
            await self._reader(visit, token, f"/{rest}", scope, receive, send)
            return
        answer = await run_in_threadpool(self._answer, request, path, token, rest, visit)
        await answer(scope, receive, send)

    def _answer(
        self, request: Request, path: str, token: str, rest: str, visit: _Visit | None
    ) -> Response:
        if path == "/":
            return _page("landing.html")
        if path == "/start" and request.method == "POST":
            root = request.scope.get("root_path", "")
            return RedirectResponse(
                f"{root}/{self.start(client_group(request.scope))}/", 303, _HEADERS
            )
        if visit is None:
            return _page("over.html", 404)
        match rest:
            case "":
                return _page("visit.html")
            case "status":
                reading = visit.demo.reading()
                found = {"done": reading.done, "total": reading.total}
                return JSONResponse(found, headers=_HEADERS)
            case "report":
                return _results(visit.demo, export=False)
            case "ratings.zip":
                return _results(visit.demo, export=True)
        return _page("over.html", 404)

    def _visit(self, token: str) -> _Visit | None:
        with self._lock:
            visit = self._visits.get(token)
            if visit is not None:
                visit.last_request = time.monotonic()
            return visit

    def _make_room(self, newest: str) -> None:
        """Remove what was left long ago, then the oldest of the address with most visits."""
        oldest = time.monotonic() - 3600 * IDLE_HOURS
        by_age = sorted(self._visits, key=lambda token: self._visits[token].last_request)
        idle = [one for one in by_age if self._visits[one].last_request < oldest and one != newest]
        owners = {one: self._visits[one].address for one in by_age if one not in idle}
        for token in (*idle, *in_excess(owners, MAX_VISITS)):
            self._visits.pop(token).demo.close()

    async def _reader(
        self, visit: _Visit, token: str, path: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Pass a request on: answers and pixels to the visitor's store, the page to one for all."""
        page = self._page
        assert page is not None
        target = visit if path.startswith(_API) else page
        accounts = target.demo.accounts
        # A visit is one device: no cookie of its own could mark it.
        device = f"{DEVICE_COOKIE}={hashlib.sha256(token.encode()).hexdigest()[:32]}"
        cookie = f"{accounts.cookie_name}={accounts.cookie(target.demo.visitor)}; {device}"
        headers = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
        headers.append((b"cookie", cookie.encode()))
        root = f"{scope.get('root_path', '')}/{token}"
        passed = {**scope, "headers": headers, "root_path": root, "path": root + path}
        await target.api(passed, receive, send)


def _results(made: demo_study.DemoStudy, *, export: bool) -> Response:
    try:
        results = made.results()
    except WrongScreen:
        return RedirectResponse("./", 303, _HEADERS)
    if export:
        name = {"Content-Disposition": 'attachment; filename="demo-ratings.zip"'}
        return Response(results.export, media_type="application/zip", headers={**_HEADERS, **name})
    return HTMLResponse(results.report, headers=_HEADERS)


def _page(name: str, status: int = 200) -> HTMLResponse:
    templates = html_templates(Path(__file__).parent / "templates")
    text = templates.get_template(name).render(
        style=Markup(asset_text("demo.css")),
        script=Markup(asset_text("demo.js")),
        consent=demo_study.PROTOCOL.consent,
    )
    return HTMLResponse(text, status, _HEADERS)
