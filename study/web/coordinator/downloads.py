"""Files for download: made on demand, kept in memory, addressed by a random token."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from study.storage.models import new_token, now

_MAX_FILES = 12


@dataclass(frozen=True)
class Download:
    """A file for download.

    Parameters
    ----------
    name : str
    media_type : str
    content : bytes
    shown : bool
        Whether the browser shows it instead of saving it.
    masked : bool
        Whether it shows methods by code.
    made_at : str
    """

    name: str
    media_type: str
    content: bytes = field(repr=False)
    shown: bool = False
    masked: bool = True
    made_at: str = field(default_factory=now)


class Downloads:
    """The files that were made last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[str, Download] = OrderedDict()

    def put(self, *files: Download) -> None:
        """Keep these files; the oldest ones beyond the limit are dropped."""
        with self._lock:
            for file in files:
                self._files[new_token()] = file
            while len(self._files) > _MAX_FILES:
                self._files.popitem(last=False)

    def get(self, token: str) -> Download | None:
        """The file with a token, if it is still kept."""
        return self._files.get(token)

    def listing(self) -> tuple[tuple[str, Download], ...]:
        """Tokens and files, newest first."""
        with self._lock:
            return tuple(reversed(self._files.items()))
