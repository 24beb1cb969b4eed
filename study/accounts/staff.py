"""Accounts of the people who run a study, and their roles.

An administrator plans, builds, freezes, invites, closes and unblinds; a monitor sees how far the
readers are and nothing else. Readers' accounts are separate, with another cookie.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.accounts.sign_in import RequestWithCookies, SignIn, hash_secret, in_groups
from study.domain.errors import NotAllowed, SignInError, StudyError
from study.storage.hash_chain import audit
from study.storage.models import Staff
from study.storage.store import Store

LONGEST = 40
_READER = re.compile(r"r\d+")


class StaffRole(StrEnum):
    """What an account may do."""

    ADMIN = "admin"
    MONITOR = "monitor"
    """Sees the progress of the readers only."""


@dataclass(frozen=True)
class StaffAccount:
    """The account of a coordinator.

    Parameters
    ----------
    id, code : str
        The audit trail names this person by the code.
    role : StaffRole
    active : bool
    created_at : str
    generation : int
        Of the cookies that are valid.
    """

    id: str
    code: str
    role: StaffRole
    active: bool
    created_at: str
    generation: int


@dataclass(frozen=True)
class Credential:
    """Name and secret of an account; shown once, the database keeps a hash."""

    code: str
    secret: str


def add(store: Store, code: str, role: StaffRole, *, actor: str) -> Credential:
    """Add an account with a new secret.

    Parameters
    ----------
    store : Store
    code : str
        One to forty letters of any script, digits, dots, hyphens or underscores, beginning with
        a letter; case does not matter.
    role : StaffRole
    actor : str
        Who adds it, for the audit trail.

    Raises
    ------
    StudyError
        The code is not possible, or taken.
    """
    code = StaffSignIn.normalised(code)
    if not _is_name(code) or _READER.fullmatch(code):
        raise StudyError(
            f"The name {code!r} is not possible: use 1 to {LONGEST} letters of any script, digits, "
            "dots or hyphens, beginning with a letter, and none that looks like a reader's code."
        )
    secret = in_groups(secrets.token_hex(10).upper())
    with store.write() as session:
        if StaffSignIn.find(session, store.study_id, code) is not None:
            raise StudyError(f"There is an account {code!r} already: choose another name.")
        session.add(
            Staff(study_id=store.study_id, code=code, role=role.value,
                  secret_hash=hash_secret(secret))
        )  # fmt: skip
        session.flush()
        audit(session, actor, "add account", target=code, detail=role.value)
    return Credential(code, secret)


def renew(store: Store, code: str, *, actor: str) -> Credential:
    """Give an account a new secret; the older one and all its sessions end.

    Raises
    ------
    StudyError
        There is no such account, or it is switched off.
    """
    secret = in_groups(secrets.token_hex(10).upper())
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


def accounts_of(store: Store) -> tuple[StaffAccount, ...]:
    """All accounts, sorted by name."""
    with store.read() as session:
        rows = select(Staff).where(Staff.study_id == store.study_id).order_by(Staff.code)
        return tuple(_account(row) for row in session.scalars(rows))


class StaffSignIn(SignIn[Staff, StaffAccount]):
    """Sign-in of the people who run a study."""

    table = Staff
    cookie_name = "readingroom_staff"
    cookie_seconds = 12 * 3600
    cookie_path = "/coordinator"
    same_site = "strict"
    salt = "staff"
    key_name = "staff cookie"
    wrong = "This name and secret do not belong together. Check both, or ask for a new secret."

    @staticmethod
    def normalised(code: str) -> str:
        """Names of accounts are lower case."""
        return unicodedata.normalize("NFKC", code.strip().lower())

    def account(self, row: Staff) -> StaffAccount:
        """The account of a row."""
        return _account(row)

    def require(self, request: RequestWithCookies, *roles: StaffRole) -> StaffAccount:
        """Who sends a request, if the account has one of these roles.

        Raises
        ------
        SignInError
            Nobody is signed in.
        NotAllowed
            The role does not allow it.
        """
        account = self.account_of(request)
        if account is None:
            raise SignInError("You are signed out. Sign in again to go on; nothing was changed.")
        if account.role not in roles:
            raise NotAllowed(
                f"Your account {account.code} is a {account.role}: it may not do this. "
                "Nothing was changed."
            )
        return account


def _existing(session: Session, study_id: str, code: str) -> Staff:
    row = StaffSignIn.find(session, study_id, code)
    if row is None:
        raise StudyError(f"There is no account {code!r}: look at the list of accounts.")
    return row


def _account(row: Staff) -> StaffAccount:
    return StaffAccount(
        row.id, row.code, StaffRole(row.role), row.active, row.created_at, row.generation
    )


def _is_name(code: str) -> bool:
    """Whether it has letters with their marks, digits and a few signs, beginning with a letter."""
    kinds = [unicodedata.category(character)[0] for character in code]
    allowed = (kind in "LMN" or sign in "._-" for kind, sign in zip(kinds, code, strict=True))
    return 0 < len(code) <= LONGEST and kinds[0] == "L" and all(allowed)
