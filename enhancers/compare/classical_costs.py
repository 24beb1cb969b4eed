"""Cost of a run of a classical method, by the size of the image and the parameters that matter.

The figures are seconds on one core of the machine on which they were measured (AMD EPYC at about
3 GHz); `runtime_model` converts them to this machine and learns from what runs took. They hold
within a factor of two on medical images. What the cost depends on besides size and parameters is
taken as usual: speckle of `USUAL_SPECKLE`, the number of iterations until total variation and N4
converge on noisy images with a bias field. An image without any bias field takes N4 far less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from enhancers.classical import pipelines, srad, tv_recon
from enhancers.image import MedicalImage
from enhancers.measured import Measured
from enhancers.method import ParameterValue
from enhancers.method_interface import LARGEST_PREVIEW
from enhancers.parameter_values import as_float_or_none, as_int
from enhancers.registry import resolve

Params = Mapping[str, ParameterValue]

USUAL_SPECKLE = 0.18
"""Coefficient of variation of speckle that is not given."""
USUAL_TV_ITERATIONS = 12
"""Iterations of total variation with an automatic weight, whatever the noise."""
USUAL_RECONSTRUCTION = 60
"""Iterations of a TV reconstruction, of projections or of an image."""
TV_OVERLAP = 1.14
"""Pixels of overlapping tiles per pixel of an image that is larger than a tile."""
N4_ROUNDS = 3.5
"""Usual rounds of N4 in each level but the first, which ends after one of a few iterations."""
N4_FIRST_ITERATIONS = 2

MERGE = 0.12
"""Seconds per megapixel of replacing the luminance of a colour image."""
NOISE_START, NOISE = 0.01, 0.11
"""Seconds of a noise estimate: once, and per megapixel."""


def seconds(image: MedicalImage, key: str, params: Params) -> float:
    """Seconds of a run of a classical method on the reference machine.

    Parameters
    ----------
    image : MedicalImage
    key : str
        The registry key of a classical method.
    params : mapping
        Complete, from `registry.resolve`.

    Raises
    ------
    KeyError
        The method has no cost.
    """
    return COSTS[key](image, params)


def _megapixels(image: MedicalImage) -> float:
    return image.shape[0] * image.shape[1] / 1e6


def _merges(image: MedicalImage, previews: float = 0.0) -> float:
    """Putting the luminance of a colour image back, for previews and for the result."""
    if image.pixels.ndim == 2:
        return 0.0
    shown = previews if image.shape[0] * image.shape[1] <= LARGEST_PREVIEW else 0.0
    return MERGE * _megapixels(image) * (1.0 + shown)


def _noise(image: MedicalImage, given: float | None) -> float:
    return NOISE_START + NOISE * _megapixels(image) if given is None else 0.0


def _restored(image: MedicalImage, params: Params) -> float:
    """Restoring clipped noise, where there are pixels at black or white."""
    clipped = image.pixels.min() <= 0.0 or image.pixels.max() >= 1.0
    return 0.1 * _megapixels(image) if params["unclip"] and clipped else 0.0


def clahe_seconds(image: MedicalImage, params: Params) -> float:
    """CLAHE: histograms by tile; Lab there and back for colour."""
    per_megapixel = 0.1 if image.pixels.ndim == 2 else 0.84
    return per_megapixel * _megapixels(image) + 3e-5 * as_int(params, "tiles") ** 2


def nlm_seconds(image: MedicalImage, params: Params) -> float:
    """Non-local means: half the offsets of the search window, whatever the patch."""
    from enhancers.classical.nlm import MIN_SIGMA

    sigma, size = as_float_or_none(params, "sigma"), _megapixels(image)
    total = _noise(image, sigma) + _merges(image)
    if sigma is not None and sigma < MIN_SIGMA:
        # The copy of a small image stays in the processor's cache.
        return total + 1.5e-4 + size * (0.0025 if size < 4 else 0.004)
    if params["noise"] == "gaussian":
        total += _restored(image, params)
    rician = params["noise"] == "rician" and params["distance"] == "corrected"
    offsets = (as_int(params, "search") ** 2 - 1) / 2
    return total + size * (0.03 + offsets * (0.012 if rician else 0.009))


def srad_seconds(image: MedicalImage, params: Params) -> float:
    """SRAD: its steps, in bands of rows with two rows of context at either end."""
    size, width = _megapixels(image), image.shape[1]
    q0 = as_float_or_none(params, "q0")
    usual = {**params, "q0": USUAL_SPECKLE if q0 is None else q0}
    steps = srad.settings(image.pixels, usual).steps
    rows = max(8, srad.BAND_PIXELS // width)
    measured = 0.1 * size if q0 is None and params["preset"] != "paper" else 0.0
    stepped = steps * size * 0.017 * (1.0 + 4.0 / min(rows, image.shape[0]))
    return measured + stepped + _merges(image, steps / as_int(params, "preview_every"))


def tv_seconds(image: MedicalImage, params: Params) -> float:
    """Total variation: iterations until it converges, more for a larger weight."""
    weight, size = as_float_or_none(params, "weight"), _megapixels(image)
    usual = USUAL_TV_ITERATIONS if weight is None else 1.0 + 55.0 * weight**0.4
    iterations = min(as_int(params, "iterations"), usual)
    # A small image stays in the processor's cache.
    start, iteration = (0.04, 0.007) if size < 0.1 else (0.1, 0.02)
    solved = size * TV_OVERLAP * (start + iteration * iterations)
    known = as_float_or_none(params, "sigma") if weight is None or params["unclip"] else weight
    return _noise(image, known) + _restored(image, params) + solved + _merges(image)


def tv_recon_seconds(image: MedicalImage, params: Params) -> float:
    """TV reconstruction: the matrix of the projections once, and iterations until it converges."""
    patches, most = image.shape[0] * image.shape[1] / 65536, as_int(params, "iterations")
    measured = image.measured or Measured()
    if measured.projections is not None:
        beam = measured.projections.beam
        rays = (beam.side / 256) ** 2 * beam.views / 360
        return rays * (2.5 + 0.035 * min(most, USUAL_RECONSTRUCTION))
    if measured.coils is not None or measured.spectrum is not None:
        coils = 1 if measured.coils is None else len(measured.coils.samples)
        runs = 2 if params["phase"] == tv_recon.SMOOTH else 1
        return patches * (0.1 + runs * (0.0035 + 0.0015 * coils) * most)
    rounds = min(most, USUAL_RECONSTRUCTION)
    solved = 0.025 * _megapixels(image) * rounds
    known = as_float_or_none(params, "weight")
    return _noise(image, known) + solved + _merges(image, rounds / tv_recon.PREVIEW_EVERY)


def n4_seconds(image: MedicalImage, params: Params) -> float:
    """N4: iterations on the shrunk image, and the field on its grid after every round."""
    from enhancers.classical.n4 import MAX_SIDE, ROUND_ITERATIONS, effective_shrink, fitted_levels

    height, width = image.shape
    levels, most = fitted_levels(params), as_int(params, "iterations")
    later = (levels - 1) * min(-(-most // ROUND_ITERATIONS), N4_ROUNDS)
    iterations = later * min(most, ROUND_ITERATIONS) + min(most, N4_FIRST_ITERATIONS)
    rounds = later + 1
    shrink = effective_shrink(image.shape, as_int(params, "shrink"))
    grid = 0.3 * min(height, MAX_SIDE) * min(width, MAX_SIDE) / 1e6
    fitted = rounds * grid + iterations * (3e-3 + 0.3 * _megapixels(image) / shrink**2)
    shown = rounds if height * width <= LARGEST_PREVIEW else 0.0
    divided = 0.01 * _megapixels(image) * (shown + 3.0)
    return fitted + divided + _merges(image, rounds)


def pipeline_seconds(image: MedicalImage, params: Params) -> float:
    """The classical pipeline: the methods of the image's modality."""
    sigma, clip = as_float_or_none(params, "sigma"), as_float_or_none(params, "clip_limit")
    chosen = pipelines.stages(
        image.modality, contrast=bool(params["contrast"]), sigma=sigma, clip_limit=clip or 0.0
    )
    return sum(
        seconds(image, stage.key, resolve(stage.key, image.modality, stage.given))
        for stage in chosen
    )


COSTS: Mapping[str, Callable[[MedicalImage, Params], float]] = {
    "clahe": clahe_seconds,
    "nlm": nlm_seconds,
    "srad": srad_seconds,
    "tv": tv_seconds,
    "n4": n4_seconds,
    "tv_recon": tv_recon_seconds,
    "classical": pipeline_seconds,
}
"""The cost of each classical method by its registry key."""
