"""The pages before signing in, as plain HTML without script."""

from __future__ import annotations

from pathlib import Path

from fastapi.responses import HTMLResponse
from markupsafe import Markup

from enhancers.asset_files import asset_text
from enhancers.html_templates import html_templates

LOGIN_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_READER_STYLE, _COORDINATOR_STYLE = "reader_login.css", "coordinator_login.css"


def reader_login_page(problem: str = "", code: str = "") -> HTMLResponse:
    """The readers' sign-in page.

    Parameters
    ----------
    problem : str
        Why the last try failed.
    code : str
        What was typed, to be filled in again.
    """
    status = 403 if problem else 200
    return _page("reader_login.html", _READER_STYLE, status, problem=problem, code=code)


def join_page(token: str) -> HTMLResponse:
    """The page of an invitation; its button uses the invitation up, opening the page does not."""
    return _page("join.html", _READER_STYLE, token=token)


def closed_page(reading: str) -> HTMLResponse:
    """What a signed-in reader gets in place of pages that show methods by name.

    Parameters
    ----------
    reading : str
        Address of the reader's page.
    """
    return _page("closed.html", _READER_STYLE, 403, reading=reading)


def coordinator_login_page(problem: str = "", name: str = "", status: int = 200) -> HTMLResponse:
    """The coordinators' sign-in page; parameters as for `reader_login_page`."""
    return _page("coordinator_login.html", _COORDINATOR_STYLE, status, problem=problem, name=name)


def _page(template: str, style: str, status: int = 200, **values: str) -> HTMLResponse:
    templates = html_templates(Path(__file__).parent / "templates")
    text = templates.get_template(template).render(style=Markup(asset_text(style)), **values)
    return HTMLResponse(text, status, LOGIN_HEADERS)
