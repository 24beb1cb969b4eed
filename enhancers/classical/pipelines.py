"""The classical pipeline of each modality (Singh and Singh, sections 2.2 and 2.4).

Ultrasound: SRAD, then CLAHE. MR: N4, Rician non-local means, CLAHE. All others: non-local means at
the measured noise, then CLAHE, light for CT and X-ray, on L of Lab for colour. Non-local means is
preferred to total variation because on CT and X-ray slices with added noise (σ 0.02 to 0.2) it is
closer to the truth in all but one case, by 0.1 to 0.4 dB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from enhancers.image import MedicalImage, Window
from enhancers.method import Modality, ParameterValue
from enhancers.method_interface import (
    Figure,
    Result,
    Step,
    final_step,
    load_method,
    skips_constant_images,
)
from enhancers.registry import get, resolve


@dataclass(frozen=True)
class Stage:
    """One method of a pipeline: its key, its given parameters, its share of the run time."""

    key: str
    given: Mapping[str, ParameterValue]
    share: float


def stages(
    modality: Modality, *, contrast: bool, sigma: float | None, clip_limit: float
) -> tuple[Stage, ...]:
    """The pipeline of a modality.

    Parameters
    ----------
    modality : Modality
    contrast : bool
        Whether CLAHE comes last.
    sigma : float or None
        Noise in [0, 1] units; for ultrasound the coefficient of variation of the speckle. None lets
        each method measure it.
    clip_limit : float
        Contrast limit of CLAHE.
    """
    if modality is Modality.US:
        # The speckle scale q0 is a divisor: 0 stands for a negligible value.
        chosen = [Stage("srad", {"q0": None if sigma is None else max(sigma, 0.01)}, 0.8)]
    elif modality is Modality.MR:
        chosen = [
            Stage("n4", {}, 0.6),
            Stage("nlm", {"sigma": sigma, "noise": "rician"}, 0.3),
        ]
    else:
        chosen = [Stage("nlm", {"sigma": sigma, "noise": "gaussian"}, 0.8)]
    if contrast:
        chosen.append(Stage("clahe", {"clip_limit": clip_limit}, 0.2))
    return tuple(chosen)


@skips_constant_images
def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Run the pipeline of the modality and yield the steps of all stages (see `Enhancer`)."""
    sigma, clip_limit = params["sigma"], params["clip_limit"]
    chosen = stages(
        image.modality,
        contrast=bool(params["contrast"]),
        sigma=None if sigma is None else float(sigma),
        clip_limit=float(clip_limit or 0.0),
    )
    yield from chain(image, chosen, seed=seed, device=device)


def chain(
    image: MedicalImage, chosen: Sequence[Stage], *, seed: int, device: str
) -> Iterator[Step]:
    """Run stages one after the other as one run; without a stage the result is the image."""
    total = sum(stage.share for stage in chosen)
    before = 0.0
    current, figures, notes = image, list[Figure](), list[str]()
    for stage in chosen:
        share = stage.share / total
        result = Result(current.pixels)
        values = resolve(stage.key, image.modality, stage.given)
        for step in load_method(stage.key).run(current, values, seed=seed, device=device):
            result = step.result or result
            yield _within(step, get(stage.key).label, before, share)
        figures += [replace(f, name=f"{stage.key}.{f.name}") for f in result.figures]
        notes += result.notes
        # The next stage needs the pixels alone: source values would take 12 bytes per pixel.
        current = replace(
            image, pixels=result.pixels, source=result.pixels, window=Window(0.0, 1.0)
        )
        before += share
    yield final_step(current.pixels, figures=tuple(figures), notes=tuple(notes))


def _within(step: Step, label: str, before: float, share: float) -> Step:
    """Convert a stage's step into a step of the pipeline, without its result."""
    preview = step.preview if step.result is None else step.result.pixels
    left = None
    if step.seconds_left is not None and step.fraction > 0.0:
        # The time of the remaining stages is extrapolated from their shares.
        passed = step.seconds_left * step.fraction / max(1.0 - step.fraction, 1e-3)
        left = step.seconds_left + passed * (1.0 - before - share) / share
    fraction = min(before + share * step.fraction, 0.999)
    return Step(fraction, preview, left, f"{label}: {step.note}")
