"""What the spread between seeds says about the error, by what held-out images said.

Runs that agree are not right for that: on held-out images the spread is a fraction of the error,
another one for every network and setting. `python -m benchmarks seed-spread` measures it and writes
`CALIBRATION`; here it is applied. A spread of another network, or with other settings, is shown as
it is, and said to be not calibrated.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from enhancers.asset_files import ASSETS
from enhancers.colour import luminance
from enhancers.compare.seeds import SeedsResult
from enhancers.errors import ReadingRoomError
from enhancers.image import Pixels
from enhancers.method import Method, ParameterValue
from enhancers.method_interface import Figure
from enhancers.provenance import PriorFacts
from enhancers.registry import get
from enhancers.source_digest import method_digest

CALIBRATION = ASSETS / "calibration" / "seed-spread.json"

EXPECTED = "expected_error"
"""Name of the figure of the error that the calibration expects."""

FREE = frozenset(
    {"prior", "sigma", "missing", "samples", "degrade_first", "hidden", "acceleration",
     "preview_every"}
)  # fmt: skip
"""Parameters that a calibration does not depend on; ``sigma`` where noise is what is removed."""

FLOOR = 1e-4
"""Smallest expected error of a pixel, in [0, 1] units: a black background may have none at all."""

NATURAL = 0.8
"""Share of the truth's power in the finest octave from which a result has texture like it."""

SMOOTH = 2.0
"""Standard deviation in pixels of the window over which variances are averaged."""

Model = Literal["constant", "spread", "spread and detail"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Interval:
    """A mean over subjects and its 95 % interval."""

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """What predicts the error of a method from its seeds, and how well, on held-out images.

    The squared error of a pixel is expected to be ``(floor u)² + (spread s)² + (detail d)²``, with
    the spread s and the local detail d of `features`.

    Parameters
    ----------
    model : {"constant", "spread", "spread and detail"}
        What predicted the error of other subjects best. "constant" means that the spread does not
        tell where the error is.
    floor, spread, detail : float
        The weights of ``model``.
    ratio : float
        RMS spread over RMS error.
    correlation : Interval
        Rank correlation of spread and error, over blocks of 8 x 8 pixels of an image.
    coverage : Interval
        Share of the pixels whose true value lies within two expected errors.
    gain : Interval
        By how much ``model`` predicts the error better than a constant, in nats per pixel.
    narrower : float
        By how much shorter its intervals are in the mean than those of a constant, at equal
        coverage of 95 %.
    detail_gain : Interval
        By how much "spread and detail" is better than "spread", in nats per pixel.
    finest : float
        Power of a single seed's result in the finest octave of frequencies, over that of the truth:
        the median over images. Below 1 it is smoother than tissue is.
    images, subjects : int
        Those on which coverage, correlation and gains were measured, and nothing was fitted.
    """

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    model: Model
    floor: float
    spread: float
    detail: float
    ratio: float
    correlation: Interval
    coverage: Interval
    gain: Interval
    narrower: float
    detail_gain: Interval
    finest: float
    images: int
    subjects: int


@dataclass(frozen=True)
class Calibration(Measured):
    """What was measured for one method, network and setting.

    Parameters
    ----------
    key, label : str
        The setting, and its name in words.
    method : str
        Registry key of the method.
    sha256 : str
        Of the network's weights.
    code : str
        `method_digest` of the method when it was measured.
    params : dict
        The parameters for which it holds, without those of `FREE`.
    relative : bool
        Whether u is the noise that the run found; otherwise it is 1.
    seeds : int
        Number of seeds.
    """

    key: str
    label: str
    method: str
    sha256: str
    code: str
    params: dict[str, ParameterValue]
    relative: bool
    seeds: int

    @property
    def tells_where(self) -> bool:
        """Whether the spread tells where the error is, better than a constant does."""
        return self.model != "constant"

    @property
    def current(self) -> bool:
        """Whether the method computes what it computed when this was measured."""
        return self.code == method_digest(self.method)

    @property
    def covered(self) -> str:
        """How often the interval of two expected errors held the true value, in words."""
        low, high = max(self.coverage.low, 0.0), min(self.coverage.high, 1.0)
        return (
            f"{100 * self.coverage.mean:.0f} % ({100 * low:.0f} to {100 * high:.0f} over subjects) "
            f"of the pixels of {self.images} held-out images"
        )

    def expected_error(self, mean: Pixels, deviation: Pixels, noise: float) -> Pixels:
        """The expected error of every pixel, one standard deviation, in [0, 1] units.

        Parameters
        ----------
        mean, deviation : ndarray, float32, shape (H, W), in [0, 1]
            Over the seeds.
        noise : float
            The noise that the run found, in [0, 1] units.
        """
        spread, detail = features(mean, deviation)
        unit = noise if self.relative else 1.0
        squared = (self.floor * unit) ** 2 + self.spread**2 * spread + self.detail**2 * detail
        return np.sqrt(np.maximum(squared, FLOOR**2)).astype(np.float32)


def features(mean: Pixels, deviation: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The variance over the seeds and that of the image over a pixel's surroundings, (H, W)."""
    from scipy.ndimage import gaussian_filter

    image = mean.astype(np.float64)
    spread = gaussian_filter(np.square(deviation, dtype=np.float64), SMOOTH)
    local = gaussian_filter(image**2, SMOOTH) - gaussian_filter(image, SMOOTH) ** 2
    return spread, np.maximum(local, 0.0)


@functools.cache
def calibrations(path: Path = CALIBRATION) -> tuple[Calibration, ...]:
    """All calibrations of a file; none, with a warning in the log, where it cannot be read."""
    try:
        return read_calibrations(path)
    except ReadingRoomError as error:
        _log.warning("seeds count as not calibrated: %s", error)
        return ()


def read_calibrations(path: Path) -> tuple[Calibration, ...]:
    """All calibrations of a file; none where it does not exist.

    Raises
    ------
    ReadingRoomError
        The file is damaged, or cannot be read.
    """
    try:
        return TypeAdapter(tuple[Calibration, ...]).validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ReadingRoomError(f"{path.name} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise ReadingRoomError(
            f"{path.name} is no calibration of seeds ({error.error_count()} errors); remove it, "
            "and write it again with python -m benchmarks seed-spread."
        ) from error


def fixed(params: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
    """The parameters that a calibration depends on."""
    kept = {name: value for name, value in params.items() if name not in FREE}
    if params.get("task", "denoise") != "denoise":
        kept["noisy"] = bool(params.get("sigma"))
    return kept


def calibration_of(
    method: str, params: Mapping[str, ParameterValue], network: str, path: Path = CALIBRATION
) -> Calibration | str:
    """The calibration of a run, or a sentence on why there is none.

    Parameters
    ----------
    method : str
        Registry key.
    params : mapping
        Complete.
    network : str
        SHA-256 of the network's weights.
    path : Path
    """
    of_method = [one for one in calibrations(path) if one.method == method]
    of_network = [one for one in of_method if one.sha256 == network]
    wanted = fixed(params)
    # A parameter that came later has its default where nobody set it.
    defaults = {parameter.name: parameter.default for parameter in get(method).parameters}
    for one in of_network:
        if {**defaults, **one.params} == {**defaults, **wanted}:
            return one
    why = "these settings" if of_network else "this network" if of_method else "this method"
    return (
        f"Not calibrated for {why}: how far seeds differ says nothing here about how far the "
        "result is from the truth."
    )


def with_calibration(
    result: SeedsResult,
    method: Method,
    params: Mapping[str, ParameterValue],
    prior: PriorFacts | None,
    path: Path = CALIBRATION,
) -> SeedsResult:
    """The result with the error that the calibration expects, and what the spread is worth."""
    if result.deviation is None:
        return result
    if not result.deviation.any():
        return _noted(result, f"All {result.seeds} seeds give the same result.")
    found = calibration_of(method.key, params, prior.sha256 if prior else "", path)
    if isinstance(found, str):
        return _noted(result, found)
    error = found.expected_error(luminance(result.pixels), result.deviation, noise_of(result))
    size = math.sqrt(float(np.mean(np.square(error, dtype=np.float64))))
    figure = Figure(EXPECTED, "Expected RMS error", size)
    return _noted(replace(result, figures=(*result.figures, figure)), *sentences(found))


def _noted(result: SeedsResult, *notes: str) -> SeedsResult:
    return replace(result, notes=(*result.notes, *notes))


def noise_of(result: SeedsResult) -> float:
    """The noise that the runs found, in [0, 1] units."""
    return next((figure.value for figure in result.figures if figure.name == "sigma"), 0.0)


def sentences(found: Calibration) -> tuple[str, ...]:
    """What the calibration says, for the user."""
    told = (
        f"On held-out images ({found.label}) seeds differed by {found.ratio:.2g} of the true "
        "error: that they agree proves nothing."
    )
    covered = f"The interval of 2 expected errors held the true value at {found.covered}."
    if found.tells_where:
        told += (
            f" Calibrated, the map tells where errors are likely: its intervals are "
            f"{100 * found.narrower:.0f} % shorter than one length everywhere."
        )
    else:
        told += (
            " Where seeds differ was not shown to tell more about the place of the errors than one "
            "error everywhere."
        )
    smooth = (
        f"One seed has {100 * found.finest:.0f} % of the true image's power in the finest octave: "
        "its texture is not that of the tissue."
    )
    texture = (smooth,) if found.finest < NATURAL else ()
    older = () if found.current else ("This was measured with an earlier version of the method.",)
    return (told, covered, *texture, *older)


def table(found: Sequence[Calibration]) -> str:
    """The calibrations as a table in Markdown."""
    head = (
        "settings", "spread / error", "rank correlation with the error",
        "better than one error everywhere, nats", "intervals shorter by",
        "within 2 expected errors", "finest octave of one seed", "images (subjects)",
    )  # fmt: skip
    lines = [head, ["---"] * len(head), *map(_row, found)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(one: Calibration) -> tuple[str, ...]:
    low, high = max(one.coverage.low, 0.0), min(one.coverage.high, 1.0)
    return (
        one.label, f"{one.ratio:.2f}", _words(one.correlation, 1.0), _words(one.gain),
        f"{100 * one.narrower:.0f} %" if one.tells_where else "not shown",
        f"{100 * one.coverage.mean:.0f} % ({100 * low:.0f} to {100 * high:.0f})",
        f"{100 * one.finest:.0f} %", f"{one.images} ({one.subjects})",
    )  # fmt: skip


def _words(interval: Interval, most: float = math.inf) -> str:
    high = min(interval.high, most)
    return f"{interval.mean:.2f} ({interval.low:.2f} to {high:.2f})"
