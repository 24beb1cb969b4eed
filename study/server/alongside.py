"""The study next to the compare page, in one process; a signed-in reader sees only the study.

The compare page shows methods by name: a reader who could open it would learn to recognise them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request

from enhancers.security_headers import SecurityHeaders
from study.accounts.cookie_keys import keep_in
from study.accounts.readers import ReaderSignIn
from study.storage.lasting_disk import require_lasting_disk
from study.storage.store import Store
from study.web.body_limits import BODY_BYTES
from study.web.login_pages import LoginPages
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
        The key file, for the coordinator's pages.
    """

    store: Store
    key: Path | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        database: str | None,
        key: Path | None,
        *,
        cookie_key: Path | None = None,
        disk_may_vanish: bool = False,
    ) -> StudyAlongside:
        """Open the study of a folder.

        Parameters
        ----------
        folder : Path
        database : str, optional
            SQLAlchemy address; None is SQLite in the folder.
        key : Path, optional
            The key file.
        cookie_key : Path, optional
            File with the key that signs cookies; None is that of the environment.
        disk_may_vanish : bool
            Whether the study may be on a disk that does not last.

        Raises
        ------
        StoreError
            There is no study, its database is behind its mirror, or its disk does not last.
        """
        keep_in(cookie_key)
        store = Store.open(folder, url=database)
        store.require_no_conflict()
        require_lasting_disk(store, may_vanish=disk_may_vanish)
        return cls(store, key)

    @property
    def middleware(self) -> tuple[Middleware, ...]:
        """Middleware that the app must be created with."""
        return (
            Middleware(ReadersStayInside, accounts=ReaderSignIn(self.store)),
            Middleware(SecurityHeaders, below=_STUDY),
        )

    @property
    def bodies(self) -> Mapping[str, int]:
        """Ends of paths of the study that take bodies of another size than most, and the bytes."""
        return BODY_BYTES

    def attach(self, app: FastAPI) -> None:
        """Mount the pages of readers and coordinators."""
        from study.web import coordinator, reader_page

        coordinator.attach(reader_page.attach(app, self.store), self.store, key_path=self.key)


class ReadersStayInside:
    """Middleware: requests with a reader's valid cookie get the study's pages and nothing else.

    The coordinator's pages have another sign-in, and name no method before the unblinding.

    Parameters
    ----------
    app : ASGIApp
    accounts : ReaderSignIn
        Says whose cookie is valid.
    """

    def __init__(self, app: ASGIApp, accounts: ReaderSignIn) -> None:
        self._app = app
        self._accounts = accounts
        self._pages = LoginPages(accounts.store.protocol)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it to the app."""
        if scope["type"] == "http" and not _inside(scope):
            request = Request(scope, receive)
            if self._accounts.cookie_name in request.cookies:
                reader = await run_in_threadpool(self._accounts.account_of, request)
                if reader is not None:
                    page = await run_in_threadpool(self._pages.closed, PREFIX)
                    await page(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def _inside(scope: Scope) -> bool:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return any(path == prefix or path.startswith(prefix + "/") for prefix in _STUDY)
