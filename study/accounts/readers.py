"""How a reader gets in: a one-time invite link, or code and secret; afterwards a signed cookie."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request

from study.accounts.rate_limit import RateLimit
from study.domain.errors import SignInError, StudyError
from study.reading.ratings import audit
from study.storage.models import Reader, ServerSecret, new_token
from study.storage.store import Store

COOKIE = "readingroom_reader"
COOKIE_SECONDS = 30 * 86400

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans("OIL", "011", "- \t")
_SCRYPT_LOG2N, _SCRYPT_R = 14, 8
_WRONG = "This code and secret do not belong together. Check both, or ask for a new invitation."
_USED = (
    "This invitation has been used already, or a newer one has replaced it. Sign in with your "
    "code and secret, or ask for a new invitation."
)


@dataclass(frozen=True)
class Identity:
    """Who is signed in.

    Parameters
    ----------
    reader_id : str
    code : str
        The reader's code, such as R01.
    generation : int
        Of the invitation the cookie belongs to.
    """

    reader_id: str
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
    secret = _new_secret()
    token = new_token()
    with store.write() as session:
        reader = _by_code(session, store.study_id, code)
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


def hash_secret(secret: str) -> str:
    """Scrypt hash of a secret with its own salt, as text."""
    salt = secrets.token_bytes(16)
    return f"scrypt:{_SCRYPT_LOG2N}:{_SCRYPT_R}:{_b64(salt)}:{_b64(_scrypt(secret, salt))}"


def secret_matches(secret: str, stored: str) -> bool:
    """Whether a typed secret is the one that was hashed; takes the same time either way."""
    _, log2n, r, salt, expected = stored.split(":")
    found = _scrypt(secret, base64.b64decode(salt), int(log2n), int(r))
    return hmac.compare_digest(found, base64.b64decode(expected))


class ReaderSignIn:
    """The door of one study.

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

    def join(self, token: str) -> Identity:
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
            return Identity(reader.id, reader.code, reader.generation)

    def sign_in(self, code: str, secret: str, *, address: str) -> Identity:
        """Check code and secret.

        Parameters
        ----------
        code, secret : str
            As typed: case, spaces and hyphens do not matter.
        address : str
            Where the try comes from; kept in memory only.

        Raises
        ------
        SignInError
            They do not belong together, or there were too many wrong tries.
        """
        code = code.strip().upper()
        self._throttle.check(address, code)
        with self.store.read() as session:
            reader = _by_code(session, self.store.study_id, code)
            known = reader is not None and reader.active and reader.secret_hash is not None
            stored = reader.secret_hash if reader and known and reader.secret_hash else self._nobody
        # An unknown code costs the same time as a wrong secret.
        if not secret_matches(secret, stored) or not known:
            self._throttle.failed(address, code)
            raise SignInError(_WRONG)
        self._throttle.succeeded(address, code)
        with self.store.write() as session:
            again = _by_code(session, self.store.study_id, code)
            if again is None or again.secret_hash != stored:
                raise SignInError(_WRONG)
            audit(session, code, "sign in", target=code)
            return Identity(again.id, again.code, again.generation)

    def cookie(self, identity: Identity) -> str:
        """The signed value of the reader's cookie."""
        return str(self._serializer().dumps([identity.reader_id, identity.generation]))

    def identity(self, cookie: str | None) -> Identity | None:
        """Whose cookie it is; None when it is forged, expired, replaced, or nobody's."""
        if not cookie:
            return None
        try:
            reader_id, generation = self._serializer().loads(cookie, max_age=COOKIE_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return None
        if not isinstance(reader_id, str):
            return None
        with self.store.read() as session:
            reader = session.get(Reader, reader_id)
            if reader is None or not reader.active or reader.generation != generation:
                return None
            return Identity(reader.id, reader.code, reader.generation)

    def reader_of(self, request: Request) -> Identity | None:
        """Who sends a request, by the cookie alone."""
        return self.identity(request.cookies.get(COOKIE))

    def _serializer(self) -> URLSafeTimedSerializer:
        if self._signer is None:
            self._signer = URLSafeTimedSerializer(_cookie_key(self.store), salt="reader")
        return self._signer


def _cookie_key(store: Store) -> bytes:
    with store.write() as session:
        kept = session.get(ServerSecret, "cookie")
        if kept is None:
            kept = ServerSecret(name="cookie", value=secrets.token_bytes(32))
            session.add(kept)
        return bytes(kept.value)


def _by_code(session: Session, study_id: str, code: str) -> Reader | None:
    wanted = select(Reader).where(Reader.study_id == study_id, Reader.code == code.strip().upper())
    return session.scalar(wanted)


def _new_secret() -> str:
    letters = [secrets.choice(_ALPHABET) for _ in range(16)]
    return "-".join("".join(letters[i : i + 4]) for i in range(0, 16, 4))


def _scrypt(secret: str, salt: bytes, log2n: int = _SCRYPT_LOG2N, r: int = _SCRYPT_R) -> bytes:
    plain = secret.upper().translate(_LOOKALIKES).encode()
    return hashlib.scrypt(plain, salt=salt, n=2**log2n, r=r, p=1, dklen=32)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
