"""Every measure of the protocols as pure data: label, direction, what it needs, its definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from enhancers import metrics
from enhancers.errors import MetricUnavailable
from enhancers.method import nearest
from enhancers.metrics.catalog import ARROWS, Direction

Needs = Literal["truth", "mask", "discs", "input", "nothing"]
DILATIONS = (1, 3, 5, 7, 9)
"""Radii of the dilations in UniMIE's figure 3, in pixels."""


@dataclass(frozen=True)
class Measure:
    """One measure.

    Parameters
    ----------
    key, label : str
    direction : {"up", "down", "none"}
        Whether a larger or a smaller value is better, or neither.
    needs : {"truth", "mask", "discs", "input", "nothing"}
        What is needed besides the result; "input" is the degraded image, "discs" the phantom of
        `enhancers.evaluation.texture`.
    definition : str
        What is computed, by which implementation and on which values.
    note : str
        How to interpret the number.
    base : str
        The key of the metric in `enhancers.metrics`; empty where there is none.
    fitted : bool
        Whether gain and offset are fitted to the truth first.
    radius : int
        Of the dilation, 0 for none.
    """

    key: str
    label: str
    direction: Direction
    needs: Needs
    definition: str
    note: str = ""
    base: str = ""
    fitted: bool = False
    radius: int = 0

    @property
    def heading(self) -> str:
        """The label for tables, with an arrow for the direction where one is better."""
        return f"{self.label} {ARROWS[self.direction]}".rstrip()


_NEEDS: Mapping[str, Needs] = {"full": "truth", "none": "nothing", "input": "input"}


def _of_metric(metric: metrics.Metric) -> Measure:
    return Measure(
        metric.key, metric.label, metric.direction, _NEEDS[metric.reference],
        f"{metric.implementation}; {metric.data_range}", metric.note, base=metric.key,
    )  # fmt: skip


def _fitted(key: str) -> Measure:
    metric = metrics.get(key)
    name, _, unit = metric.label.partition(" (")
    return Measure(
        f"{key}_fitted", f"{name} fitted" + (f" ({unit}" if unit else ""), metric.direction,
        "truth",
        f"after one least-squares gain and offset to the truth: {metric.implementation}",
        "Brightness and contrast do not count; the raw value stands beside it.",
        base=key, fitted=True,
    )  # fmt: skip


def _around(radius: int) -> Measure:
    return Measure(
        f"snr_{radius}", f"SNR, {radius} px (dB)", "up", "mask",
        f"20 log10(mean of the structure / standard deviation of tissue within {radius} px of it)",
        "A smoother surrounding raises it, whether the structure is right or not.",
        radius=radius,
    )  # fmt: skip


_ALL = (
    *(_of_metric(metric) for metric in metrics.METRICS),
    *(_fitted(key) for key in ("psnr", "ssim", "vif")),
    *(_around(radius) for radius in DILATIONS),
    Measure(
        "snr", "SNR (dB)", "up", "mask",
        "20 log10((1 - mean of the structure) / standard deviation of all other tissue)",
        "For structures that are dark, as bone is behind its surface in ultrasound. Tissue is what "
        "lies inside the body or sector; padding does not count.",
    ),
    Measure(
        "cnr", "CNR (dB)", "up", "mask",
        "20 log10(difference of the means / root of the sum of the variances), structure and all "
        "other tissue inside the body or sector",
        "A contrast step raises it as well as less noise does.",
    ),
    Measure(
        "detectability", "d' of faint discs", "up", "discs",
        "channelised Hotelling observer: 4 Laguerre-Gauss channels, internal noise, learnt on one "
        "half of the discs and tried on the other",
        "Below 1 a disc is all but lost. Of one image it varies by about 0.2.",
    ),
    Measure(
        "noise_left", "Noise left", "down", "discs",
        "standard deviation in even regions, in gray levels of 0 to 1",
        "A filter that leaves none may have left no detail either.",
    ),
    Measure(
        "noise_frequency", "Mean noise frequency (1/px)", "up", "discs",
        "mean frequency of the noise power spectrum in even regions, weighted by power",
        "White noise has 0.38; lower is blotchier, which readers call artificial.",
    ),
)  # fmt: skip

MEASURES: Mapping[str, Measure] = MappingProxyType({one.key: one for one in _ALL})
"""Every measure by its key: those of `enhancers.metrics`, and the protocols' own."""


def measure(key: str) -> Measure:
    """The measure with this key, or MetricUnavailable naming the nearest."""
    try:
        return MEASURES[key]
    except KeyError:
        raise MetricUnavailable(f"No measure {key}; {nearest(key, list(MEASURES))}.") from None
