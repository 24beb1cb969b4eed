"""The kinds of degradation as pure data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from enhancers.errors import ParameterError
from enhancers.method import Parameter, ParameterValue, nearest


@dataclass(frozen=True)
class Degradation:
    """One kind of degradation, as pure data.

    ``level`` names the quantity that `degrade` takes as its level. It lies in [low, high], or is
    one of ``choices`` if these are given. ``parameters`` are what else may be set.
    """

    key: str
    label: str
    help: str
    level: str
    low: float
    high: float
    default: float
    choices: tuple[float, ...] = ()
    parameters: tuple[Parameter, ...] = ()

    def check(self, level: float) -> float:
        """Return ``level`` as a float, or raise ParameterError with the valid values."""
        value = float(level)
        inside = math.isfinite(value) and self.low <= value <= self.high
        if not inside or (self.choices and value not in self.choices):
            wanted = f"{self.low:g} to {self.high:g}"
            if self.choices:
                wanted = "one of " + ", ".join(f"{choice:g}" for choice in self.choices)
            raise ParameterError(
                f"{self.level}={value:g} is not possible for {self.key}; give {wanted}."
            )
        return value

    def resolve(self, settings: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
        """The values of all parameters: those of ``settings``, checked, and the defaults.

        Raises
        ------
        ParameterError
            A name is unknown, or a value is not possible.
        """
        names = [one.name for one in self.parameters]
        for name in settings:
            if name not in names:
                hint = nearest(name, names) if names else "it has none"
                raise ParameterError(f"{self.key} has no parameter {name}; {hint}.")
        return {one.name: one.check(settings.get(one.name, one.default)) for one in self.parameters}


_CT = (
    Parameter(
        "beam",
        "Beam",
        "choice",
        "parallel",
        choices=("parallel", "fan"),
        help="Parallel beams over half a turn, or a fan of rays over a turn.",
    ),
    Parameter("views", "Views", "int", 360, 8, 2000, 1),
    Parameter(
        "photons",
        "Photons",
        "float",
        1e5,
        1e2,
        1e8,
        1e2,
        help="That reach an element of the detector in air, per view, at full dose.",
    ),
    Parameter("electronic", "Electronic noise", "float", 10.0, 0.0, 1e3, 1.0, unit="counts"),
)
_MR = (
    Parameter(
        "centre",
        "Centre",
        "float",
        0.04,
        0.0,
        1.0,
        0.01,
        help="Share of the lines that are all sampled, around the zero frequency.",
    ),
    Parameter(
        "lines",
        "Other lines",
        "choice",
        "random",
        choices=("random", "equispaced"),
        help="At random, denser near the centre, or at equal distances.",
    ),
    Parameter("coils", "Coils", "int", 1, 1, 32, 1),
    Parameter(
        "snr",
        "Signal-to-noise ratio",
        "float",
        30.0,
        -10.0,
        100.0,
        1.0,
        unit="dB",
        help="Mean power of the image over that of the noise in k-space.",
    ),
)
_US = (
    Parameter(
        "axial",
        "Axial resolution",
        "float",
        1.0,
        0.0,
        10.0,
        0.1,
        unit="pixels",
        help="Standard deviation of the point spread along the beam.",
    ),
    Parameter(
        "lateral",
        "Lateral resolution",
        "float",
        2.0,
        0.0,
        10.0,
        0.1,
        unit="pixels",
        help="Standard deviation of the point spread across the beam.",
    ),
    Parameter(
        "range",
        "Dynamic range",
        "float",
        60.0,
        20.0,
        120.0,
        1.0,
        unit="dB",
        help="From black to white, of the image and of the result.",
    ),
)

_ALL = (
    Degradation("gaussian", "Gaussian noise", "Adds white noise; 1 is the full gray range.",
                "σ", 0.0, 0.5, 0.1),
    Degradation("speckle", "Speckle", "Multiplies by 1 + η: noise that grows with brightness.",
                "σ", 0.0, 1.0, 0.2),
    Degradation("rician", "Rician noise", "Magnitude of a complex MR signal with noise.",
                "σ", 0.0, 0.5, 0.04),
    Degradation("low_dose", "Low-dose CT", "Photon noise of a CT taken with part of the dose.",
                "dose fraction", 0.005, 1.0, 0.1),
    Degradation("downsample", "Downsampling", "Block means: the image becomes smaller.",
                "factor", 2, 8, 4, (2, 4, 8)),
    Degradation("under_exposure", "Under-exposure", "Darkens by a factor and adds a smooth veil.",
                "exposure factor", 0.05, 1.0, 0.3),
    Degradation("low_light", "Low light", "Darkens unevenly and adds sensor noise.",
                "exposure factor", 0.05, 1.0, 0.3),
    Degradation("bias_field", "Bias field", "Smooth shading, as of an MR surface coil.",
                "strength", 0.0, 1.5, 0.5),
    Degradation("kspace", "Undersampled k-space", "Drops phase-encoding lines of an MR scan.",
                "acceleration", 1.0, 16.0, 4.0),
    Degradation("missing", "Missing pixels", "Makes pixels black at random places.",
                "share of missing pixels", 0.0, 0.99, 0.7),
    Degradation("ct_dose", "CT scan", "Projections of the slice with counted photons, "
                "reconstructed by filtered back-projection.", "dose fraction", 0.005, 1.0, 0.25,
                parameters=_CT),
    Degradation("mr_undersample", "MR acquisition", "Sampled lines of k-space with phase and "
                "noise, zero-filled.", "acceleration", 1.0, 16.0, 6.0, parameters=_MR),
    Degradation("us_snr", "Ultrasound of low signal", "Speckle and noise of the envelope, before "
                "log compression.", "signal-to-noise ratio in dB", -20.0, 60.0, -6.0,
                parameters=_US),
    Degradation("blur", "Blur", "Gaussian point spread.", "σ in pixels", 0.0, 10.0, 1.5),
)  # fmt: skip

KINDS: Mapping[str, Degradation] = MappingProxyType({kind.key: kind for kind in _ALL})
"""Every degradation by its key."""
