"""Authorization of every handler: the signed cookie says who asks, never the page."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import gradio as gr

from study.accounts.staff import StaffAccount, StaffRole, StaffSignIn
from study.domain.entries import is_storable
from study.domain.errors import NotAllowed, SignInError, StudyError
from study.web.coordinator.page_updates import PageUpdates, Updates

Action = Callable[..., Updates]
"""Does something for a user, with the values of its fields by name."""
EVERYBODY = (StaffRole.ADMIN, StaffRole.MONITOR)
ADMINS = (StaffRole.ADMIN,)

_log = logging.getLogger("study.web.coordinator")


def authorized(
    accounts: StaffSignIn, updates: PageUpdates, roles: Sequence[StaffRole], action: Action
) -> Callable[..., Updates]:
    """An action as a handler of Gradio.

    Parameters
    ----------
    accounts : StaffSignIn
    updates : PageUpdates
        Shows what went wrong.
    roles : sequence of StaffRole
        Who may do it; everybody else is refused before anything is read.
    action : callable
    """

    def handler(request: gr.Request, **values: Any) -> Updates:
        user = _admit(accounts, request, roles)
        try:
            _check_texts(values.values())
            return action(user, **values)
        except StudyError as error:
            return updates.show(user, str(error), "error")
        except Exception:
            event = secrets.token_hex(4)
            _log.exception("event %s", event)
            message = f"Something went wrong; the log of the server says more under {event}."
            return updates.show(user, message, "error")

    return handler


def authorized_with_origin(
    accounts: StaffSignIn, updates: PageUpdates, roles: Sequence[StaffRole], action: Action
) -> Callable[..., Updates]:
    """The same for an action that needs the address of the server, as ``origin``."""

    def handler(request: gr.Request, **values: Any) -> Updates:
        def addressed(user: StaffAccount, **given: Any) -> Updates:
            return action(user, origin=origin_of(request), **given)

        return authorized(accounts, updates, roles, addressed)(request, **values)

    return handler


def origin_of(request: Any) -> str:
    """Scheme, name and port of the server as the browser wrote them."""
    return str(request.headers.get("origin") or str(request.base_url)).rstrip("/")


def _check_texts(values: Iterable[Any]) -> None:
    for value in values:
        if isinstance(value, str) and not is_storable(value):
            raise StudyError("A text has characters that cannot be stored: type it anew.")
        if isinstance(value, list | tuple):
            _check_texts(value)


def _admit(accounts: StaffSignIn, request: Any, roles: Sequence[StaffRole]) -> StaffAccount:
    try:
        return accounts.require(request, *roles)
    except (SignInError, NotAllowed) as error:
        raise gr.Error(str(error), print_exception=False) from None
