"""Which computer and screen a request of a reader comes from."""

from __future__ import annotations

import hashlib
import re
import secrets

from fastapi import Response
from starlette.requests import Request

from study.accounts.readers import ReaderSignIn
from study.domain.screens import Device

SCREEN_HEADER = "X-Reading-Display"
"""Screen size, pixel ratio and size class of the window, such as ``1920x1080@1.25 wide``."""
DEVICE_COOKIE = "reading_device"
_COOKIE_SECONDS = 180 * 24 * 3600
_TOKEN = re.compile(r"[0-9a-f]{32}")
_SCREEN = re.compile(r"\d{1,5}x\d{1,5}@\d{1,3}(\.\d{1,2})? [a-z]{1,10}")


def device_of(request: Request, response: Response) -> Device:
    """The device of a request; one without the cookie that marks it gets one with the answer.

    The cookie is random and means nothing elsewhere; the study keeps a digest of it, which is
    another one for each study of a server.
    """
    token = request.cookies.get(DEVICE_COOKIE, "")
    if not _TOKEN.fullmatch(token):
        token = secrets.token_hex(16)
        response.set_cookie(
            DEVICE_COOKIE,
            token,
            max_age=_COOKIE_SECONDS,
            path=ReaderSignIn.cookie_path,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
    screen = request.headers.get(SCREEN_HEADER, "")
    digest = hashlib.sha256(f"{request.scope.get('root_path', '')}{token}".encode())
    return Device(digest.hexdigest()[:16], screen if _SCREEN.fullmatch(screen) else "")
