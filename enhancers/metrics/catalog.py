"""The catalogue of metrics as pure data: label, direction, reference, implementation, range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from enhancers.errors import MetricUnavailable
from enhancers.method import nearest

ONE_GAUSSIAN = "11x11 Gaussian window, σ 1.5"

Direction = Literal["up", "down", "none"]
"""Whether a larger or a smaller value is better, or neither."""

ARROWS: Mapping[Direction, str] = {"up": "↑", "down": "↓", "none": ""}

LARGEST = 2048 * 2048
"""Image size in pixels above which slow metrics would take minutes and 8 GB of memory."""


def best(direction: Direction, values: Iterable[float]) -> float | None:
    """The best of at least two values; None of fewer, or where neither direction is better."""
    known = list(values)
    if direction == "none" or len(known) < 2:
        return None
    return max(known) if direction == "up" else min(known)


WEIGHTS = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights"
"""Where pyiqa's files are published."""


@dataclass(frozen=True)
class ModelFile:
    """A file of parameters that pyiqa reads for a metric.

    Parameters
    ----------
    name : str
    metric : str
        The name that pyiqa has for the metric.
    licence : str
    address : str
        Where it is published; empty for a file that comes with the project.
    sha256 : str
        Of the published file, where it is known in advance. Otherwise it is what the server states.
    """

    name: str
    metric: str
    licence: str
    address: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Metric:
    """One metric.

    Parameters
    ----------
    key, label : str
    direction : {"up", "down", "none"}
        Whether a larger or a smaller value is better, or neither.
    reference : {"full", "none", "input"}
        What it compares with: the truth, nothing, or the image before enhancement.
    implementation : str
        The implementation, shown with each number, since implementations differ.
    data_range : str
        The values the implementation works on.
    file : ModelFile or None
        The file that it needs.
    smallest : int
        Shorter side in pixels below which the metric is not defined.
    largest : int
        Pixels above which it is not computed (0: no limit).
    note : str
        A remark for the interpretation.
    """

    key: str
    label: str
    direction: Direction
    reference: Literal["full", "none", "input"]
    implementation: str
    data_range: str
    note: str
    file: ModelFile | None = None
    smallest: int = 1
    largest: int = 0

    @property
    def needs_download(self) -> bool:
        """Whether it needs a file that has to be downloaded."""
        return self.file is not None and bool(self.file.address)

    @property
    def arrow(self) -> str:
        """The direction as an arrow for tables; empty where neither is better."""
        return ARROWS[self.direction]

    def best(self, values: Iterable[float]) -> float | None:
        """The best of at least two values; None of fewer, or where neither direction is better."""
        return best(self.direction, values)


def _published(name: str, metric: str) -> ModelFile:
    licence = "that of pyiqa, which publishes it: PolyForm Noncommercial 1.0.0"
    return ModelFile(name, metric, licence, f"{WEIGHTS}/resolve/main/{name}")


METRICS: tuple[Metric, ...] = (
    Metric(
        key="psnr",
        label="PSNR (dB)",
        direction="up",
        reference="full",
        implementation="pyiqa psnr, ε 0, double precision",
        data_range="0 to 1, all channels",
        note="Identical images give inf. Mean squared error only: it does not see structure.",
    ),
    Metric(
        key="ssim",
        label="SSIM",
        direction="up",
        reference="full",
        implementation=f"pyiqa ssim, {ONE_GAUSSIAN}",
        data_range="0 to 1, luminance, not rounded",
        note="Anti-correlated windows count as 0, and windows that cross the border are left out.",
        smallest=11,
    ),
    Metric(
        key="ms_ssim",
        label="MS-SSIM",
        direction="up",
        reference="full",
        implementation=f"pyiqa ms_ssim, five scales, {ONE_GAUSSIAN}",
        data_range="0 to 1, luminance, not rounded",
        note="The fifth scale must still hold the window: both sides need 161 pixels.",
        smallest=161,
    ),
    Metric(
        key="vif",
        label="VIF",
        direction="up",
        reference="full",
        implementation="pyiqa vif, steerable pyramid (not the pixel-domain VIFp)",
        data_range="0 to 255, luminance, rounded to whole levels",
        note="1 for identical images; contrast enhancement may exceed 1.",
        smallest=33,
        largest=LARGEST,
    ),
    Metric(
        key="nmse",
        label="NMSE",
        direction="down",
        reference="full",
        implementation="own, ‖x - y‖² / ‖y‖² with the truth y, double precision",
        data_range="0 to 1, all channels",
        note="Relative to the truth's energy, so a bright truth forgives more.",
    ),
    Metric(
        key="piqe",
        label="PIQE",
        direction="down",
        reference="none",
        implementation="pyiqa piqe, blocks of 16x16",
        data_range="0 to 255 of the image's own maximum, luminance, rounded",
        note="0 to 100. Made for photographs; not validated for diagnosis.",
        smallest=16,
    ),
    Metric(
        key="entropy",
        label="Entropy (bit)",
        direction="none",
        reference="none",
        implementation="own, pyiqa's definition with 256 bins",
        data_range="0 to 255, luminance, rounded",
        note="0 to 8. Noise raises it as well as detail, so neither is better.",
    ),
    Metric(
        key="loe",
        label="LOE",
        direction="down",
        reference="input",
        implementation="own, Wang et al. 2013, on a grid of at most 50x100 samples",
        data_range="0 to 255, largest channel, rounded",
        note="Pixel pairs whose order of lightness changed, a pixel; 0 keeps every order.",
    ),
    Metric(
        key="niqe",
        label="NIQE",
        direction="down",
        reference="none",
        implementation="pyiqa niqe, blocks of 96x96",
        data_range="0 to 255, luminance, rounded",
        note="Distance from photographs; not validated for diagnosis. It compares blocks, of which "
        "a side of 192 pixels has two.",
        file=_published("niqe_modelparameters.mat", "niqe"),
        smallest=192,
        largest=LARGEST,
    ),
    Metric(
        key="niqe_open",
        label="NIQE, own",
        direction="down",
        reference="none",
        implementation="pyiqa niqe, blocks of 96x96, with own parameters",
        data_range="0 to 255, luminance, rounded",
        note="Distance from open medical images instead of photographs: its values do not compare "
        "with those of NIQE. Not validated for diagnosis.",
        file=ModelFile("niqe_open.mat", "niqe", "Apache-2.0"),
        smallest=192,
        largest=LARGEST,
    ),
    Metric(
        key="brisque",
        label="BRISQUE",
        direction="down",
        reference="none",
        implementation="pyiqa brisque, original support vectors",
        data_range="0 to 255, luminance",
        note="Trained on photographs; not validated for diagnosis.",
        file=_published("brisque_svm_weights.pth", "brisque"),
        smallest=16,
        largest=LARGEST,
    ),
)


def get(key: str) -> Metric:
    """The metric with this key, or MetricUnavailable naming the nearest."""
    for metric in METRICS:
        if metric.key == key:
            return metric
    raise MetricUnavailable(f"No metric {key}; {nearest(key, [one.key for one in METRICS])}.")
