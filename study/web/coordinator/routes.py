"""Routes below ``/coordinator`` that are no Gradio page: signing in and out, and downloads."""

from __future__ import annotations

from html import escape
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import Request

from enhancers.asset_files import asset_text
from study.accounts.staff import COOKIE, COOKIE_SECONDS, StaffRole, StaffSignIn, members
from study.domain.errors import NotAllowed, SignInError
from study.storage.store import Store
from study.web.coordinator.downloads import Downloads

PREFIX = "/coordinator"
Short = Annotated[str, Form(max_length=100)]

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_DOOR = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    "frame-ancestors 'none'"
)
# A report shows what readers wrote: whatever it holds, no script of it runs.
_REPORT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
_NOBODY = (
    "There is no account yet. Make one on the server: python -m study invite FOLDER --staff NAME"
)


def router(
    store: Store, files: Downloads | None = None, door: StaffSignIn | None = None
) -> APIRouter:
    """Signing in and out, and downloads; to be included before the page is mounted.

    Parameters
    ----------
    store : Store
    files : Downloads, optional
        Those of the page.
    door : StaffSignIn, optional
        The same for all routes, since it counts wrong tries.
    """
    door, kept = door or StaffSignIn(store), files or Downloads()
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)

    @routes.get("/login")
    def login(request: Request) -> Response:
        if door.member_of(request) is not None:
            return RedirectResponse("./", 303, _HEADERS)
        return _door_page("" if members(store) else _NOBODY)

    @routes.post("/login")
    def sign_in(request: Request, name: Short, secret: Short) -> Response:
        _same_site(request)
        address = request.client.host if request.client else ""
        try:
            member = door.sign_in(name, secret, address=address)
        except SignInError as error:
            return _door_page(str(error), name, 403)
        answer = RedirectResponse("./", 303, _HEADERS)
        answer.set_cookie(
            COOKIE, door.cookie(member), max_age=COOKIE_SECONDS, path=PREFIX, httponly=True,
            samesite="strict", secure=request.url.scheme == "https",
        )  # fmt: skip
        return answer

    @routes.post("/logout")
    def sign_out(request: Request) -> Response:
        _same_site(request)
        member = door.member_of(request)
        if member is not None:
            door.sign_out(member)
        answer = RedirectResponse("login", 303, _HEADERS)
        answer.delete_cookie(COOKIE, path=PREFIX)
        return answer

    @routes.get("/files/{token}")
    def download(request: Request, token: str) -> Response:
        try:
            door.require(request, StaffRole.ADMIN)
        except SignInError:
            raise HTTPException(401, "You are signed out.") from None
        except NotAllowed:
            raise HTTPException(403, "Your account may not see results.") from None
        found = kept.get(token)
        if found is None:
            raise HTTPException(404, "This file is not kept any more: make it again.")
        how = "inline" if found.shown else "attachment"
        headers = {"Content-Disposition": f'{how}; filename="{_plain(found.name)}"'}
        if found.shown:
            headers["Content-Security-Policy"] = _REPORT
        return Response(found.content, media_type=found.media_type, headers=_HEADERS | headers)

    return routes


def _plain(name: str) -> str:
    """A file name that needs no quoting in a header."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_"
                   for sign in name)  # fmt: skip


def _same_site(request: Request) -> None:
    """Refuse a form that another site makes the browser send."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise HTTPException(403, "This form came from another site.")


def _door_page(problem: str = "", name: str = "", status: int = 200) -> Response:
    style = asset_text("coordinator_login.css")
    words = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    page = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><link rel="icon" href="data:,"><title>Coordinator</title>
<style>{style}</style></head><body><main><h1>Coordinator</h1>
<p>Plan, run and close a blinded reader study. Readers sign in elsewhere.</p>{words}
<form method="post" action="login">
<label><span>Name</span><input name="name" required maxlength="40" value="{escape(name)}"
 autocomplete="username" autocapitalize="none" spellcheck="false"{"" if name else " autofocus"}>
</label><label><span>Secret</span><input name="secret" type="password" required maxlength="60"
 autocomplete="current-password"{" autofocus" if name else ""}></label>
<button type="submit">Sign in</button></form></main></body></html>"""
    headers = _HEADERS | {"Content-Security-Policy": _DOOR}
    return HTMLResponse(page, status, headers)
