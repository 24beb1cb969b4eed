"""Routes below ``/coordinator`` that are no Gradio page: signing in and out, and downloads."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from study.accounts.staff import StaffRole, StaffSignIn, accounts_of
from study.domain.errors import DiskFull, NotAllowed, SignInError
from study.storage.store import Store
from study.web.coordinator.downloads import Downloads
from study.web.login_forms import client_address, signed_in, to_page
from study.web.login_pages import LOGIN_HEADERS, coordinator_login_page, refused
from study.web.schemas import Short

PREFIX = "/coordinator"
ShortForm = Annotated[Short, Form()]

_DOWNLOAD_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# A report shows what readers wrote: whatever it holds, no script of it runs.
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
_NO_ACCOUNT = (
    "There is no account yet. Make one on the server: python -m study invite FOLDER --staff NAME"
)


def router(
    store: Store, files: Downloads | None = None, accounts: StaffSignIn | None = None
) -> APIRouter:
    """Signing in and out, and downloads; to be included before the page is mounted.

    Parameters
    ----------
    store : Store
    files : Downloads, optional
        Those of the page.
    accounts : StaffSignIn, optional
        That of the page; it counts wrong secrets.
    """
    accounts, files = accounts or StaffSignIn(store), files or Downloads()
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)
    _sign_in(routes, accounts)
    _downloads(routes, accounts, files)
    return routes


def _sign_in(routes: APIRouter, accounts: StaffSignIn) -> None:
    @routes.get("/login")
    def login_page(request: Request) -> Response:
        if accounts.account_of(request) is not None:
            return to_page()
        return coordinator_login_page("" if accounts_of(accounts.store) else _NO_ACCOUNT)

    @routes.post("/login")
    async def login(request: Request, name: ShortForm, secret: ShortForm) -> Response:
        address = client_address(request)
        try:
            account = await accounts.sign_in_in_turn(name, secret, address=address)
        except SignInError as error:
            return refused(coordinator_login_page(str(error), name), error)
        except DiskFull as error:
            page = coordinator_login_page(str(error), name)
            page.status_code = 507
            return page
        return await run_in_threadpool(signed_in, request, accounts, account)

    @routes.post("/logout")
    def logout(request: Request) -> Response:
        account = accounts.account_of(request)
        if account is not None:
            accounts.sign_out(account)
        answer = RedirectResponse("login", 303, LOGIN_HEADERS)
        answer.delete_cookie(accounts.cookie_name, path=accounts.cookie_path)
        return answer


def _downloads(routes: APIRouter, accounts: StaffSignIn, files: Downloads) -> None:
    @routes.get("/files/{token}")
    def download(request: Request, token: str) -> Response:
        try:
            accounts.require(request, StaffRole.ADMIN)
        except SignInError:
            raise HTTPException(401, "You are signed out.") from None
        except NotAllowed:
            raise HTTPException(403, "Your account may not see results.") from None
        found = files.get(token)
        if found is None:
            raise HTTPException(404, "This file is not kept any more: make it again.")
        how = "inline" if found.shown else "attachment"
        name = {"Content-Disposition": f'{how}; filename="{_header_safe(found.name)}"'}
        policy = {"Content-Security-Policy": _REPORT_POLICY} if found.shown else {}
        headers = _DOWNLOAD_HEADERS | name | policy
        return Response(found.content, media_type=found.media_type, headers=headers)


def _header_safe(name: str) -> str:
    """A file name that needs no quoting in a header."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_"
                   for sign in name)  # fmt: skip
