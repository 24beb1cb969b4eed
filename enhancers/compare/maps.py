"""Maps that belong to a result: its parts, its structures, and where seeds differ."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from enhancers.colour import luminance
from enhancers.compare.events import Outcome
from enhancers.compare.seed_spread import calibration_of, noise_of
from enhancers.compare.seeds import SeedsResult
from enhancers.depths import depths_with_weights
from enhancers.image import MedicalImage, Pixels
from enhancers.method_interface import UNCHANGED
from enhancers.save import BundleMap

Colours = Literal["gray", "signed", "rising", "picture"]

SHOWN = 99.5
"""The percentile of the sizes at which the colours of a map end, rounded up to 1, 2 or 5."""


@dataclass(frozen=True, eq=False)
class ResultMap:
    """An image about a result.

    Parameters
    ----------
    key : str
        Unique among the maps of a result; a part of file names.
    label : str
    values : ndarray, float32, shape (H, W), or (H, W, 3) for a picture
        In the units of the result's pixels; signed for differences.
    colours : {"gray", "signed", "rising", "picture"}
        "gray" is an image like the result, "signed" has values on both sides of 0, "rising" sizes,
        "picture" RGB.
    reach : float
        The size at which the colours end; 1 for "gray" and "picture".
    words : str
        What the colours mean, in a few words.
    about : str
        What the map is, in a sentence.
    """

    key: str
    label: str
    values: Pixels
    colours: Colours
    reach: float
    words: str
    about: str

    @property
    def pixels(self) -> Pixels:
        """The values in [0, 1]: from 0 to ``reach``, or from -``reach`` to ``reach`` if signed."""
        scaled = self.values / np.float32(self.reach)
        if self.colours == "signed":
            scaled = (scaled + 1) / 2
        return np.asarray(np.clip(scaled, 0.0, 1.0), np.float32)


def bundle_maps(image: MedicalImage, outcome: Outcome) -> tuple[BundleMap, ...]:
    """The maps of a result for files: in its units where these are the image's, else in [0, 1]."""
    units = outcome.record.result_units or image.units
    kept = units == image.units
    found = []
    for one in result_maps(image, outcome):
        values = one.values.astype(np.float64)
        said = units if kept else f"{units} (0 to 1)"
        if one.colours == "picture":
            said = "RGB (0 to 1)"
        elif kept and one.colours == "gray":
            values = image.window.to_source(values)
        elif kept:
            window = image.window
            values *= window.high - window.low if one.colours == "signed" else window.width
        name = f"{outcome.method}_{one.key}"
        about = f"{one.label}. {one.about}".rstrip()
        found.append(BundleMap(name, np.asarray(values, np.float32), said, about))
    return tuple(found)


def result_maps(image: MedicalImage, outcome: Outcome) -> tuple[ResultMap, ...]:
    """The maps of a result of ``image``; none for methods that neither sample nor split."""
    return (*seed_maps(outcome), *_parts(image, outcome), *_structures(image, outcome))


def seed_maps(outcome: Outcome) -> tuple[ResultMap, ...]:
    """Where seeds differ and, where that is calibrated, the error that is expected."""
    return tuple(_seed_maps(outcome))


def _seed_maps(outcome: Outcome) -> Iterator[ResultMap]:
    result = outcome.result
    if not isinstance(result, SeedsResult) or result.deviation is None:
        return
    prior = outcome.record.prior
    found = calibration_of(outcome.method, outcome.params, prior.sha256 if prior else "")
    note = found if isinstance(found, str) else ""
    if not isinstance(found, str):
        note = f"On {found.images} held-out images it is {found.ratio:.2g} of the true error."
    yield ResultMap(
        "spread",
        "Where seeds differ",
        result.deviation,
        "rising",
        _reach(result.deviation),
        "standard deviation of the seeds, not the error",
        f"Standard deviation over {result.seeds} seeds. {note}",
    )
    if isinstance(found, str) or not result.deviation.any():
        return
    error = found.expected_error(luminance(result.pixels), result.deviation, noise_of(result))
    where = (
        "It tells where errors are likely better than one size everywhere."
        if found.tells_where
        else "It was not shown to tell where errors are better than one size everywhere."
    )
    yield ResultMap(
        "expected_error",
        "Expected error",
        error,
        "rising",
        _reach(error),
        "expected error, one standard deviation",
        f"{where} The interval of twice this held the true value at {found.covered}.",
    )


def _parts(image: MedicalImage, outcome: Outcome) -> Iterator[ResultMap]:
    if outcome.method != "null_space" or UNCHANGED in outcome.result.notes:
        return
    from enhancers.diffusion.measured_part import parts

    found = parts(image, outcome.params, outcome.result.pixels)
    yield ResultMap(
        "measured", "Measured", found.measured, "gray", 1.0, "",
        "H⁺ y: the measurement, without anything from the network.",
    )  # fmt: skip
    if outcome.params["task"] != "denoise":
        inpainted = outcome.params["task"] == "inpaint"
        yield ResultMap(
            "added", "Added by the network", found.added,
            "gray" if inpainted else "signed", 1.0 if inpainted else _reach(found.added),
            "" if inpainted else "blue darker, orange brighter",
            "The null space, x̂ - H⁺ H x̂: nothing of this was measured.",
        )  # fmt: skip
    if float(np.abs(found.corrected).max()) > 1e-3:
        yield ResultMap(
            "corrected", "Changed in what was measured", found.corrected, "signed",
            _reach(found.corrected), "blue darker, orange brighter",
            "H⁺ (H x̂ - y): what the network took for noise, or an error of it.",
        )  # fmt: skip


def _structures(image: MedicalImage, outcome: Outcome) -> Iterator[ResultMap]:
    if outcome.method != "morphology" or UNCHANGED in outcome.result.notes:
        return
    from enhancers.diffusion.morphology_pictures import overlay, structures

    pixels = outcome.result.pixels
    drawn, angles = overlay(pixels, structures(pixels, outcome.params))
    yield ResultMap(
        "structures", angles, drawn, "picture", 1.0, "",
        "What the segmentation network finds in the result: transverse processes orange, ribs "
        "green, lumbar vertebrae blue. Yellow lines go through the most tilted levels; angles are "
        "those of this image, the figures of the result medians of its samples. The depths are "
        "those that the result was made of, from superficial to deep.",
    )  # fmt: skip
    for number, (depth, weight) in enumerate(depths_with_weights(image, outcome.params), start=1):
        label = f"Depth {number}, weight {weight:.2f}"
        yield ResultMap(f"depth_{number}", label, depth, "gray", 1.0, "", "")


def _reach(values: Pixels) -> float:
    """Where the colours end: 1, 2 or 5 times a power of ten, at least 0.001."""
    size = max(float(np.percentile(np.abs(values), SHOWN)), 1e-3)
    power = 10.0 ** math.floor(math.log10(size))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= size * (1 - 1e-3)))
