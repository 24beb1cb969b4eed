"""The sessions of all browser tabs."""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from enhancers.http_limits.shares import in_excess
from enhancers.ui.session import Session

LATE_EVENT_SECONDS = 10.0
"""Seconds after a tab was closed in which its last events may still arrive."""

KEPT_SECONDS = 600.0
"""Seconds for which the session of a page that was left can be continued."""

KEPT_SESSIONS = 16
"""Most sessions of pages that were left; the first of the address with most makes room."""

_CONTINUED = (
    "image", "name", "opened", "sample", "series", "series_key", "window_choice", "first_window",
    "truth", "truth_file", "truth_origin", "pair", "pair_chosen", "settings", "view",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Left:
    """The session of a page that was left, and when it is forgotten."""

    session: Session
    timer: threading.Timer
    address: str


class Sessions:
    """The sessions of all tabs, by the key of a `Tab`.

    Where there are too many, the least recently used of the address with most of them are dropped.
    """

    def __init__(self, capacity: int = 64) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._by_hash: OrderedDict[str, Session] = OrderedDict()
        self._addresses: dict[str, str] = {}
        self._removed: dict[str, float] = {}
        self._left: OrderedDict[str, _Left] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_hash)

    def get(self, key: str, address: str = "") -> Session:
        """The session of a tab, created at its first request.

        A late event of a closed tab gets a session that is not stored.

        Parameters
        ----------
        key, address : str
            Of the `Tab`.
        """
        with self._lock:
            if time.monotonic() - self._removed.get(key, -math.inf) < LATE_EVENT_SECONDS:
                return Session()
            session = self._by_hash.setdefault(key, Session())
            self._by_hash.move_to_end(key)
            self._addresses[key] = address
            owners = {one: self._addresses[one] for one in self._by_hash}
            for surplus in in_excess(owners, self.capacity):
                del self._by_hash[surplus], self._addresses[surplus]
            return session

    def by_token(self, token: str) -> Session | None:
        """The session that a download link names, or None."""
        with self._lock:
            return _named(token, self._by_hash.values())

    def resume(self, key: str, token: str, address: str = "") -> bool:
        """Continue in a tab what its page had before it was loaded anew.

        The former page may still be open, as where a tab was duplicated: both go on separately.

        Parameters
        ----------
        key, address : str
            Of the `Tab` of the page that was loaded.
        token : str
            Of the former page's session.

        Returns
        -------
        bool
            Whether there was something to continue, and nothing else was opened meanwhile.
        """
        session = self.get(key, address)
        with self._lock:
            left = [one.session for one in self._left.values()]
            former = _named(token, [*self._by_hash.values(), *left])
        return former is not None and former is not session and _continue(session, former)

    def remove(self, key: str) -> Session | None:
        """Remove and return the session of a tab that was closed; for a while it can be resumed."""
        now = time.monotonic()
        with self._lock:
            recent = self._removed.items()
            self._removed = {k: at for k, at in recent if now - at < LATE_EVENT_SECONDS}
            self._removed[key] = now
            session = self._by_hash.pop(key, None)
            address = self._addresses.pop(key, "")
        if session is not None and session.image is not None:
            self._keep(session, address)
        return session

    def _keep(self, session: Session, address: str) -> None:
        timer = threading.Timer(KEPT_SECONDS, self._forget, [session.token])
        timer.daemon = True
        timer.start()
        with self._lock:
            self._left[session.token] = _Left(session, timer, address)
            owners = {token: one.address for token, one in self._left.items()}
            for surplus in in_excess(owners, KEPT_SESSIONS):
                self._left.pop(surplus).timer.cancel()

    def _forget(self, token: str) -> None:
        with self._lock:
            self._left.pop(token, None)


def _named(token: str, sessions: Iterable[Session]) -> Session | None:
    for session in sessions:
        if secrets.compare_digest(session.token.encode(), token.encode()):
            return session
    return None


def _continue(session: Session, former: Session) -> bool:
    """Let a new session go on with what another one has; its unfinished methods are stopped."""
    with former.lock:
        found = {name: getattr(former, name) for name in _CONTINUED}
        run = former.run.stopped() if former.run else None
        scores, slices = dict(former.scores), dict(former.slices)
    if found["image"] is None:
        return False
    with session.changes.change() as number, session.lock:
        if session.changes.file_chosen or session.image is not None:
            return False
        session.file += 1
        session.replace_image(found["image"], number)
        for name, value in found.items():
            setattr(session, name, value)
        session.run, session.scores, session.slices = run, scores, slices
    return True
