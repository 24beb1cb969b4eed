"""The key file: the one place where methods, cases and patients have names.

It also holds the master seed that all randomness of the study comes from. It lies outside the study
folder, readable by its owner alone; a server that only shows images to readers never opens it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from enhancers.files import write_atomic
from study.domain.disguised_names import case_names_in, names_in
from study.domain.errors import KeyFileError
from study.domain.protocol import MethodKind

FORMAT = "reading-room study key"
VERSION = 1
SEED_BYTES = 32


@dataclass(frozen=True)
class KeyMethod:
    """What a method is.

    Parameters
    ----------
    name : str
        As the coordinator calls it.
    kind : MethodKind
    group : str
        Answer to the blinding question that is right for it; empty where it is not asked about.
    aliases : tuple of str
        Other names that would give it away: registry key, label, name of its module.
    parameters : tuple of (name, value)
        How its images were made, as text.
    """

    name: str
    kind: MethodKind = MethodKind.TEST
    group: str = ""
    aliases: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class KeyCase:
    """What a case and its patient are called, and which files it was made from."""

    name: str
    patient: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Key:
    """The content of a key file.

    Parameters
    ----------
    path : Path
        Where it is kept.
    study_id : str
        Empty until `bind`.
    seed : bytes
        32 random bytes.
    methods, cases : mapping
        From the identifiers in the database to what they stand for.
    stimuli : mapping
        From the identifier of a stimulus to a digest of what it was rendered from.
    """

    path: Path = field(compare=False)
    study_id: str
    seed: bytes = field(repr=False)
    methods: Mapping[str, KeyMethod] = field(default_factory=dict)
    cases: Mapping[str, KeyCase] = field(default_factory=dict)
    stimuli: Mapping[str, str] = field(default_factory=dict)

    @property
    def seed_sha256(self) -> str:
        """What the study publishes of the seed."""
        return hashlib.sha256(self.seed).hexdigest()

    @property
    def digest(self) -> str:
        """HMAC-SHA256 of the names under the seed.

        A bare hash would let anyone with the database try the names of known methods.
        """
        return hmac.new(self.seed, _canonical(_content(self)), hashlib.sha256).hexdigest()

    def bind(self, study_id: str) -> Key:
        """The key of this study from now on."""
        if self.study_id not in ("", study_id):
            raise KeyFileError(
                f"The key file {self.path} belongs to another study; make a new one."
            )
        return replace(self, study_id=study_id)

    def with_stimulus(self, stimulus_id: str, recipe: str) -> Key:
        """The key with one more stimulus, and the digest of what it was rendered from."""
        return replace(self, stimuli={**self.stimuli, stimulus_id: recipe})

    def with_only(self, stimuli: Collection[str]) -> Key:
        """The key without stimuli that are no longer there."""
        kept = {name: recipe for name, recipe in self.stimuli.items() if name in stimuli}
        return replace(self, stimuli=kept)

    def method_id(self, name: str) -> str:
        """The identifier of the method of this name.

        Raises
        ------
        KeyFileError
            There is none.
        """
        for identifier, method in self.methods.items():
            if method.name == name:
                return identifier
        known = ", ".join(sorted(method.name for method in self.methods.values())) or "none yet"
        raise KeyFileError(f"No method {name!r} in this study; it has {known}.")

    def method_strings(self) -> tuple[str, ...]:
        """Names and aliases of the methods."""
        found = {name for one in self.methods.values() for name in (one.name, *one.aliases)}
        return tuple(sorted(name for name in found if name))

    def case_strings(self) -> tuple[str, ...]:
        """Names of cases, patients and of the files they come from."""
        found: set[str] = set()
        for case in self.cases.values():
            found |= {case.name, case.patient, *case.sources}
            found |= {name for source in case.sources for name in (Path(source).name, stem(source))}
        return tuple(sorted(name for name in found if name))

    def secret_strings(self) -> tuple[str, ...]:
        """Every string that must never reach a reader: names, aliases, files, patients, the seed.

        They are as they were given; short ones occur by chance in random tokens, which `named_in`
        knows to avoid.
        """
        return tuple(sorted({*self.method_strings(), *self.case_strings(), self.seed.hex()}))

    def named_in(self, text: str) -> tuple[str, ...]:
        """The secret strings that a text for readers contains, in any spelling."""
        return (
            *names_in(text, self.method_strings()),
            *case_names_in(text, self.case_strings()),
        )


def create(path: Path, folder: Path) -> Key:
    """Make the key file of a new study, with a random seed and no names.

    Parameters
    ----------
    path : Path
        It must not exist yet.
    folder : Path
        The study folder; the key must lie outside it.

    Raises
    ------
    KeyFileError
        The place is not possible, or there is a file already.
    """
    _check_place(path, folder)
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
    """Write a key to its path, complete or not at all, for its owner only."""
    content = {"format": FORMAT, "version": VERSION, "seed": key.seed.hex(), **_content(key)}
    # In ASCII: the name of a file need not be valid UTF-8.
    text = json.dumps({**content, "check": key.digest}, indent=1) + "\n"
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
        Of the study it has to belong to; empty: not checked.

    Raises
    ------
    KeyFileError
        It lies in the study folder, others may read it, it is damaged or truncated, was changed by
        hand, or belongs to another study.
    """
    _check_place(path, folder)
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


def stem(source: str) -> str:
    """The name of a file without its ending, of which ".nii.gz" is one."""
    name = Path(source).name
    return name[: -len(".nii.gz")] if name.lower().endswith(".nii.gz") else Path(name).stem


def _check_place(path: Path, folder: Path) -> None:
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


def _content(key: Key) -> dict[str, Any]:
    """All but the seed, as plain JSON values."""
    return {
        "study_id": key.study_id,
        "methods": {
            name: {
                "name": one.name, "kind": str(one.kind), "group": one.group,
                "aliases": list(one.aliases), "parameters": [list(pair) for pair in one.parameters],
            }
            for name, one in key.methods.items()
        },
        "cases": {
            name: {"name": one.name, "patient": one.patient, "sources": list(one.sources)}
            for name, one in key.cases.items()
        },
        "stimuli": dict(key.stimuli),
    }  # fmt: skip


def _canonical(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


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
    return KeyCase(str(entry["name"]), str(entry["patient"]), sources)
