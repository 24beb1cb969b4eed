"""The study next to the compare page, in one process; a signed-in reader sees only the study.

The compare page shows methods by name: a reader who could open it would learn to recognise them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request

from enhancers.security_headers import SecurityHeaders
from study.accounts.any_study import STUDIES
from study.accounts.cookie_keys import keep_in
from study.accounts.readers import ReaderSignIn
from study.server.several import ServedStudies, attach, open_studies
from study.web.body_limits import BODY_BYTES
from study.web.login_pages import LoginPages
from study.web.reader_api import PREFIX

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

COORDINATOR = "/coordinator"
_STUDY = (PREFIX, COORDINATOR, STUDIES)


@dataclass(frozen=True, eq=False)
class StudyAlongside:
    """A study, or several, that are served by another app.

    Parameters
    ----------
    studies : ServedStudies
    """

    studies: ServedStudies

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
        """Open the study in a folder, or those below it.

        Parameters
        ----------
        folder : Path
        database : str, optional
            SQLAlchemy address; None is SQLite in the folder.
        key : Path, optional
            The key file, or a folder of key files.
        cookie_key : Path, optional
            File with the key that signs cookies; None is that of the environment.
        disk_may_vanish : bool
            Whether the study may be on a disk that does not last.

        Raises
        ------
        StudyError
            There is no study, its database is behind its mirror, its disk does not last, or its
            key is of another; of several, only where none can be served.
        """
        keep_in(cookie_key)
        keys = () if key is None else (key,)
        return cls(
            open_studies([folder], keys=keys, database=database, disk_may_vanish=disk_may_vanish)
        )

    @property
    def middleware(self) -> tuple[Middleware, ...]:
        """Middleware that the app must be created with."""
        return (
            Middleware(
                ReadersStayInside,
                accounts=[ReaderSignIn(one.store, root=one.root) for one in self.studies.studies],
            ),
            Middleware(SecurityHeaders, below=_STUDY),
        )

    @property
    def bodies(self) -> Mapping[str, int]:
        """Ends of paths of the study that take bodies of another size than most, and the bytes."""
        return BODY_BYTES

    def attach(self, app: FastAPI) -> None:
        """Mount the pages of readers and coordinators."""
        attach(app, self.studies.studies, not_open=self.studies.not_open)


class ReadersStayInside:
    """Middleware: requests with a reader's valid cookie get the study's pages and nothing else.

    The coordinator's pages have another sign-in, and name no method before the unblinding.

    Parameters
    ----------
    app : ASGIApp
    accounts : sequence of ReaderSignIn
        Say whose cookies are valid.
    """

    def __init__(self, app: ASGIApp, accounts: Sequence[ReaderSignIn]) -> None:
        self._app = app
        self._accounts = tuple(accounts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it to the app."""
        if scope["type"] == "http" and not _inside(scope):
            request = Request(scope, receive)
            for one in self._accounts:
                if one.cookie_name not in request.cookies:
                    continue
                if await run_in_threadpool(one.account_of, request) is not None:
                    pages = LoginPages(one.store.protocol)
                    page = await run_in_threadpool(pages.closed, PREFIX)
                    await page(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def _inside(scope: Scope) -> bool:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return any(path == prefix or path.startswith(prefix + "/") for prefix in _STUDY)
