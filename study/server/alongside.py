"""The study beside the compare page, in one process: a reader who is signed in sees only the study.

The compare page shows methods by name; a reader who could open it would learn to recognise them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse

from study.accounts.readers import COOKIE, ReaderSignIn
from study.storage.store import Store
from study.web.login_pages import DOOR_HEADERS, closed_page
from study.web.reader_api import PREFIX

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

COORDINATOR = "/coordinator"
_STUDY = (PREFIX, COORDINATOR)


@dataclass(frozen=True, eq=False)
class StudyAlongside:
    """A study that is served by another app.

    Parameters
    ----------
    store : Store
    key : Path, optional
        Of the key file, for the coordinator's pages.
    """

    store: Store
    key: Path | None = None

    @property
    def middleware(self) -> tuple[Middleware, ...]:
        """What the app must be made with."""
        return (Middleware(ReadersStayInside, entrance=ReaderSignIn(self.store)),)

    def attach(self, app: FastAPI) -> None:
        """Mount the pages of readers and coordinators."""
        from study.web import coordinator, reader_page

        coordinator.attach(reader_page.attach(app, self.store), self.store, key_path=self.key)


class ReadersStayInside:
    """Middleware: requests with a reader's valid cookie get the study's pages and nothing else.

    The coordinator's pages have a sign-in of their own, and name no method before the unblinding.

    Parameters
    ----------
    app : ASGIApp
    entrance : ReaderSignIn
        Knows whose cookie is valid.
    """

    def __init__(self, app: ASGIApp, entrance: ReaderSignIn) -> None:
        self._app = app
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the app answer."""
        if scope["type"] == "http" and not _inside(scope):
            request = Request(scope, receive)
            if COOKIE in request.cookies:
                reader = await run_in_threadpool(self._entrance.reader_of, request)
                if reader is not None:
                    page = HTMLResponse(closed_page(PREFIX), 403, DOOR_HEADERS)
                    await page(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def _inside(scope: Scope) -> bool:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return any(path == prefix or path.startswith(prefix + "/") for prefix in _STUDY)
