"""What coordinators may download: made on demand, kept in memory, found by a random token."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from study.storage.models import new_token, now

_KEPT = 12


@dataclass(frozen=True)
class Download:
    """A file.

    Parameters
    ----------
    name : str
    media_type : str
    content : bytes
    shown : bool
        Whether a browser opens it instead of saving it.
    masked : bool
        Whether methods are codes in it.
    made_at : str
    """

    name: str
    media_type: str
    content: bytes = field(repr=False)
    shown: bool = False
    masked: bool = True
    made_at: str = field(default_factory=now)


class Downloads:
    """The last files that were made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[str, Download] = OrderedDict()

    def put(self, *files: Download) -> None:
        """Keep these, and forget the oldest ones beyond a number."""
        with self._lock:
            for file in files:
                self._files[new_token()] = file
            while len(self._files) > _KEPT:
                self._files.popitem(last=False)

    def get(self, token: str) -> Download | None:
        """The file with this token."""
        return self._files.get(token)

    def listing(self) -> tuple[tuple[str, Download], ...]:
        """Tokens and files, the newest first."""
        with self._lock:
            return tuple(reversed(self._files.items()))
