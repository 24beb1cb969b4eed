"""Accounts of readers: a one-time invitation, or code and secret; afterwards a signed cookie."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Select, select

from study.accounts.sign_in import SignIn, hash_secret, in_groups
from study.domain.errors import ProtocolError, SignInError, StudyError
from study.domain.reader_codes import checked_code, normalised_code
from study.storage.hash_chain import audit
from study.storage.models import Consent, Reader, new_token
from study.storage.reader_rows import add_change, existing_reader, has_withdrawn, is_replaced
from study.storage.store import Store

LONGEST_NOTE = 500
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
USED = (
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
        return normalised_code(code)

    def account(self, row: Reader) -> ReaderAccount:
        """The account of a reader."""
        return ReaderAccount(row.id, row.code, row.generation)

    def has_invited(self, token: str) -> bool:
        """Whether an invitation of this study is still to be used."""
        with self.store.read() as session:
            return session.scalar(self._invited(token)) is not None

    def join(self, token: str) -> ReaderAccount:
        """Use up an invitation.

        Raises
        ------
        SignInError
            It has been used or replaced, or never was one.
        """
        # Whoever guesses must not keep readers from writing.
        if not self.has_invited(token):
            raise SignInError(USED, "login.used")
        with self.store.write() as session:
            reader = session.scalar(self._invited(token))
            if reader is None:
                raise SignInError(USED, "login.used")
            reader.invite_hash = None
            audit(session, reader.code, "join", target=reader.code)
            return self.account(reader)

    def _invited(self, token: str) -> Select[Reader]:
        return select(Reader).where(
            Reader.study_id == self.store.study_id,
            Reader.invite_hash == _digest(token),
            Reader.active,
        )


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
        There is no such reader (readers exist from the freeze on), or the reader was switched off
        or replaced, or has withdrawn.
    """
    secret = in_groups("".join(secrets.choice(_ALPHABET) for _ in range(16)))
    token = new_token()
    with store.write() as session:
        reader = existing_reader(session, store.study_id, code)
        if has_withdrawn(session, reader.id):
            raise StudyError(
                f"Reader {reader.code} has withdrawn, which is final, and cannot be invited. "
                "Another reader can take over the plan."
            )
        if is_replaced(session, reader.id):
            raise StudyError(f"Reader {reader.code} was replaced and cannot be invited.")
        if not reader.active:
            raise StudyError(
                f"Reader {reader.code} is switched off and cannot be invited: switch on first."
            )
        reader.secret_hash = hash_secret(secret)
        reader.invite_hash = _digest(token)
        reader.generation += 1
        audit(session, actor, "invite", target=reader.code)
        return Invitation(reader.code, secret, token)


def set_active(store: Store, code: str, active: bool, *, reason: str = "", actor: str) -> None:
    """Switch a reader off, which ends all sessions, or on again.

    What was read counts in the analysis either way; an exclusion is a decision of its own.

    Raises
    ------
    StudyError
        There is no such reader, or the reader was replaced or has withdrawn.
    """
    with store.write() as session:
        reader = existing_reader(session, store.study_id, code)
        if active and (is_replaced(session, reader.id) or has_withdrawn(session, reader.id)):
            raise StudyError(
                f"Reader {reader.code} was replaced or has withdrawn and stays switched off."
            )
        if reader.active == active:
            return
        word = "switched on" if active else "switched off"
        reader.active = active
        reader.generation += 1
        add_change(session, reader, word, reason, actor)
        action = "switch reader on" if active else "switch reader off"
        audit(session, actor, action, target=reader.code, detail=reason.strip())


def revoke(store: Store, code: str, *, reason: str = "", actor: str) -> None:
    """End everything that lets a reader in: invitation, secret, and sessions on all machines.

    For a lost laptop or a letter in wrong hands; a new invitation lets the reader go on.

    Raises
    ------
    StudyError
        There is no such reader.
    """
    with store.write() as session:
        reader = existing_reader(session, store.study_id, code)
        reader.secret_hash = reader.invite_hash = None
        reader.generation += 1
        add_change(session, reader, "ended", reason, actor)
        audit(session, actor, "revoke", target=reader.code, detail=reason.strip())


def rename(store: Store, code: str, chosen: str, *, actor: str) -> str:
    """Give a reader who has not agreed yet another code, and return it as it is stored.

    Raises
    ------
    ProtocolError
        The code is not possible or taken.
    StudyError
        There is no such reader, or the reader has joined already.
    """
    with store.write() as session:
        reader = existing_reader(session, store.study_id, code)
        wanted = select(Reader.code).where(Reader.study_id == store.study_id)
        new = checked_code(chosen, session.scalars(wanted).all())
        if session.scalar(select(Consent.id).where(Consent.reader_id == reader.id)) is not None:
            raise StudyError(f"{reader.code} has joined under this code, which stays.")
        old, reader.code = reader.code, new
        add_change(session, reader, "renamed", f"from {old}", actor)
        audit(session, actor, "rename reader", target=new, detail=f"from {old}")
        return new


def note(store: Store, code: str, text: str, *, actor: str) -> None:
    """Write a note about a reader, for coordinators only; the latest is shown.

    Raises
    ------
    ProtocolError
        The note is too long.
    StudyError
        There is no such reader.
    """
    if len(text) > LONGEST_NOTE:
        raise ProtocolError(f"The note has {len(text)} characters; {LONGEST_NOTE} are allowed.")
    with store.write() as session:
        reader = existing_reader(session, store.study_id, code)
        add_change(session, reader, "note", text, actor)
        audit(session, actor, "note", target=reader.code)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
