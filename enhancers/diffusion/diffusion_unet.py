"""Diffusion-UNet: samples of what a degraded image may have been, each a restoration of it.

The method of the reader-study paper: steps of a diffusion network that is given the degraded image
beside the state (`enhancers.networks.restorers.diffusion_unet`), classifier-free guidance (Ho and
Salimans, "Classifier-free diffusion guidance", 2022), DDIM or ancestral steps (Song, Meng and
Ermon, "Denoising diffusion implicit models", ICLR 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from enhancers.devices import GpuPacing
from enhancers.diffusion.timestep_noise import START, noise_for_timestep
from enhancers.image import MedicalImage
from enhancers.method import ParameterValue
from enhancers.method_interface import ProgressTracker, Step, final_step, skips_constant_images
from enhancers.networks.load_restorer import TiledRestorer, planned_patches
from enhancers.networks.restorers.consistency import correction, is_measured, is_projected
from enhancers.networks.restorers.given import Given, given
from enhancers.networks.restorers.sampling import Correct, Sampling, samples
from enhancers.parameter_values import as_float, as_int

ANCESTRAL = "ancestral"
ROUNDS_PER_STEP = 5
"""Of data consistency with samples of k-space."""
PROJECTION_CALLS, SCAN_CALLS = 4.0, 1.5
"""Network calls that take as long as the data consistency of a step."""


def read_sampling(params: Mapping[str, ParameterValue]) -> Sampling:
    """How samples are drawn, from resolved parameters."""
    eta = 1.0 if params["sampler"] == ANCESTRAL else 0.0
    return Sampling(as_int(params, "steps"), as_float(params, "guidance"), eta)


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, in patches, without loading the network."""
    how = read_sampling(params)
    calls = float(how.calls)
    if is_measured(image) and as_float(params, "consistency") > 0:
        calls += how.steps * (PROJECTION_CALLS if is_projected(image) else SCAN_CALLS)
    return calls * as_int(params, "samples") * planned_patches(*image.shape)


@skips_constant_images
def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Draw samples and average them; one `Step` per sampling step (see `Enhancer`)."""
    yield Step(0.0, note="loading the network")
    network = TiledRestorer(str(params["prior"]), device)
    known = given(image, params, network.now.network.multiple)
    how, count = read_sampling(params), as_int(params, "samples")
    weight, every = as_float(params, "consistency"), as_int(params, "preview_every")
    correct = correction(known, weight, ROUNDS_PER_STEP) if weight > 0 else None
    progress, pace = ProgressTracker(how.steps * count, "step"), GpuPacing(device)
    total, done = torch.zeros(()), 0
    for index in range(count):
        estimate = known.planes
        for estimate in _sampled(network, known, how, correct, _draws(seed, index), device):
            done += 1
            pace.tick()
            yield progress.step(done, known.pixels(estimate) if done % every == 0 else None)
        total = total + estimate.cpu()
    yield final_step(
        known.pixels(total / count),
        calls=how.calls * count,
        notes=(*known.notes, *_unmeasured(image, weight), *network.fallback.notes),
    )


def _sampled(
    network: TiledRestorer,
    known: Given,
    how: Sampling,
    correct: Correct | None,
    draw: Callable[[torch.Size], Tensor],
    device: str,
) -> Iterator[Tensor]:
    now = network.now

    def call(state: Tensor, steps: Tensor, condition: Tensor) -> Tensor:
        return network(torch.cat([state, condition], dim=1), int(steps[0]))

    return samples(
        now.network,
        call,
        now.signal,
        known.planes.to(device),
        how,
        lambda shape: draw(shape).to(device),
        correct,
    )


def _draws(seed: int, index: int) -> Callable[[torch.Size], Tensor]:
    """The noise of a sample: that of its start, then one for each step, from the seed alone."""
    drawn = 0

    def draw(shape: torch.Size) -> Tensor:
        nonlocal drawn
        drawn += 1
        return noise_for_timestep(tuple(shape), seed, START + drawn - 1, index)

    return draw


def _unmeasured(image: MedicalImage, weight: float) -> tuple[str, ...]:
    if weight == 0 or is_measured(image):
        return ()
    return (
        "Neither projections nor k-space are at hand, so that data consistency had no effect: "
        "degrade the image first (ct_dose or mr_undersample).",
    )
