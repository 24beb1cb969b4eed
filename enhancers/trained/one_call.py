"""Restorers that estimate the clean image in one call, or two with the projections of a CT."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import torch
from torch import Tensor

from enhancers.devices import GpuPacing
from enhancers.image import MedicalImage
from enhancers.method import ParameterValue
from enhancers.method_interface import ProgressTracker, Step, final_step, skips_constant_images
from enhancers.networks.load_restorer import TiledRestorer, planned_patches
from enhancers.networks.restorers.consistency import correction, has_known_phase, is_projected
from enhancers.networks.restorers.given import given

SAMPLED = (
    "The result was brought toward the samples of k-space, as far as their noise allows. Set "
    "consistency off for the network alone."
)
SMOOTH = "The phase of the scan was assumed to be smooth."
PROJECTED = (
    "The network was called again for its estimate, corrected by the projections. Set consistency "
    "off for a single call."
)
PROJECTION_CALLS = 3.0
"""Network calls that take as long as a projection and its back-projections."""


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, in patches, without loading the network."""
    calls = _calls(image, params)
    return (calls + (calls - 1) * PROJECTION_CALLS) * planned_patches(*image.shape)


@skips_constant_images
def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Generator[Step, None, None]:
    """Restore the luminance with the network ``prior``; one `Step` per tile (see `Enhancer`).

    With ``consistency``, samples of k-space correct the estimate. So do projections, which are
    noisy: the network then removes the noise once more.
    """
    yield Step(0.0, note="loading the network")
    network = TiledRestorer(str(params["prior"]), device)
    known = given(image, params, network.now.network.multiple)
    correct = correction(known) if params["consistency"] else None
    planned = _calls(image, params)
    planes = known.planes.to(device)
    progress = ProgressTracker(planned * network.tiles(planes), "network call")
    pace, calls, restored = GpuPacing(device), 0, planes[:, :1]
    for call in range(planned):
        if correct and call:
            planes = _with_image(planes, correct(restored))
        for estimate in network.by_tile(planes):
            calls, restored = calls + 1, estimate
            pace.tick()
            yield progress.step(calls)
    if correct and not is_projected(image):
        restored = correct(restored)
    notes = (*known.notes, *(_said(image) if correct else ()), *network.fallback.notes)
    yield final_step(known.pixels(restored), calls=calls, notes=notes)


def _calls(image: MedicalImage, params: Mapping[str, ParameterValue]) -> int:
    return 2 if is_projected(image) and params["consistency"] else 1


def _said(image: MedicalImage) -> tuple[str, ...]:
    if is_projected(image):
        return (PROJECTED,)
    return (SAMPLED,) if has_known_phase(image) else (SAMPLED, SMOOTH)


def _with_image(planes: Tensor, image: Tensor) -> Tensor:
    return torch.cat([image.to(planes), planes[:, 1:]], dim=1)
