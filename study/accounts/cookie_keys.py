"""The key that signs cookies: in a file of the server, never in a study, its mirror or a backup.

Whoever holds a copy of a study can therefore sign nobody in. Servers that share a study share this
file. Where it cannot be written, the key lives as long as the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import threading
from pathlib import Path

from study.domain.errors import KeyFileError

VARIABLE = "READINGROOM_COOKIE_KEY"
"""Environment variable with the path of the file."""
_BYTES = 32
_log = logging.getLogger("study.accounts")
_lock = threading.Lock()
_known: dict[Path, bytes] = {}


def keep_in(path: Path | None) -> None:
    """Name the file for this process and those that it starts; None leaves it as it is."""
    if path is not None:
        os.environ[VARIABLE] = str(path.expanduser().absolute())


def default_path() -> Path:
    """The file of the server, from the environment or among the user's state files."""
    if given := os.environ.get(VARIABLE):
        return Path(given).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "reading-room" / "cookie.key"


def signing_key(study_id: str, name: str, folder: Path) -> bytes:
    """The key for one kind of cookie of one study.

    Parameters
    ----------
    study_id : str
    name : str
        Of the kind of cookie.
    folder : Path
        Of the study; the file must lie outside it.

    Raises
    ------
    KeyFileError
        The file lies in the study, is readable by others, or is no key.
    """
    path = default_path()
    if folder.resolve() in path.resolve().parents:
        raise KeyFileError(
            f"The key of the cookies {path} lies in the study folder {folder}, whose copies could "
            f"sign anybody in: choose a path outside, in {VARIABLE}."
        )
    with _lock:
        if path not in _known:
            _known[path] = _server_key(path)
    return hmac.new(_known[path], f"{study_id}\n{name}".encode(), hashlib.sha256).digest()


def _server_key(path: Path) -> bytes:
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(path)
    except OSError as error:
        _log.warning(
            "The key of the cookies cannot be kept in %s (%s): everybody has to sign in again "
            "when the server restarts. Name another file in %s.", path, error.strerror, VARIABLE,
        )  # fmt: skip
        return secrets.token_bytes(_BYTES)
    return _read(path)


def _make(path: Path) -> None:
    """Make the file with its content in one step; that of another process stays."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(_BYTES)}\n")
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        key, mode = b"", 0
    if len(key) != _BYTES:
        raise KeyFileError(
            f"The key of the cookies {path} is damaged or cannot be read: delete it, and a new one "
            "is made; everybody has to sign in again then."
        )
    if os.name == "posix" and mode & 0o077:
        raise KeyFileError(
            f"Others may read the key of the cookies {path} (mode {mode & 0o777:04o}); run: "
            f"chmod 600 {path}"
        )
    return key
