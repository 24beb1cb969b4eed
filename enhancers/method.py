"""The types of the registry: modality, parameter, citation, method."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from enhancers.errors import ParameterError

ParameterValue = float | int | bool | str | None
"""The value of a parameter; None means automatic where the parameter allows it."""

PRIOR_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
"""Pattern of a network's key, which is also the name of its folder."""


NetworkKind = Literal["pixel", "latent", "restoration", "restorer", "morphology"]
"""Kinds of networks: sampling from images, from latents, restoring an image in one call, and
trained here on simulated acquisitions."""

Family = Literal["classical", "trained", "diffusion"]
"""Kinds of methods: without a network, one call of a network, or sampling from one."""

RELATIVE_UNITS = ("gray level", "a.u.")
"""Units whose values have no absolute meaning."""


class Modality(StrEnum):
    """The imaging modality; it selects presets, pipelines and display windows."""

    CT = "CT"
    MR = "MR"
    US = "US"
    XR = "XR"
    FUNDUS = "FUNDUS"
    ENDOSCOPY = "ENDOSCOPY"
    MICROSCOPY = "MICROSCOPY"
    OTHER = "OTHER"

    @property
    def label(self) -> str:
        """The name for the user."""
        return _MODALITY_LABELS[self]


_MODALITY_LABELS = {
    Modality.CT: "CT",
    Modality.MR: "MR",
    Modality.US: "Ultrasound",
    Modality.XR: "X-ray",
    Modality.FUNDUS: "Fundus",
    Modality.ENDOSCOPY: "Endoscopy",
    Modality.MICROSCOPY: "Microscopy",
    Modality.OTHER: "Other",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method.

    ``kind`` is "float", "int", "bool", "choice" or "prior" (the key of a network, which is looked
    up when it is loaded). Numbers lie in [low, high]. Where ``automatic`` is true the value may be
    None: the method then derives it from the image. ``advanced`` ones are collapsed on the page.
    """

    name: str
    label: str
    kind: Literal["float", "int", "bool", "choice", "prior"]
    default: ParameterValue
    low: float = 0.0
    high: float = 1.0
    step: float = 0.01
    choices: tuple[str, ...] = ()
    unit: str = ""
    help: str = ""
    automatic: bool = False
    advanced: bool = False

    def check(self, value: ParameterValue) -> ParameterValue:
        """Convert ``value`` (also from text) to the parameter's type, or raise ParameterError."""
        if value is None or (isinstance(value, str) and value.strip().lower() == "auto"):
            if self.automatic:
                return None
            raise ParameterError(f"{self.name} has no automatic value; give {self.expects()}.")
        if self.kind == "choice":
            if value in self.choices:
                return value
        elif self.kind == "prior":
            if PRIOR_KEY.fullmatch(str(value)):
                return value
        elif self.kind == "bool":
            known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
            if str(value).lower() in known:
                return known[str(value).lower()]
        else:
            number = self._number(value)
            if number is not None and self.low <= number <= self.high:
                return number
        raise ParameterError(f"{self.name}={value} is not possible; give {self.expects()}.")

    def _number(self, value: ParameterValue) -> float | int | None:
        if isinstance(value, bool):
            return None
        try:
            number = float(value)  # type: ignore[arg-type]
        except ValueError:
            return None
        if self.kind == "float":
            return number if math.isfinite(number) else None
        return int(number) if math.isfinite(number) and number == int(number) else None

    def expects(self) -> str:
        """Description of the accepted values."""
        if self.kind == "choice":
            wanted = "one of " + ", ".join(self.choices)
        elif self.kind == "prior":
            wanted = "the key of a network, such as " + str(self.default)
        elif self.kind == "bool":
            wanted = "true or false"
        else:
            noun = "a whole number" if self.kind == "int" else "a number"
            wanted = f"{noun} from {self.low:g} to {self.high:g}"
        return wanted + (", or auto" if self.automatic else "")


@dataclass(frozen=True)
class Citation:
    """The publication of a method."""

    authors: str
    title: str
    venue: str
    year: int
    url: str

    def __str__(self) -> str:
        return f"{self.authors}. {self.title}. {self.venue}, {self.year}. {self.url}"


@dataclass(frozen=True)
class StatedSource:
    """Where a method is from that has no publication: what a user stated of a network."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Method:
    """One enhancement method.

    ``modalities`` are those it was made for (it runs on all). ``prior`` is the kind of network it
    uses (None: classical); which one is its parameter ``prior``. Results are ``scale`` times as
    large as the input where the method always enlarges.
    ``colour`` says how RGB is handled. ``presets`` holds, per modality, the values that differ from
    the defaults. ``remaps`` says whether the results' values lose their meaning in source units,
    as after tone mapping, or names the boolean parameter that decides it. ``removed`` holds
    parameters of earlier versions, each with a sentence about what took their place. ``added``
    holds parameters that records of earlier versions lack, each with a note on what the method did
    then. ``depths`` says that all slices of a small volume are one input.
    """

    key: str
    label: str
    family: Family
    summary: str
    implementation: str
    parameters: tuple[Parameter, ...]
    modalities: tuple[Modality, ...]
    citation: Citation | StatedSource
    presets: Mapping[Modality, Mapping[str, ParameterValue]] = field(default_factory=dict)
    prior: NetworkKind | None = None
    colour: str = "luminance is processed, chroma is kept"
    remaps: bool | str = False
    removed: Mapping[str, str] = field(default_factory=dict)
    added: Mapping[str, str] = field(default_factory=dict)
    scale: int = 1
    depths: bool = False

    def result_units(self, units: str, params: Mapping[str, ParameterValue]) -> str:
        """Units of the result's values for an input in ``units`` and complete parameters.

        Gray levels and arbitrary units stay what they are; HU becomes "gray level, not HU" where
        the method maps values anew.
        """
        remaps = params[self.remaps] if isinstance(self.remaps, str) else self.remaps
        return f"gray level, not {units}" if remaps and units not in RELATIVE_UNITS else units

    def takes(self, kind: NetworkKind, key: str) -> bool:
        """Whether the method can use the network of this kind and key."""
        if self.prior != kind:
            return False
        prior = self.parameter("prior")
        return prior.kind == "prior" or key in prior.choices

    def parameter(self, name: str) -> Parameter:
        """The parameter of this name.

        Raises
        ------
        ParameterError
            There is none; it names the nearest, or what took the place of a removed one.
        """
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        if name in self.removed:
            raise ParameterError(f"{self.key} has no parameter {name}: {self.removed[name]}")
        names = [parameter.name for parameter in self.parameters]
        raise ParameterError(f"{self.key} has no parameter {name}; {nearest(name, names)}.")


def nearest(name: str, names: list[str]) -> str:
    """A hint at the closest of ``names``, or the list of them."""
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else "it has " + (", ".join(names) or "none")
