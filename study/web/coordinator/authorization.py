"""The door of every handler: who asks is read from the signed cookie, never from the page."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from study.accounts.staff import StaffAccount, StaffRole, StaffSignIn
from study.domain.errors import NotAllowed, SignInError, StudyError
from study.web.coordinator.page_updates import PageUpdates, Updates

Action = Callable[..., Updates]
"""Does something for a member, with the values of its fields by name."""
EVERYBODY = (StaffRole.ADMIN, StaffRole.MONITOR)
ADMINS = (StaffRole.ADMIN,)

_log = logging.getLogger("study.web.coordinator")


def guarded(
    door: StaffSignIn, screen: PageUpdates, roles: Sequence[StaffRole], action: Action
) -> Callable[..., Updates]:
    """An action as a handler of Gradio.

    Parameters
    ----------
    door : StaffSignIn
    screen : PageUpdates
        Shows what went wrong.
    roles : sequence of StaffRole
        Who may do it; nobody else gets past the first line.
    action : callable
    """

    def handler(request: gr.Request, **values: Any) -> Updates:
        member = _admitted(door, request, roles)
        try:
            return action(member, **values)
        except StudyError as error:
            return screen.show(member, str(error), "error")
        except Exception:
            event = secrets.token_hex(4)
            _log.exception("event %s", event)
            words = f"Something went wrong; the log of the server tells more under {event}."
            return screen.show(member, words, "error")

    return handler


def guarded_with_request(
    door: StaffSignIn, screen: PageUpdates, roles: Sequence[StaffRole], action: Action
) -> Callable[..., Updates]:
    """The same for an action that needs the address it was asked from, as ``origin``."""

    def handler(request: gr.Request, **values: Any) -> Updates:
        def addressed(member: StaffAccount, **given: Any) -> Updates:
            return action(member, origin=origin_of(request), **given)

        return guarded(door, screen, roles, addressed)(request, **values)

    return handler


def origin_of(request: Any) -> str:
    """Scheme, name and port of the server as the browser wrote them."""
    return str(request.headers.get("origin") or str(request.base_url)).rstrip("/")


def _admitted(door: StaffSignIn, request: Any, roles: Sequence[StaffRole]) -> StaffAccount:
    try:
        return door.require(request, *roles)
    except (SignInError, NotAllowed) as error:
        raise gr.Error(str(error), print_exception=False) from None
