"""The pages before signing in, as plain HTML without script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fastapi.responses import HTMLResponse
from markupsafe import Markup

from enhancers.asset_files import asset_text
from enhancers.html_templates import html_templates
from study.domain.errors import SignInBusy, SignInError
from study.domain.protocol import Protocol
from study.domain.reader_texts import ENGLISH, plural_name

LOGIN_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_READER_STYLE, _COORDINATOR_STYLE = "reader_login.css", "coordinator_login.css"


class LoginPages:
    """The readers' pages before signing in, in the language of the study.

    Parameters
    ----------
    protocol : callable
        Gives the protocol of the study.
    """

    def __init__(self, protocol: Callable[[], Protocol]) -> None:
        self._protocol = protocol

    def login(self, problem: SignInError | None = None, code: str = "") -> HTMLResponse:
        """The sign-in page.

        Parameters
        ----------
        problem : SignInError, optional
            Why the last try failed.
        code : str
            What was typed, to be filled in again.
        """
        texts = self._protocol().reader_texts
        message = "" if problem is None else _message(problem, texts)
        page = self._page("reader_login.html", problem=message, code=code)
        return page if problem is None else refused(page, problem)

    def join(self, token: str) -> HTMLResponse:
        """The page of an invitation; its button uses the invitation up, opening it does not."""
        return self._page("join.html", token=token)

    def closed(self, reading: str) -> HTMLResponse:
        """What a signed-in reader gets in place of pages that show methods by name.

        Parameters
        ----------
        reading : str
            Address of the reader's page.
        """
        return self._page("closed.html", 403, reading=reading)

    def _page(self, template: str, status: int = 200, **values: str) -> HTMLResponse:
        protocol = self._protocol()
        about = {"language": protocol.language, "texts": protocol.reader_texts}
        return _page(template, _READER_STYLE, status, **about, **values)


def refused(page: HTMLResponse, problem: SignInError) -> HTMLResponse:
    """A sign-in page with the status of a problem, and when to come back if the server is busy."""
    page.status_code = 403
    if isinstance(problem, SignInBusy):
        page.status_code = 503
        page.headers["Retry-After"] = str(60 * problem.n)
    return page


def _message(problem: SignInError, texts: Mapping[str, str]) -> str:
    name = problem.text if problem.text in texts else plural_name(problem.text, problem.n)
    return texts.get(name, str(problem)).replace("{n}", str(problem.n))


def coordinator_login_page(problem: str = "", name: str = "") -> HTMLResponse:
    """The coordinators' sign-in page: why the last try failed, and the name that was typed."""
    return _page(
        "coordinator_login.html",
        _COORDINATOR_STYLE,
        language=ENGLISH,
        problem=problem,
        name=name,
    )


def _page(template: str, style: str, status: int = 200, **values: object) -> HTMLResponse:
    templates = html_templates(Path(__file__).parent / "templates")
    text = templates.get_template(template).render(style=Markup(asset_text(style)), **values)
    return HTMLResponse(text, status, LOGIN_HEADERS)
