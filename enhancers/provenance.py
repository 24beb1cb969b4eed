"""Provenance of a result as JSON: digests, versions, device, seed, parameters, timings.

A record holds nothing about a patient and nothing about the machine's user: no names of images, no
paths, no host name. Its key is a digest of everything that determines the result's bytes.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from enhancers import __version__
from enhancers.input_facts import InputFacts
from enhancers.method import Family, ParameterValue
from enhancers.registry import METHODS
from enhancers.source_digest import method_digest

NOTICE = "Not for diagnosis."

WITHOUT_NETWORKS = ("numpy", "scipy", "opencv-python", "scikit-image", "SimpleITK")
WITH_NETWORKS = (*WITHOUT_NETWORKS, "torch", "diffusers", "llvmlite")

PACKAGES: dict[Family, tuple[str, ...]] = {
    "classical": WITHOUT_NETWORKS,
    "trained": WITH_NETWORKS,
    "diffusion": WITH_NETWORKS,
}
"""The packages that a family of methods uses (hybrids include those of classical methods)."""


@dataclass(frozen=True)
class PriorFacts:
    """The network of a result: its name and the SHA-256 of its weights.

    Of a network that a user added for restoration also the file that was added, its SHA-256, its
    architecture, and the licence and source that were stated. Its ``sha256`` covers the weights and
    the code of the architecture.
    """

    name: str
    sha256: str
    file: str = ""
    file_sha256: str = ""
    architecture: str = ""
    licence: str = ""
    source: str = ""


@dataclass(frozen=True)
class RecordedFigure:
    """A number that the method reported about its run."""

    name: str
    label: str
    value: float
    unit: str = ""


@dataclass(frozen=True)
class Record:
    """Everything needed to reproduce a result, and facts about the result.

    Parameters
    ----------
    key : str
        `cache_key` of the run.
    created : str
        UTC time of the run, ISO 8601.
    input : InputFacts
    method : str
        The registry key.
    params : tuple of (name, value)
        Complete, sorted by name; None is "automatic".
    seed : int
    device : str
        Description such as "CPU, 2 threads".
    software : tuple of (name, version)
    prior : PriorFacts or None
    seconds : float
        Wall time of the run.
    calls : int
        Network evaluations.
    scale : int
        Enlargement.
    figures : tuple of RecordedFigure
    notes : tuple of str
    result_digest : str
        `pixels_digest` of the result.
    result_units : str
        Units of the result's values ("gray level, not HU" after tone mapping); empty in records
        of earlier versions.
    seeds : int
        Number of runs whose mean the result is, with consecutive seeds from ``seed`` on.
    """

    key: str
    created: str
    input: InputFacts
    method: str
    params: tuple[tuple[str, ParameterValue], ...]
    seed: int
    device: str
    software: tuple[tuple[str, str], ...]
    prior: PriorFacts | None
    seconds: float
    calls: int
    scale: int
    figures: tuple[RecordedFigure, ...]
    notes: tuple[str, ...]
    result_digest: str
    result_units: str = ""
    seeds: int = 1
    project: str = f"Reading Room {__version__}"
    notice: str = NOTICE

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON types; numbers that are not finite become text ("inf", "nan")."""
        plain = asdict(self)
        plain["params"] = dict(self.params)
        plain["software"] = dict(self.software)
        figures = [asdict(figure) for figure in self.figures]
        for figure in figures:
            if not math.isfinite(figure["value"]):
                figure["value"] = str(figure["value"])
        plain["figures"] = figures
        if plain["prior"]:
            # Of a shipped network nothing was stated.
            plain["prior"] = {name: text for name, text in plain["prior"].items() if text}
        return plain

    def to_json(self) -> str:
        """The record as indented JSON with sorted keys: equal records give equal text."""
        return json.dumps(
            self.as_dict(), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False
        )


def from_json(text: str) -> Record:
    """Read the output of `Record.to_json`.

    A record of an earlier version gets a note for each parameter that its method did not have then.

    Raises
    ------
    ValueError
        The text is not a record of this version.
    """
    try:
        plain = json.loads(text)
        facts = InputFacts.from_json(plain.pop("input"))
        prior = plain.pop("prior")
        figures = plain.pop("figures")
        record = Record(
            input=facts,
            prior=None if prior is None else PriorFacts(**prior),
            params=tuple(sorted(plain.pop("params").items())),
            software=tuple(sorted(plain.pop("software").items())),
            figures=tuple(RecordedFigure(**{**f, "value": float(f["value"])}) for f in figures),
            notes=tuple(plain.pop("notes")),
            **plain,
        )
        return replace(record, notes=(*record.notes, *_earlier_notes(record)))
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a provenance record: {error}") from error


def _earlier_notes(record: Record) -> tuple[str, ...]:
    known = next((method for method in METHODS if method.key == record.method), None)
    added = {} if known is None else known.added
    lacking = [note for name, note in added.items() if name not in dict(record.params)]
    return tuple(note for note in lacking if note not in record.notes)


def cache_key(
    facts: InputFacts,
    method: str,
    params: Mapping[str, ParameterValue],
    *,
    seed: int,
    device: str,
    software: tuple[tuple[str, str], ...],
    prior: PriorFacts | None = None,
    seeds: int = 1,
) -> str:
    """SHA-256, as hex, of everything that determines a result's bytes.

    Parameters
    ----------
    facts : InputFacts
    method : str
    params : mapping
        Complete.
    seed : int
    device : str
        From `devices.model_name`: "cpu", "mps", or the GPU's model.
    software : tuple of (name, version)
        Of `software`.
    prior : PriorFacts, optional
    seeds : int
        Number of runs whose mean is the result.

    Raises
    ------
    UnknownMethod
    """
    determining = {
        "input": asdict(facts),
        "method": method,
        "params": dict(params),
        "seed": seed,
        "device": device,
        "software": dict(software),
        "prior": None if prior is None else asdict(prior),
        "code": method_digest(method),
        **({"seeds": seeds} if seeds > 1 else {}),
    }
    text = json.dumps(determining, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def software(family: Family) -> tuple[tuple[str, str], ...]:
    """Versions of Python and of the packages that these methods use, without importing them."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES[family]:
        version = _version(package)
        if version:
            versions[package] = version
    return tuple(sorted(versions.items()))


def _version(package: str) -> str:
    # OpenCV has two package names for the same module.
    names = (package, f"{package}-headless") if package == "opencv-python" else (package,)
    for name in names:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def now() -> str:
    """The UTC time to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
