"""Whether an unblinding is agreed to by two persons, as far as the audit log can tell.

Whoever sets the secret of an account knows it and can use the account, and so can whoever can use
the account of that person: two accounts that one person can use do not confirm each other, whenever
they were made. So nobody makes a second account and confirms with it what the first asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.accounts.staff import StaffSignIn
from study.domain.errors import BlindingError
from study.storage.models import AuditEvent, Staff
from study.storage.store import Store

ASKED, TAKEN_BACK = "ask to unblind", "take back"
"""Actions of audit events."""
_SET_SECRET = ("add account", "new secret")
_SIGN_IN = "sign in"
_ACTIONS = (*_SET_SECRET, _SIGN_IN, ASKED, TAKEN_BACK)


@dataclass(frozen=True)
class Request:
    """A request to unblind: who asked, and the number of its audit event."""

    actor: str
    seq: int


def open_request(store: Store) -> Request | None:
    """The last request that was not withdrawn."""
    with store.read() as session:
        last = session.execute(
            select(AuditEvent.actor, AuditEvent.action, AuditEvent.seq)
            .where(AuditEvent.action.in_((ASKED, TAKEN_BACK)))
            .order_by(AuditEvent.seq.desc())
            .limit(1)
        ).first()
    return Request(last.actor, last.seq) if last is not None and last.action == ASKED else None


def require_two_persons(
    store: Store, requester: str, second: str, *, signed_in: bool = True
) -> None:
    """Check that one person cannot be both who asks and who confirms.

    Parameters
    ----------
    store : Store
    requester : str
        An account, or the name of somebody on the command line.
    second : str
        The account that confirms.
    signed_in : bool
        Whether the requester has signed in. A name on the command line may be anybody's: then
        nobody else may be able to use the account that confirms.

    Raises
    ------
    BlindingError
        One of them, or somebody whose account one of them could use, has set the secret of the
        other.
    """
    with store.read() as session:
        accounts = set(session.scalars(select(Staff.code)))
        users = _users(_events(session))
    asking, confirming = (StaffSignIn.normalised(name) for name in (requester, second))
    able = users.get(confirming, {confirming}) & (accounts | {asking})
    both = able & users.get(asking, {asking}) if signed_in else able - {confirming}
    if both:
        raise BlindingError(
            f"{confirming} cannot confirm what {asking} asks for: {' and '.join(sorted(both))} "
            "has set a secret and could use both accounts. Let the account of another person "
            "confirm, which neither of them has made: on the server, somebody else runs "
            f"python -m study invite {store.folder} --staff NAME"
        )


def require_earlier_sign_in(store: Store, request: Request, second: str) -> None:
    """Check that an account signed in with its present secret before a request.

    Raises
    ------
    BlindingError
        It did not.
    """
    with store.read() as session:
        events = _events(session)
    own = [event for event in events if event.target == second]
    secret = max((one.seq for one in own if one.action in _SET_SECRET), default=0)
    signed_in = [one.seq for one in own if one.action == _SIGN_IN]
    if not any(secret < seq < request.seq for seq in signed_in):
        raise BlindingError(
            f"{second} had not signed in with the present secret when {request.actor} asked: "
            "withdraw the request, and ask again now."
        )


def _events(session: Session) -> Sequence[AuditEvent]:
    wanted = select(AuditEvent).where(AuditEvent.action.in_(_ACTIONS))
    return session.scalars(wanted.order_by(AuditEvent.seq)).all()


def _users(events: Sequence[AuditEvent]) -> dict[str, set[str]]:
    """Who can use an account, by account."""
    users: dict[str, set[str]] = {}
    for event in events:
        if event.action not in _SET_SECRET:
            continue
        actor = StaffSignIn.normalised(event.actor)
        # Who renews the own secret hides nothing from those who could use the account before.
        if actor != event.target:
            users[event.target] = {event.target} | users.get(actor, {actor})
    return users
