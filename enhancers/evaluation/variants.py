"""Named variants of methods, and the strengths at which filters are tried, as pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Variant:
    """A named variant: ``method`` with the parameters in ``given``."""

    method: str
    label: str
    given: Mapping[str, str]
    once: bool = False
    """Whether one seed is enough, as for a mean of samples, which hardly depends on the seed."""


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "null_space:mean": Variant(
            "null_space", "DDNM, mean of 4 samples", {"output": "mean of samples"}, once=True
        ),
        "null_space:one-call": Variant(
            "null_space", "DDNM, one call", {"output": "one call"}, once=True
        ),
        "null_space:sampled": Variant(
            "null_space", "DDNM, sampled from pure noise", {"filling": "sampled"}
        ),
        "nlm:auto": Variant("nlm", "Non-local means, own choice", {}),
        "nlm:clipped": Variant("nlm", "Non-local means, noise left clipped", {"unclip": "false"}),
        "tv:auto": Variant("tv", "Total variation, own choice", {}),
        "tv:clipped": Variant("tv", "Total variation, noise left clipped", {"unclip": "false"}),
        "classical:plain": Variant("classical", "Classical, no contrast step",
                                   {"contrast": "false"}),
        "classical:tuned": Variant("classical", "Classical, no contrast step, at its best",
                                   {"contrast": "false"}),
        "srad:tuned": Variant("srad", "SRAD, at its best", {}),
        "pseudo_label:plain": Variant("pseudo_label", "Hybrid, no contrast step",
                                      {"contrast": "false"}),
        "pseudo_label:paper": Variant(
            "pseudo_label", "Hybrid as published, no contrast step",
            {"contrast": "false", "strength": "1", "output": "full"},
        ),
        "unimie:reference": Variant("unimie", "UniMIE, published code", {"variant": "reference"}),
    }
)  # fmt: skip

# fmt: off
_BETAS = (0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0)
_WEIGHTS = (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3, 0.45, 0.7,
            1.0)
SWEEPS: Mapping[str, tuple[str, tuple[float, ...]]] = MappingProxyType({
    "nlm": ("beta", _BETAS),
    "nlm:clipped": ("beta", _BETAS),
    "tv": ("weight", _WEIGHTS),
    "tv:clipped": ("weight", _WEIGHTS),
    "srad:tuned": ("steps", (2, 5, 10, 20, 40, 80, 160, 320)),
    "classical:tuned": ("sigma", (0.01, 0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5)),
})
# fmt: on
"""Filters that are compared at their best strength: the parameter, and the values to try."""
