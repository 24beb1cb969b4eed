"""What the sign-in forms of readers and coordinators share: cookie and address."""

from __future__ import annotations

from typing import TypeVar

from fastapi.responses import RedirectResponse
from starlette.requests import Request

from study.accounts.sign_in import Account, SignIn
from study.storage.models import Reader, Staff
from study.web.login_pages import LOGIN_HEADERS

Row = TypeVar("Row", Reader, Staff)
AccountT = TypeVar("AccountT", bound=Account)


def client_address(request: Request) -> str:
    """The address that a request comes from, for the rate limit; see `ProxyHeaders`."""
    return request.client.host if request.client else ""


def to_page(page: str = "./") -> RedirectResponse:
    """Go on to the page behind the sign-in."""
    return RedirectResponse(page, 303, LOGIN_HEADERS)


def signed_in(
    request: Request, sign_in: SignIn[Row, AccountT], account: AccountT, page: str = "./"
) -> RedirectResponse:
    """Set the cookie of an account and go on to the page."""
    answer = to_page(page)
    answer.set_cookie(
        sign_in.cookie_name,
        sign_in.cookie(account),
        max_age=sign_in.cookie_seconds,
        path=sign_in.cookie_path,
        httponly=True,
        samesite=sign_in.same_site,
        secure=request.url.scheme == "https",
    )
    return answer
