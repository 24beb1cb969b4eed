"""Sign-in with code and secret, then a signed cookie: the same for readers and staff."""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import hmac
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar, cast

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer
from sqlalchemy import select
from sqlalchemy.orm import Session

from enhancers.http_limits.addresses import address_group
from study.accounts.cookie_keys import signing_key
from study.accounts.rate_limit import RateLimit
from study.accounts.sign_in_queue import SignInQueue, sign_in_queue
from study.domain.errors import SignInError
from study.storage.hash_chain import audit
from study.storage.models import Reader, Staff
from study.storage.store import Store

_LOOKALIKES = str.maketrans("OIL", "011", "- \t")
Cost = tuple[int, int]
"""Binary logarithm of scrypt's N, and r."""
_COST: Cost = (11, 8)


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


Result = TypeVar("Result")
Row = TypeVar("Row", Reader, Staff)
AccountT = TypeVar("AccountT", bound=Account)


def hash_secret(secret: str) -> str:
    """Scrypt hash of a secret with a random salt, as ``scrypt:log2n:r:salt:hash``.

    All secrets are generated, with 80 random bits: whoever has the database needs 2**79 guesses for
    one of them, whatever a guess costs. The costs that OWASP names are for passwords that people
    choose, and would let 50 readers who sign in at once wait for seconds; this one (N = 2**11,
    2 MiB, about 7 ms) makes such guesses a few thousand times dearer than a bare SHA-256. Secrets
    with older hashes, of a higher cost, stay valid and are hashed again at the next sign-in.
    """
    salt = secrets.token_bytes(16)
    return _written(_COST, salt, _scrypt(secret, salt, *_COST))


def secret_matches(secret: str, stored: str | None, costs: Collection[Cost] = ()) -> bool:
    """Whether a typed secret has this hash, in constant time; case, spaces, hyphens are ignored.

    Parameters
    ----------
    secret : str
    stored : str or None
        From `hash_secret`; None where there is no account, which takes as long.
    costs : collection of Cost
        Those of all hashes that could be stored: each is paid, so that the time does not tell
        which one it was.
    """
    own = None if stored is None else _cost(stored)
    matches = False
    for cost in {*costs, *([own] if own else [])}:
        _, _, _, salt, expected = (stored if stored and cost == own else _nobody(cost)).split(":")
        found = _scrypt(secret, base64.b64decode(salt), *cost)
        matches |= hmac.compare_digest(found, base64.b64decode(expected)) and cost == own
    return matches


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
    queue : SignInQueue, optional
        Where `sign_in_in_turn` waits.
    root : str
        Path of the study below a server of several, such as ``/study/1f2e3d``: its cookie has
        another name than those of the others, and is sent to the page that lists them.
    """

    table: ClassVar[type[Reader | Staff]]
    cookie_name: str
    cookie_seconds: ClassVar[int]
    cookie_path: str
    same_site: ClassVar[Literal["lax", "strict"]]
    salt: ClassVar[str]
    """Of the signature: a cookie of one table is worth nothing for another."""
    key_name: ClassVar[str]
    """Of the signing key among those of the server."""
    wrong: ClassVar[str]
    """The message when code and secret do not match, whichever of them is wrong."""

    def __init__(
        self,
        store: Store,
        rate_limit: RateLimit | None = None,
        queue: SignInQueue | None = None,
        *,
        root: str = "",
    ) -> None:
        self.store, self.root = store, root
        if root:
            self.cookie_name = f"{type(self).cookie_name}_{root.rpartition('/')[2]}"
            self.cookie_path = "/"
        self._rate_limit = rate_limit or RateLimit()
        self._queue = queue or sign_in_queue()
        self._signer: URLSafeTimedSerializer | None = None

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
            Code and secret do not match.
        """
        code, address = self.normalised(code), address_group(address)
        stored, costs = self._stored(code)
        if not secret_matches(secret, stored, costs) or stored is None:
            self._rate_limit.failed(address, code)
            raise SignInError(self.wrong, "login.wrong")
        self._rate_limit.succeeded(address, code)
        renewed = stored if _cost(stored) == _COST else hash_secret(secret)
        with self.store.write() as session:
            row = self.find(session, self.store.study_id, code)
            if row is None or not row.active or row.secret_hash != stored:
                raise SignInError(self.wrong, "login.wrong")
            row.secret_hash = renewed
            audit(session, code, "sign in", target=code)
            return self.account(row)

    async def sign_in_in_turn(self, code: str, secret: str, *, address: str) -> AccountT:
        """`sign_in` in threads of its own, where tries that may be guessing come last.

        Raises
        ------
        SignInError
            See `sign_in`.
        SignInBusy
            Too many wait already.
        """
        job = functools.partial(self.sign_in, code, secret, address=address)
        known = self.normalised(code)
        return await in_turn(self._queue, self._rate_limit, job, code=known, address=address)

    def matches(self, code: str, secret: str) -> bool:
        """Whether code and secret, as typed, belong together here; nothing is counted or logged."""
        stored, costs = self._stored(self.normalised(code))
        return secret_matches(secret, stored, costs) and stored is not None

    def _stored(self, code: str) -> tuple[str | None, set[Cost]]:
        """The hash of an account that may sign in, and the costs of all hashes."""
        table = self._row_type()
        wanted = select(table.code, table.active, table.secret_hash).where(
            table.study_id == self.store.study_id, table.secret_hash.is_not(None)
        )
        with self.store.read() as session:
            rows: list[tuple[str, bool, str]] = [
                (found.code, found.active, found.secret_hash) for found in session.execute(wanted)
            ]
        hashes = {name: stored for name, active, stored in rows if active}
        return hashes.get(code), {_COST, *(_cost(stored) for _, _, stored in rows)}

    def cookie(self, account: AccountT) -> str:
        """The signed value of an account's cookie."""
        return str(self.signer().dumps([account.id, account.generation]))

    def account_of_cookie(self, cookie: str | None) -> AccountT | None:
        """Whose cookie it is; None when it is forged, expired, replaced, or nobody's."""
        if not cookie:
            return None
        try:
            identifier, generation = self._signed(cookie)
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

    def _signed(self, cookie: str) -> Any:
        """The content of a cookie; BadSignature where it is forged or too old.

        A cookie from the future is valid: the clock of the server was set back since.
        """
        content, moment = self.signer().loads(cookie, return_timestamp=True)
        if (datetime.now(UTC) - moment).total_seconds() > self.cookie_seconds:
            raise SignatureExpired("The cookie has expired.")
        return content

    def sign_out(self, account: AccountT) -> None:
        """End all sessions of an account: its cookies are worth nothing from now on."""
        with self.store.write() as session:
            row = session.get_one(self._row_type(), account.id)
            if row.generation == account.generation:
                row.generation += 1
                audit(session, row.code, "sign out", target=row.code)


async def in_turn(
    queue: SignInQueue, limit: RateLimit, job: Callable[[], Result], *, code: str, address: str
) -> Result:
    """Run a check of a secret in the threads for it, the later the more it looks like guessing.

    Parameters
    ----------
    queue : SignInQueue
    limit : RateLimit
        Knows the wrong secrets of the address and for the code.
    job : callable
    code, address : str
        The code as the table has it, and where the request comes from.

    Raises
    ------
    SignInBusy
        Too many wait already.
    """
    group = address_group(address)
    slow, wrong = limit.is_slow(group, code), limit.wrong(group, code)
    return await asyncio.wrap_future(queue.submit(job, address=group, slow=slow, wrong=wrong))


def _cost(stored: str) -> Cost:
    _, log2n, r, *_ = stored.split(":")
    return int(log2n), int(r)


@functools.cache
def _nobody(cost: Cost) -> str:
    """A hash that no secret has."""
    return _written(cost, secrets.token_bytes(16), secrets.token_bytes(32))


def _written(cost: Cost, salt: bytes, digest: bytes) -> str:
    return f"scrypt:{cost[0]}:{cost[1]}:{_b64(salt)}:{_b64(digest)}"


def _scrypt(secret: str, salt: bytes, log2n: int, r: int) -> bytes:
    plain = secret.upper().translate(_LOOKALIKES).encode()
    return hashlib.scrypt(plain, salt=salt, n=2**log2n, r=r, p=1, dklen=32)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
