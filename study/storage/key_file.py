"""The key file: the only place with the names of methods, cases and patients, and the master seed.

It lies outside the study folder and is readable by its owner only. A server that only shows images
to readers never opens it.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from enhancers.files import write_atomic
from study.domain.errors import KeyFileError
from study.domain.terms import MethodKind
from study.storage.key import Key, KeyCase, KeyMethod, content

FORMAT = "reading-room study key"
VERSION = 1
SEED_BYTES = 32


def create(path: Path, folder: Path) -> Key:
    """Create the key file of a new study, with a random seed and no names.

    Parameters
    ----------
    path : Path
        It must not exist yet.
    folder : Path
        The study folder; the key must lie outside it.

    Raises
    ------
    KeyFileError
        The path is not possible, or there is a file already.
    """
    check_place(path, folder)
    key = Key(path, "", secrets.token_bytes(SEED_BYTES))
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise KeyFileError(
            f"There is a file at {path} already: give another path, a key is never overwritten."
        ) from None
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be made: {error.strerror}.") from None
    os.close(handle)
    save(key)
    return key


def save(key: Key) -> None:
    """Write a key to its path atomically, readable by its owner only."""
    head = {"format": FORMAT, "version": VERSION, "seed": key.seed.hex()}
    # In ASCII: file names need not be valid UTF-8.
    recipe = {"recipe": dict(key.recipe)} if key.recipe else {}
    entries = {**head, **content(key), **recipe, "check": key.digest}
    text = json.dumps(entries, indent=1) + "\n"
    path = key.path.resolve()
    try:
        write_atomic(path, text.encode(), mode=0o600, sync=True)
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be written: {error.strerror}.") from None


def load(path: Path, folder: Path, *, study_id: str = "", seed_sha256: str = "") -> Key:
    """Read a key file.

    Parameters
    ----------
    path : Path
    folder : Path
        The study folder.
    study_id, seed_sha256 : str
        Of the study that it must belong to; empty values are not checked.

    Raises
    ------
    KeyFileError
        It lies in the study folder, is readable by others, damaged, truncated, changed by hand, or
        of another study.
    """
    check_place(path, folder)
    key = _parsed(path, _read(path))
    if study_id and key.study_id != study_id:
        raise KeyFileError(
            f"The key file {path} belongs to another study; give the one that was made with this "
            "study."
        )
    if seed_sha256 and key.seed_sha256 != seed_sha256:
        raise KeyFileError(
            f"The seed in the key file {path} is not the one this study was made with; restore the "
            "key file."
        )
    return key


def study_of(path: Path) -> str:
    """The identifier of the study that a key file belongs to.

    Raises
    ------
    KeyFileError
        It is readable by others, damaged, or no key file.
    """
    return _parsed(path, _read(path)).study_id


def check_place(path: Path, folder: Path) -> None:
    """Raise KeyFileError where a key file lies in the folder of a study, or in none."""
    place, study = path.resolve(), folder.resolve()
    if place == study or study in place.parents:
        raise KeyFileError(
            f"The key file {path} lies in the study folder {folder}, whose copies and backups "
            "would carry the names of the methods; choose a path outside."
        )
    if not place.parent.is_dir():
        raise KeyFileError(f"There is no folder {place.parent} for the key file; make it first.")


def _read(path: Path) -> str:
    try:
        facts = path.stat()
        if not path.is_file():
            raise KeyFileError(f"{path} is not a file; give the key file of the study.")
        if os.name == "posix" and facts.st_mode & 0o077:
            raise KeyFileError(
                f"Others may read the key file {path} (mode {facts.st_mode & 0o777:04o}); "
                f"run: chmod 600 {path}"
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeyFileError(f"There is no key file {path}; check the path after --key.") from None
    except UnicodeDecodeError:
        raise _damaged(path, "it is not text") from None
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be read: {error.strerror}.") from None


def _parsed(path: Path, text: str) -> Key:
    try:
        raw = json.loads(text)
    except ValueError:
        raise _damaged(path, "it is truncated or not JSON") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise KeyFileError(f"{path} is not the key file of a study; check the path after --key.")
    if raw.get("version") != VERSION:
        raise KeyFileError(
            f"The key file {path} has version {raw.get('version')}, this program reads {VERSION}; "
            "use the program that made it."
        )
    try:
        key = Key(
            path,
            str(raw["study_id"]),
            bytes.fromhex(raw["seed"]),
            {name: _method(entry) for name, entry in raw["methods"].items()},
            {name: _case(entry) for name, entry in raw["cases"].items()},
            {str(name): str(digest) for name, digest in raw["stimuli"].items()},
            dict(raw.get("recipe", {})),
        )
        check = str(raw["check"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, f"{error} is missing or of the wrong kind") from None
    if len(key.seed) != SEED_BYTES:
        raise _damaged(path, f"its seed has {len(key.seed)} bytes instead of {SEED_BYTES}")
    if not hmac.compare_digest(check, key.digest):
        raise _damaged(path, "its content is not what was written")
    return key


def _damaged(path: Path, reason: str) -> KeyFileError:
    return KeyFileError(f"The key file {path} is damaged: {reason}. Restore it from a copy.")


def _method(entry: Mapping[str, Any]) -> KeyMethod:
    return KeyMethod(
        str(entry["name"]),
        MethodKind(entry["kind"]),
        str(entry["group"]),
        tuple(str(alias) for alias in entry["aliases"]),
        tuple((str(name), str(value)) for name, value in entry["parameters"]),
    )


def _case(entry: Mapping[str, Any]) -> KeyCase:
    sources = tuple(str(source) for source in entry["sources"])
    truth = str(entry.get("truth", ""))
    return KeyCase(str(entry["name"]), str(entry["patient"]), sources, truth)
