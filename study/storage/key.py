"""The names of methods, cases and patients, and the master seed: what the database never holds."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from study.domain.composed import composed
from study.domain.disguised_names import (
    Doubt,
    case_names_in,
    doubtful_case_names_in,
    doubtful_names_in,
    names_in,
)
from study.domain.errors import KeyFileError
from study.domain.terms import MethodKind


@dataclass(frozen=True)
class KeyMethod:
    """Name and kind of a method.

    Parameters
    ----------
    name : str
        Name given by the coordinator.
    kind : MethodKind
    group : str
        Right answer to the blinding question; empty where there is none.
    aliases : tuple of str
        Other names that would reveal it: registry key and label.
    parameters : tuple of (name, value)
        Parameters of its images, as text.
    """

    name: str
    kind: MethodKind = MethodKind.TEST
    group: str = ""
    aliases: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class KeyCase:
    """Names of a case, its patient and its source files; its truth: yes, no or empty."""

    name: str
    patient: str
    sources: tuple[str, ...] = ()
    truth: str = ""


@dataclass(frozen=True)
class Key:
    """The content of a key file.

    Parameters
    ----------
    path : Path
        Of the key file.
    study_id : str
        Empty until `bind`.
    seed : bytes
        32 random bytes.
    methods, cases : mapping
        By their identifiers in the database.
    stimuli : mapping
        Digest of the inputs of each stimulus, by its identifier.
    recipe : mapping
        How the images were made (`study.stimuli.frozen_recipe`), not part of the names; empty in
        files of earlier versions.
    """

    path: Path = field(compare=False)
    study_id: str
    seed: bytes = field(repr=False)
    methods: Mapping[str, KeyMethod] = field(default_factory=dict)
    cases: Mapping[str, KeyCase] = field(default_factory=dict)
    stimuli: Mapping[str, str] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def seed_sha256(self) -> str:
        """SHA-256 of the seed, which the study publishes."""
        return hashlib.sha256(self.seed).hexdigest()

    @property
    def digest(self) -> str:
        """HMAC-SHA256 of the names under the seed.

        A plain hash would allow anyone with the database to test names of known methods.
        """
        return hmac.new(self.seed, _canonical(content(self)), hashlib.sha256).hexdigest()

    def bind(self, study_id: str) -> Key:
        """The key for a study; KeyFileError where it belongs to another one."""
        if self.study_id not in ("", study_id):
            raise KeyFileError(
                f"The key file {self.path} belongs to another study; make a new one."
            )
        return replace(self, study_id=study_id)

    def method_id(self, name: str) -> str:
        """The identifier of the method with this name.

        Raises
        ------
        KeyFileError
            There is no such method.
        """
        for identifier, method in self.methods.items():
            if composed(method.name) == composed(name):
                return identifier
        known = ", ".join(sorted(method.name for method in self.methods.values())) or "none yet"
        raise KeyFileError(f"No method {name!r} in this study; it has {known}.")

    def method_strings(self) -> tuple[str, ...]:
        """Names and aliases of the methods; that of the unenhanced image is no secret."""
        compared = (one for one in self.methods.values() if one.kind is not MethodKind.ORIGINAL)
        found = {name for one in compared for name in (one.name, *one.aliases)}
        return tuple(sorted(name for name in found if name))

    def case_strings(self) -> tuple[str, ...]:
        """Names of cases, patients and of the files they come from."""
        found: set[str] = set()
        for case in self.cases.values():
            found |= {case.name, case.patient, *case.sources}
            found |= {name for source in case.sources for name in (Path(source).name, stem(source))}
        return tuple(sorted(name for name in found if name))

    def secret_strings(self) -> tuple[str, ...]:
        """Every string that must not reach a reader: names, aliases, files, patients, the seed.

        Short ones occur by chance in random tokens, which `named_in` takes into account.
        """
        return tuple(sorted({*self.method_strings(), *self.case_strings(), self.seed.hex()}))

    def named_in(self, text: str) -> tuple[str, ...]:
        """The secret strings that a text for readers contains, in any spelling."""
        return (
            *names_in(text, self.method_strings()),
            *case_names_in(text, self.case_strings()),
        )

    def doubts_in(self, text: str) -> tuple[Doubt, ...]:
        """Words of a text for readers that may be or contain a secret string."""
        return (
            *doubtful_names_in(text, self.method_strings()),
            *doubtful_case_names_in(text, self.case_strings()),
        )


def stem(source: str) -> str:
    """The name of a file without its extension, such as ".png" or ".nii.gz"."""
    name = Path(source).name
    return name[: -len(".nii.gz")] if name.lower().endswith(".nii.gz") else Path(name).stem


def content(key: Key) -> dict[str, Any]:
    """All but the seed, as values for JSON."""
    return {
        "study_id": key.study_id,
        "methods": {name: asdict(one) for name, one in key.methods.items()},
        "cases": {name: _case(one) for name, one in key.cases.items()},
        "stimuli": dict(key.stimuli),
    }


def _case(case: KeyCase) -> dict[str, Any]:
    """A case; without a truth as in files of earlier versions, whose digest stays."""
    plain = asdict(case)
    return plain if case.truth else {name: plain[name] for name in plain if name != "truth"}


def _canonical(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")
