"""The sessions of all browser tabs."""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections import OrderedDict

from enhancers.ui.session import Session

LATE_EVENT_SECONDS = 10.0
"""Seconds after a tab was closed in which its last events may still arrive."""


class Sessions:
    """The sessions of all tabs by Gradio's session hash; the least recently used are dropped."""

    def __init__(self, capacity: int = 64) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._by_hash: OrderedDict[str, Session] = OrderedDict()
        self._removed: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._by_hash)

    def get(self, session_hash: str | None) -> Session:
        """The session of a tab, created at its first request.

        A late event of a closed tab gets a session that is not stored.
        """
        key = session_hash or ""
        with self._lock:
            if time.monotonic() - self._removed.get(key, -math.inf) < LATE_EVENT_SECONDS:
                return Session()
            session = self._by_hash.setdefault(key, Session())
            self._by_hash.move_to_end(key)
            while len(self._by_hash) > self.capacity:
                self._by_hash.popitem(last=False)
            return session

    def by_token(self, token: str) -> Session | None:
        """The session that a download link names, or None."""
        with self._lock:
            for session in self._by_hash.values():
                if secrets.compare_digest(session.token, token):
                    return session
        return None

    def remove(self, session_hash: str | None) -> Session | None:
        """Remove and return the session of a tab that was closed."""
        key, now = session_hash or "", time.monotonic()
        with self._lock:
            recent = self._removed.items()
            self._removed = {k: at for k, at in recent if now - at < LATE_EVENT_SECONDS}
            self._removed[key] = now
            return self._by_hash.pop(key, None)
