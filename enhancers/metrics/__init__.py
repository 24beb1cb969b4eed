"""Full- and no-reference metrics, each with its direction, implementation and data range.

PSNR and NMSE are taken over all channels, LOE on the largest channel, the others on luminance. An
undefined value is None with a reason; PSNR of identical images is inf.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from enhancers.errors import MetricUnavailable
from enhancers.image import Pixels, check_pixels
from enhancers.metrics import numpy_metrics, pyiqa_metrics
from enhancers.metrics.catalog import METRICS, Metric, get

__all__ = [
    "INPUT_ROW",
    "METRICS",
    "Metric",
    "Score",
    "ScoreRow",
    "available",
    "get",
    "score",
    "score_rows",
    "to_csv",
]

INPUT_ROW = "input"
"""Name of the row that holds the scores of the image before enhancement."""


@dataclass(frozen=True)
class Score:
    """The value of one metric, or None and the reason."""

    key: str
    value: float | None
    reason: str = ""

    @property
    def metric(self) -> Metric:
        """The metric."""
        return get(self.key)

    @property
    def text(self) -> str:
        """The value for a table (four significant digits), or the reason."""
        return self.reason if self.value is None else f"{self.value:.4g}"

    def plain_value(self) -> float | str | None:
        """The value as a JSON type, with "inf" for infinity."""
        return "inf" if self.value is not None and math.isinf(self.value) else self.value


@dataclass(frozen=True)
class ScoreRow:
    """The scores of one image; `name` says which ("input", a method's key)."""

    name: str
    scores: tuple[Score, ...]


def available(key: str) -> str:
    """Empty if the metric can be computed on this machine, else the reason; imports nothing."""
    metric = get(key)
    return "" if pyiqa_metrics.file_present(metric) else pyiqa_metrics.missing(metric)


def score(
    pixels: Pixels,
    *,
    reference: Pixels | None = None,
    source: Pixels | None = None,
    keys: Sequence[str] | None = None,
) -> tuple[Score, ...]:
    """Measure one image with the metrics of `keys` (all of them by default), in that order.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), values in [0, 1]
        The image to measure.
    reference : ndarray of the same shape, optional
        The truth, for the full-reference metrics.
    source : ndarray, float32, values in [0, 1], optional
        The image before enhancement, for LOE; its size may differ (super-resolution).
    keys : sequence of str, optional

    Raises
    ------
    MetricUnavailable
        A key is unknown. A metric that cannot be computed is no error but a `Score` with a reason.
    """
    metrics = METRICS if keys is None else tuple(get(key) for key in keys)
    for image in (pixels, reference, source):
        if image is not None:
            check_pixels(image)
    return tuple(_score(metric, pixels, reference, source) for metric in metrics)


def _score(
    metric: Metric, pixels: Pixels, reference: Pixels | None, source: Pixels | None
) -> Score:
    try:
        _check(metric, pixels, reference, source)
        value = _value(metric, pixels, reference, source)
    except MetricUnavailable as error:
        return Score(metric.key, None, str(error))
    if math.isnan(value) or (math.isinf(value) and metric.key != "psnr"):
        return Score(metric.key, None, "not defined for this image")
    return Score(metric.key, value)


def _check(metric: Metric, pixels: Pixels, reference: Pixels | None, source: Pixels | None) -> None:
    """Raise MetricUnavailable unless the metric is defined for these images."""
    if metric.reference == "input" and source is None:
        raise MetricUnavailable("needs the image before enhancement")
    if metric.reference == "full":
        if reference is None:
            raise MetricUnavailable("needs a truth to compare with")
        if reference.shape != pixels.shape:
            raise MetricUnavailable(
                f"the image is {_size(pixels)} but the truth is {_size(reference)}"
            )
    height, width = pixels.shape[:2]
    if min(height, width) < metric.smallest:
        raise MetricUnavailable(
            f"needs {metric.smallest} pixels a side, the image is {width}x{height}"
        )
    if metric.largest and height * width > metric.largest:
        raise MetricUnavailable(
            f"not computed above {metric.largest / 1e6:.1f} megapixels, the image is "
            f"{width}x{height}"
        )


def _value(
    metric: Metric, pixels: Pixels, reference: Pixels | None, source: Pixels | None
) -> float:
    if metric.key == "entropy":
        return numpy_metrics.entropy(pixels)
    if metric.key == "loe" and source is not None:
        return numpy_metrics.loe(pixels, source)
    if metric.key == "nmse" and reference is not None:
        return numpy_metrics.nmse(pixels, reference)
    return pyiqa_metrics.compute(metric, pixels, reference if metric.reference == "full" else None)


def _size(pixels: Pixels) -> str:
    kind = "colour" if pixels.ndim == 3 else "gray"
    return f"{pixels.shape[1]}x{pixels.shape[0]} {kind}"


def score_rows(
    source: Pixels,
    results: Mapping[str, Pixels],
    *,
    truth: Pixels | None = None,
    keys: Sequence[str] | None = None,
    known: MutableMapping[str, ScoreRow] | None = None,
) -> tuple[ScoreRow, ...]:
    """Measure an image before enhancement and every result made of it.

    Parameters
    ----------
    source : ndarray, float32, shape (H, W) or (H, W, 3), values in [0, 1]
        The image before enhancement: the first row, named `INPUT_ROW`.
    results : mapping of str to ndarray
        The enhanced pixels by name, usually the method's key; one row each, in this order.
    truth : ndarray, optional
        The reference of the full-reference metrics.
    keys : sequence of str, optional
        The metrics to compute; all by default.
    known : mutable mapping of str to ScoreRow, optional
        Rows computed before, by name. They are not computed again, and new rows are added.

    Raises
    ------
    MetricUnavailable
        A key is unknown.

    Examples
    --------
    >>> rows = score_rows(image.pixels, {"clahe": pixels}, truth=truth)  # doctest: +SKIP
    >>> print(to_csv(rows))  # doctest: +SKIP
    """
    rows: MutableMapping[str, ScoreRow] = {} if known is None else known
    images = {INPUT_ROW: source, **results}
    for name, pixels in images.items():
        if name not in rows:
            found = score(pixels, reference=truth, source=source, keys=keys)
            rows[name] = ScoreRow(name, found)
    return tuple(rows[name] for name in images)


def to_csv(rows: Iterable[ScoreRow], *, shrink: int = 1) -> str:
    """CSV with a line per value: image, metric, value, direction, implementation, range, reason.

    Values have full precision; an undefined one is empty and an infinite one ``inf``. Where the
    sides of the images were reduced by ``shrink``, the data range says so.
    """
    size = f"; at 1/{shrink} of the size" if shrink > 1 else ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("image", "metric", "value", "better", "implementation", "data range", "reason")
    )
    better = {"up": "higher", "down": "lower", "none": "neither"}
    for row in rows:
        for item in row.scores:
            metric = item.metric
            value = "" if item.value is None else repr(item.value)
            writer.writerow(
                (row.name, metric.label, value, better[metric.direction], metric.implementation,
                 metric.data_range + size, item.reason)
            )  # fmt: skip
    return text.getvalue()
