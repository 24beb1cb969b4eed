"""The demonstration on the web: a landing page, a study for every visitor, the report at the end.

A visitor's address holds 128 random bits and is all that is needed: no cookie is set, so that it
also works inside another site's frame. The reader's page is the same as in a real study; requests
to it are handed on to the visitor's own store, signed in as the visitor.
"""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from study.demo import demo_study
from study.domain.errors import WrongScreen
from study.storage.models import new_token
from study.web.reader_api import PREFIX, router

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

MOST = 60
"""Visitors that are kept; the one that was away longest makes room."""
HOURS = 3.0
"""After so long without a request a visitor's study is removed."""
_OURS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "img-src data:; form-action 'self'; base-uri 'none'"
    ),
}
_API = (f"{PREFIX}/api/", f"{PREFIX}/pixels/")


@dataclass
class _Visit:
    """A visitor's study, its endpoints, and when it was last asked for."""

    demo: demo_study.DemoStudy
    api: ASGIApp
    seen: float


class DemoSite:
    """An app to be mounted below some path, such as ``/demo``.

    Parameters
    ----------
    folder : Path
        For the template and the visitors' studies; emptied by `close`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._visits: dict[str, _Visit] = {}
        self._turn = threading.Lock()
        self._preparing = threading.Lock()
        self._page: _Visit | None = None

    def prepare(self) -> None:
        """Make the template and the reader's page, once; the first visitor need not wait then."""
        with self._preparing:
            if self._page is None:
                from study.web import reader_page

                template = demo_study.prepare(self._folder / "template")
                page = demo_study.start(template, self._folder / "page")
                self._page = _Visit(page, reader_page.attach(FastAPI(), page.store), 0.0)

    def start(self) -> str:
        """Make a study for a new visitor and return its token."""
        self.prepare()
        token = new_token()
        made = demo_study.start(self._folder / "template", self._folder / token)
        api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        api.include_router(router(made.store, made.accounts))
        with self._turn:
            self._make_room()
            self._visits[token] = _Visit(made, api, time.monotonic())
        return token

    def close(self) -> None:
        """Remove everything."""
        with self._turn:
            for visit in (*self._visits.values(), *([self._page] if self._page else [])):
                visit.demo.close()
            self._visits.clear()
            shutil.rmtree(self._folder, ignore_errors=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer below the path where this is mounted."""
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
            return _html(_landing())
        if path == "/start" and request.method == "POST":
            root = request.scope.get("root_path", "")
            return RedirectResponse(f"{root}/{self.start()}/", 303, _OURS)
        if visit is None:
            return _html(_gone(), 404)
        match rest:
            case "":
                return _html(_frame())
            case "status":
                reading = visit.demo.reading()
                found = {"done": reading.done, "total": reading.total}
                return JSONResponse(found, headers=_OURS)
            case "report":
                return _results(visit.demo, export=False)
            case "ratings.zip":
                return _results(visit.demo, export=True)
        return _html(_gone(), 404)

    def _visit(self, token: str) -> _Visit | None:
        with self._turn:
            visit = self._visits.get(token)
            if visit is not None:
                visit.seen = time.monotonic()
            return visit

    def _make_room(self) -> None:
        oldest = time.monotonic() - 3600 * HOURS
        by_age = sorted(self._visits, key=lambda token: self._visits[token].seen)
        surplus = len(by_age) - MOST + 1
        for place, token in enumerate(by_age):
            if place < surplus or self._visits[token].seen < oldest:
                self._visits.pop(token).demo.close()

    async def _reader(
        self, visit: _Visit, token: str, path: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Hand a request on: answers and pixels to the visitor's store, the page to one for all."""
        page = self._page
        assert page is not None
        target = visit if path.startswith(_API) else page
        accounts = target.demo.accounts
        cookie = f"{accounts.cookie_name}={accounts.cookie(target.demo.visitor)}"
        headers = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
        headers.append((b"cookie", cookie.encode()))
        root = f"{scope.get('root_path', '')}/{token}"
        handed = {**scope, "headers": headers, "root_path": root, "path": root + path}
        await target.api(handed, receive, send)


def _results(made: demo_study.DemoStudy, *, export: bool) -> Response:
    try:
        results = made.results()
    except WrongScreen:
        return RedirectResponse("./", 303, _OURS)
    if export:
        name = {"Content-Disposition": 'attachment; filename="demo-ratings.zip"'}
        return Response(results.export, media_type="application/zip", headers={**_OURS, **name})
    return _html(results.report)


def _html(text: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(text, status, _OURS)


_STYLE = """
:root { color-scheme: dark; }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; background: #141414; color: #d8d8d8;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 560px; margin: 0 auto; padding: 12vh 24px 40px; }
h1 { margin: 0 0 14px; font-size: 26px; line-height: 1.25; font-weight: 600; color: #ececec; }
p { margin: 0 0 14px; } ol { margin: 0 0 18px; padding-left: 22px; } li { margin-bottom: 4px; }
.quiet { color: #979797; font-size: 13.5px; }
button, .button { display: inline-block; padding: 9px 22px; font: inherit; font-weight: 600;
  color: #111; background: #d0d0d0; border: 1px solid #d0d0d0; border-radius: 4px;
  cursor: pointer; text-decoration: none; }
button:hover, .button:hover { background: #e4e4e4; }
button:disabled { cursor: default; background: #5a5a5a; border-color: #5a5a5a; color: #cfcfcf; }
:focus-visible { outline: 2px solid #e6e6e6; outline-offset: 2px; }
a { color: #c8c8c8; }
body.desk { height: 100vh; display: flex; flex-direction: column; overflow: hidden; }
.bar { display: flex; align-items: center; gap: 14px; padding: 0 14px; min-height: 36px;
  font-size: 13px; background: #1f1f1f; border-bottom: 1px solid #333; }
.bar b { font-weight: 600; color: #e3bd72; } .bar span { flex: 1; color: #979797; }
.links { display: flex; gap: 18px; }
[hidden] { display: none !important; }
iframe { flex: 1; width: 100%; border: 0; background: #141414; }
"""
_WATCH = """
const frame = document.querySelector('iframe');
const links = document.querySelector('.links');
const words = document.querySelector('.bar span');
const calm = words.textContent;
let over = false;
frame.addEventListener('load', () => frame.contentWindow.focus());
async function watch() {
  try {
    const { done, total } = await (await fetch('status', { cache: 'no-store' })).json();
    words.textContent = calm;
    if (total > 0 && done === total && !over) {
      over = true;
      words.textContent = 'Making the report …';
      frame.src = 'report';
      frame.title = 'The report';
      frame.addEventListener('load', () => {
        words.textContent = 'This is the report of your six pairs and the simulated readers.';
        links.hidden = false;
      }, { once: true });
    }
  } catch { words.textContent = 'The server does not answer.'; }
  if (!over) setTimeout(watch, 1000);
}
watch();
"""


def _page(body: str, kind: str = "") -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><link rel="icon" href="data:,">'
        f"<title>Demonstration</title><style>{_STYLE}</style></head>"
        f'<body class="{kind}">{body}</body></html>'
    )


def _landing() -> str:
    return _page(
        f"""<main><h1>A reader study in two minutes</h1>
<p>This is a demonstration, not a study. You read six pairs of synthetic images as a radiologist
would in a real one: each pair shows one case, processed in two ways, and nobody tells you which
is which. Four simulated readers have read the same pairs.</p>
<ol><li>Rate both images with the keys 1 to 5, and say which one you prefer.</li>
<li>After the sixth pair the study is closed and unblinded.</li>
<li>You see the report: scores, Fleiss’ kappa with its interval, preferences, and what the two
ways were.</li></ol>
<form method="post" action="start" onsubmit="this.firstElementChild.disabled = true;
this.firstElementChild.textContent = 'Preparing the images …'"><button autofocus>Start</button>
</form>
<p class="quiet" style="margin-top: 18px">{escape(demo_study.PROTOCOL.consent)} Starting means
that you agree. Not a medical device.</p></main>"""
    )


def _frame() -> str:
    return _page(
        f"""<div class="bar"><b>Demonstration</b><span role="status">Synthetic images, simulated
co-readers: nothing here is a study.</span>
<nav class="links" hidden><a href="report" download="demo-report.html">Save the report</a>
<a href="ratings.zip">All ratings (CSV, JSON)</a> <a href="../">Start again</a></nav></div>
<iframe src="reader/" title="The reader’s page"></iframe>
<script>{_WATCH}</script>""",
        "desk",
    )


def _gone() -> str:
    return _page(
        """<main><h1>This demonstration is over</h1>
<p>It was removed to make room, or the program has been started again.</p>
<p><a class="button" href="../">Start a new one</a></p></main>"""
    )
