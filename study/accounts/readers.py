"""Accounts of readers: a one-time invitation, or code and secret; afterwards a signed cookie."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import select

from study.accounts.sign_in import SignIn, hash_secret, in_groups
from study.domain.errors import SignInError, StudyError
from study.storage.hash_chain import audit
from study.storage.models import Reader, new_token
from study.storage.store import Store

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_USED = (
    "This invitation has been used already, or a newer one has replaced it. Sign in with your "
    "code and secret, or ask for a new invitation."
)


@dataclass(frozen=True)
class ReaderAccount:
    """A reader's account.

    Parameters
    ----------
    id, code : str
        The code is that of the study, such as R01.
    generation : int
        Of the invitation that the cookie belongs to.
    """

    id: str
    code: str
    generation: int


@dataclass(frozen=True)
class Invitation:
    """What a coordinator hands to a reader, once; the database keeps hashes only.

    Parameters
    ----------
    code, secret : str
        For signing in again later, or on another machine.
    token : str
        128 random bits that sign in once.
    """

    code: str
    secret: str
    token: str

    @property
    def path(self) -> str:
        """Address of the link below the root of the server."""
        return f"/reader/join/{self.token}"


class ReaderSignIn(SignIn[Reader, ReaderAccount]):
    """Sign-in of a study's readers; the compare page of the same server sees the cookie too."""

    table = Reader
    cookie_name = "readingroom_reader"
    cookie_seconds = 30 * 86400
    cookie_path = "/"
    same_site = "lax"
    salt = "reader"
    key_name = "cookie"
    wrong = "This code and secret do not belong together. Check both, or ask for a new invitation."

    @staticmethod
    def normalised(code: str) -> str:
        """Reader codes are upper case."""
        return code.strip().upper()

    def account(self, row: Reader) -> ReaderAccount:
        """The account of a reader."""
        return ReaderAccount(row.id, row.code, row.generation)

    def join(self, token: str) -> ReaderAccount:
        """Use up an invitation.

        Raises
        ------
        SignInError
            It has been used or replaced, or never was one.
        """
        with self.store.write() as session:
            reader = session.scalar(
                select(Reader).where(
                    Reader.study_id == self.store.study_id,
                    Reader.invite_hash == _digest(token),
                    Reader.active,
                )
            )
            if reader is None:
                raise SignInError(_USED)
            reader.invite_hash = None
            audit(session, reader.code, "join", target=reader.code)
            return self.account(reader)


def invite(store: Store, code: str, *, actor: str) -> Invitation:
    """Make a new invitation; older ones, older secrets and older cookies of the reader end.

    Parameters
    ----------
    store : Store
    code : str
        The reader's code.
    actor : str
        Who invites, for the audit trail.

    Raises
    ------
    StudyError
        There is no such reader (readers exist from the freeze on), or it was deactivated.
    """
    secret = in_groups("".join(secrets.choice(_ALPHABET) for _ in range(16)))
    token = new_token()
    with store.write() as session:
        reader = ReaderSignIn.find(session, store.study_id, code)
        if reader is None:
            raise StudyError(
                f"There is no reader {code!r} in this study. Readers get their codes at the "
                "freeze: R01, R02, and so on."
            )
        if not reader.active:
            raise StudyError(f"Reader {reader.code} is not active and cannot be invited.")
        reader.secret_hash = hash_secret(secret)
        reader.invite_hash = _digest(token)
        reader.generation += 1
        audit(session, actor, "invite", target=reader.code)
        return Invitation(reader.code, secret, token)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
