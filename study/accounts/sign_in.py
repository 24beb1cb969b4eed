"""Sign-in with code and secret, then a signed cookie: the same for readers and staff."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from abc import ABC, abstractmethod
from typing import ClassVar, Generic, Literal, Protocol, TypeVar, cast

from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import select
from sqlalchemy.orm import Session

from study.accounts.cookie_keys import signing_key
from study.accounts.rate_limit import RateLimit
from study.domain.errors import SignInError
from study.storage.hash_chain import audit
from study.storage.models import Reader, Staff
from study.storage.store import Store

_LOOKALIKES = str.maketrans("OIL", "011", "- \t")
_SCRYPT_LOG2N, _SCRYPT_R = 14, 8


class Account(Protocol):
    """Somebody who can sign in; `generation` counts up when older cookies are to end."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def code(self) -> str: ...  # noqa: D102
    @property
    def generation(self) -> int: ...  # noqa: D102


class RequestWithCookies(Protocol):
    """A request of Starlette or of Gradio."""

    @property
    def cookies(self) -> dict[str, str]:
        """Values by name."""


Row = TypeVar("Row", Reader, Staff)
AccountT = TypeVar("AccountT", bound=Account)


def hash_secret(secret: str) -> str:
    """Scrypt hash of a secret with a random salt, as ``scrypt:log2n:r:salt:hash``."""
    salt = secrets.token_bytes(16)
    return f"scrypt:{_SCRYPT_LOG2N}:{_SCRYPT_R}:{_b64(salt)}:{_b64(_scrypt(secret, salt))}"


def secret_matches(secret: str, stored: str) -> bool:
    """Whether a typed secret has this hash, in constant time; case, spaces, hyphens are ignored."""
    _, log2n, r, salt, expected = stored.split(":")
    found = _scrypt(secret, base64.b64decode(salt), int(log2n), int(r))
    return hmac.compare_digest(found, base64.b64decode(expected))


def in_groups(secret: str) -> str:
    """A secret with a hyphen after every fourth character."""
    return "-".join(secret[i : i + 4] for i in range(0, len(secret), 4))


class SignIn(ABC, Generic[Row, AccountT]):
    """Signs in the accounts of one table, and knows them again by their cookie.

    Parameters
    ----------
    store : Store
    rate_limit : RateLimit, optional
        Counts wrong secrets; share one `SignIn` among all routes that check secrets.
    """

    table: ClassVar[type[Reader | Staff]]
    cookie_name: ClassVar[str]
    cookie_seconds: ClassVar[int]
    cookie_path: ClassVar[str]
    same_site: ClassVar[Literal["lax", "strict"]]
    salt: ClassVar[str]
    """Of the signature: a cookie of one table is worth nothing for another."""
    key_name: ClassVar[str]
    """Of the signing key among those of the server."""
    wrong: ClassVar[str]
    """The message when code and secret do not match, whichever of them is wrong."""

    def __init__(self, store: Store, rate_limit: RateLimit | None = None) -> None:
        self.store = store
        self._rate_limit = rate_limit or RateLimit()
        self._signer: URLSafeTimedSerializer | None = None
        self._no_account = hash_secret(secrets.token_hex(10))

    @staticmethod
    @abstractmethod
    def normalised(code: str) -> str:
        """A typed code as the table has it."""

    @abstractmethod
    def account(self, row: Row) -> AccountT:
        """The account of a row."""

    def sign_in(self, code: str, secret: str, *, address: str) -> AccountT:
        """Check code and secret, and log the sign-in.

        Parameters
        ----------
        code, secret : str
            As typed: case, and the spaces and hyphens of the secret, do not matter.
        address : str
            Where the request comes from; kept in memory only.

        Raises
        ------
        SignInError
            Code and secret do not match, or there were too many wrong tries.
        """
        code = self.normalised(code)
        self._rate_limit.check(address, code)
        with self.store.read() as session:
            row = self.find(session, self.store.study_id, code)
            stored = row.secret_hash if row is not None and row.active else None
        # An unknown code takes as long as a wrong secret.
        if not secret_matches(secret, stored or self._no_account) or stored is None:
            self._rate_limit.failed(address, code)
            raise SignInError(self.wrong, "login.wrong")
        self._rate_limit.succeeded(address, code)
        with self.store.write() as session:
            row = self.find(session, self.store.study_id, code)
            if row is None or not row.active or row.secret_hash != stored:
                raise SignInError(self.wrong, "login.wrong")
            audit(session, code, "sign in", target=code)
            return self.account(row)

    def cookie(self, account: AccountT) -> str:
        """The signed value of an account's cookie."""
        return str(self.signer().dumps([account.id, account.generation]))

    def account_of_cookie(self, cookie: str | None) -> AccountT | None:
        """Whose cookie it is; None when it is forged, expired, replaced, or nobody's."""
        if not cookie:
            return None
        try:
            identifier, generation = self.signer().loads(cookie, max_age=self.cookie_seconds)
        except (BadSignature, ValueError, TypeError):
            return None
        if not isinstance(identifier, str):
            return None
        with self.store.read() as session:
            row = session.get(self._row_type(), identifier)
            if row is None or not row.active or row.generation != generation:
                return None
            return self.account(row)

    def account_of(self, request: RequestWithCookies) -> AccountT | None:
        """Who sends a request, by the cookie alone; None for anyone who is not signed in."""
        return self.account_of_cookie(request.cookies.get(self.cookie_name))

    @classmethod
    def find(cls, session: Session, study_id: str, code: str) -> Row | None:
        """The row with a code, as typed."""
        table = cls._row_type()
        wanted = table.code == cls.normalised(code)
        return session.scalar(select(table).where(table.study_id == study_id, wanted))

    @classmethod
    def _row_type(cls) -> type[Row]:
        """`table`, with the type that a class variable cannot have."""
        return cast("type[Row]", cls.table)

    def signer(self) -> URLSafeTimedSerializer:
        """Signs cookies with the server's key for this study."""
        if self._signer is None:
            key = signing_key(self.store.study_id, self.key_name, self.store.folder)
            self._signer = URLSafeTimedSerializer(key, salt=self.salt)
        return self._signer

    def sign_out(self, account: AccountT) -> None:
        """End all sessions of an account: its cookies are worth nothing from now on."""
        with self.store.write() as session:
            row = session.get_one(self._row_type(), account.id)
            if row.generation == account.generation:
                row.generation += 1
                audit(session, row.code, "sign out", target=row.code)


def _scrypt(secret: str, salt: bytes, log2n: int = _SCRYPT_LOG2N, r: int = _SCRYPT_R) -> bytes:
    plain = secret.upper().translate(_LOOKALIKES).encode()
    return hashlib.scrypt(plain, salt=salt, n=2**log2n, r=r, p=1, dklen=32)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
