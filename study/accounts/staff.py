"""Who runs the study: accounts of coordinators, their roles, and how they get in.

An administrator plans, builds, freezes, invites, closes and unblinds; a monitor sees how far the
readers are and nothing else. Accounts are apart from readers, with a cookie of their own.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import select
from sqlalchemy.orm import Session

from study.accounts.rate_limit import RateLimit
from study.accounts.readers import hash_secret, secret_matches
from study.domain.errors import NotAllowed, SignInError, StudyError
from study.storage.hash_chain import audit
from study.storage.models import ServerSecret, Staff
from study.storage.store import Store

COOKIE = "readingroom_staff"
COOKIE_SECONDS = 12 * 3600
_CODE = re.compile(r"[a-z][a-z0-9._-]{1,39}")
_READER = re.compile(r"r\d+")
_WRONG = "This name and secret do not belong together. Check both, or ask for a new secret."
_OUT = "You are signed out. Sign in again to go on; nothing was changed."


class StaffRole(StrEnum):
    """What somebody may do."""

    ADMIN = "admin"
    MONITOR = "monitor"
    """Sees progress only."""


@dataclass(frozen=True)
class StaffAccount:
    """An account.

    Parameters
    ----------
    id, code : str
        The code is what the audit trail calls this person.
    role : StaffRole
    active : bool
    created_at : str
    generation : int
        Of the cookies that are good.
    """

    id: str
    code: str
    role: StaffRole
    active: bool
    created_at: str
    generation: int


@dataclass(frozen=True)
class Credential:
    """What somebody signs in with; shown once, the database keeps a hash."""

    code: str
    secret: str


class WithCookies(Protocol):
    """A request, as Starlette or Gradio give it."""

    @property
    def cookies(self) -> dict[str, str]:
        """By name."""


def add(store: Store, code: str, role: StaffRole, *, actor: str) -> Credential:
    """Make an account.

    Parameters
    ----------
    store : Store
    code : str
        Two to forty letters, digits, dots, hyphens or underscores; case does not matter.
    role : StaffRole
    actor : str
        Who does it, for the audit trail.

    Raises
    ------
    StudyError
        The code is not possible, or taken.
    """
    code = code.strip().lower()
    if not _CODE.fullmatch(code) or _READER.fullmatch(code):
        raise StudyError(
            f"The name {code!r} is not possible: use 2 to 40 letters, digits, dots or hyphens, "
            "beginning with a letter, and none that looks like a reader's code."
        )
    secret = _new_secret()
    with store.write() as session:
        if _by_code(session, store.study_id, code) is not None:
            raise StudyError(f"There is an account {code!r} already: choose another name.")
        session.add(
            Staff(study_id=store.study_id, code=code, role=role.value,
                  secret_hash=hash_secret(secret))
        )  # fmt: skip
        session.flush()
        audit(session, actor, "add account", target=code, detail=role.value)
    return Credential(code, secret)


def renew(store: Store, code: str, *, actor: str) -> Credential:
    """Give somebody a new secret; the older one and all sessions end.

    Raises
    ------
    StudyError
        There is no such account, or it is switched off.
    """
    secret = _new_secret()
    with store.write() as session:
        row = _existing(session, store.study_id, code)
        if not row.active:
            raise StudyError(f"The account {row.code} is switched off: switch it on first.")
        row.secret_hash = hash_secret(secret)
        row.generation += 1
        audit(session, actor, "new secret", target=row.code)
        return Credential(row.code, secret)


def set_active(store: Store, code: str, active: bool, *, actor: str) -> None:
    """Switch an account off, which ends its sessions, or on again.

    Raises
    ------
    StudyError
        There is no such account, or it is the last administrator.
    """
    with store.write() as session:
        row = _existing(session, store.study_id, code)
        others = select(Staff.id).where(
            Staff.study_id == store.study_id,
            Staff.role == StaffRole.ADMIN.value,
            Staff.active,
            Staff.id != row.id,
        )
        if not active and row.role == StaffRole.ADMIN and session.scalar(others) is None:
            raise StudyError(f"{row.code} is the only administrator: add another one first.")
        if row.active != active:
            row.active = active
            row.generation += 1
            audit(session, actor, "switch on" if active else "switch off", target=row.code)


def members(store: Store) -> tuple[StaffAccount, ...]:
    """All accounts, by name."""
    with store.read() as session:
        rows = select(Staff).where(Staff.study_id == store.study_id).order_by(Staff.code)
        return tuple(_member(row) for row in session.scalars(rows))


class StaffSignIn:
    """Signing in and out, and who sends a request.

    Parameters
    ----------
    store : Store
    throttle : RateLimit, optional
    """

    def __init__(self, store: Store, throttle: RateLimit | None = None) -> None:
        self.store = store
        self._throttle = throttle or RateLimit()
        self._signer: URLSafeTimedSerializer | None = None
        self._nobody = hash_secret(_new_secret())

    def sign_in(self, code: str, secret: str, *, address: str) -> StaffAccount:
        """Check name and secret.

        Parameters
        ----------
        code, secret : str
            As typed: case, spaces and hyphens of the secret do not matter.
        address : str
            Where the try comes from; kept in memory only.

        Raises
        ------
        SignInError
            They do not belong together, or there were too many wrong tries.
        """
        code = code.strip().lower()
        self._throttle.check(address, code)
        with self.store.read() as session:
            row = _by_code(session, self.store.study_id, code)
            known = row is not None and row.active
            stored = row.secret_hash if row is not None and known else self._nobody
        # An unknown name costs the same time as a wrong secret.
        if not secret_matches(secret, stored) or not known:
            self._throttle.failed(address, code)
            raise SignInError(_WRONG)
        self._throttle.succeeded(address, code)
        with self.store.write() as session:
            again = _by_code(session, self.store.study_id, code)
            if again is None or not again.active or again.secret_hash != stored:
                raise SignInError(_WRONG)
            audit(session, code, "sign in", target=code)
            return _member(again)

    def sign_out(self, member: StaffAccount) -> None:
        """End all sessions of an account."""
        with self.store.write() as session:
            row = session.get_one(Staff, member.id)
            if row.generation == member.generation:
                row.generation += 1
                audit(session, row.code, "sign out", target=row.code)

    def cookie(self, member: StaffAccount) -> str:
        """The signed value of an account's cookie."""
        return str(self._serializer().dumps([member.id, member.generation]))

    def member_of(self, request: WithCookies) -> StaffAccount | None:
        """Who sends a request, by the cookie alone; None for anyone who is not signed in."""
        cookie = request.cookies.get(COOKIE)
        if not cookie:
            return None
        try:
            identifier, generation = self._serializer().loads(cookie, max_age=COOKIE_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return None
        with self.store.read() as session:
            row = session.get(Staff, identifier)
            if row is None or not row.active or row.generation != generation:
                return None
            return _member(row)

    def require(self, request: WithCookies, *roles: StaffRole) -> StaffAccount:
        """Who sends a request, if it is somebody of one of these roles.

        Raises
        ------
        SignInError
            Nobody is signed in.
        NotAllowed
            The role does not allow it.
        """
        member = self.member_of(request)
        if member is None:
            raise SignInError(_OUT)
        if member.role not in roles:
            raise NotAllowed(
                f"Your account {member.code} is a {member.role}: it may not do this. "
                "Nothing was changed."
            )
        return member

    def _serializer(self) -> URLSafeTimedSerializer:
        if self._signer is None:
            self._signer = URLSafeTimedSerializer(_cookie_key(self.store), salt="staff")
        return self._signer


def _cookie_key(store: Store) -> bytes:
    with store.write() as session:
        kept = session.get(ServerSecret, "staff cookie")
        if kept is None:
            kept = ServerSecret(name="staff cookie", value=secrets.token_bytes(32))
            session.add(kept)
        return bytes(kept.value)


def _existing(session: Session, study_id: str, code: str) -> Staff:
    row = _by_code(session, study_id, code.strip().lower())
    if row is None:
        raise StudyError(f"There is no account {code!r}: look at the list of accounts.")
    return row


def _by_code(session: Session, study_id: str, code: str) -> Staff | None:
    return session.scalar(select(Staff).where(Staff.study_id == study_id, Staff.code == code))


def _member(row: Staff) -> StaffAccount:
    return StaffAccount(
        row.id, row.code, StaffRole(row.role), row.active, row.created_at, row.generation
    )


def _new_secret() -> str:
    """80 random bits in hexadecimal digits, of which none is taken for another."""
    digits = secrets.token_hex(10).upper()
    return "-".join(digits[i : i + 4] for i in range(0, len(digits), 4))
