"""The pages before signing in, as plain HTML without script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fastapi.responses import HTMLResponse
from markupsafe import Markup

from enhancers.asset_files import asset_text
from enhancers.html_templates import html_templates
from study.domain.errors import SignInBusy, SignInError
from study.domain.protocol import Protocol
from study.domain.reader_texts import ENGLISH, plural_name, reader_texts

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


def reader_list_page(
    language: str,
    studies: Sequence[object],
    problem: SignInError | None = None,
    code: str = "",
) -> HTMLResponse:
    """The studies of a reader, and the sign-in to another one.

    Parameters
    ----------
    language : str
    studies : sequence of ListedStudy
        See `study.web.study_list`.
    problem : SignInError, optional
        Why the last try failed.
    code : str
        What was typed, to be filled in again.
    """
    texts = reader_texts(language, {})
    message = "" if problem is None else _message(problem, texts)
    page = _page(
        "reader_studies.html", _READER_STYLE, language=language, texts=texts, studies=studies,
        problem=message, code=code,
    )  # fmt: skip
    return page if problem is None else refused(page, problem)


def no_study_page(language: str, back: str) -> HTMLResponse:
    """The answer below an address that is of no study; `back` leads to the list."""
    about = {"language": language, "texts": reader_texts(language, {})}
    return _page("no_study.html", _READER_STYLE, 404, back=back, **about)


def coordinator_list_page(
    studies: Sequence[object], not_open: int = 0, problem: str = "", name: str = ""
) -> HTMLResponse:
    """The studies of a coordinator, how many others do not open, and the sign-in to another one."""
    return _page(
        "coordinator_studies.html", _COORDINATOR_STYLE, language=ENGLISH, studies=studies,
        not_open=not_open, problem=problem, name=name,
    )  # fmt: skip


def _page(template: str, style: str, status: int = 200, **values: object) -> HTMLResponse:
    templates = html_templates(Path(__file__).parent / "templates")
    given = {"studies": (), **values}
    text = templates.get_template(template).render(style=Markup(asset_text(style)), **given)
    return HTMLResponse(text, status, LOGIN_HEADERS)
