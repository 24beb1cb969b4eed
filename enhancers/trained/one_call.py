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
from enhancers.networks.restorers.consistency import ROUNDS, correction, is_measured, is_sampled
from enhancers.networks.restorers.given import given

SAMPLED = (
    "Image and result agree with the samples of k-space; the phase was taken from their centre and "
    "assumed to be smooth. Set consistency off for the network alone."
)
PROJECTED = (
    "The network was called again for its estimate, corrected by the projections. Set consistency "
    "off for a single call."
)


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, in patches, without loading the network."""
    return _calls(image, params) * planned_patches(*image.shape)


@skips_constant_images
def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Generator[Step, None, None]:
    """Restore the luminance with the network ``prior``; one `Step` per tile (see `Enhancer`).

    With ``consistency``, samples of k-space correct what the network is given and what it makes.
    Projections are noisy: they correct its estimate, and it removes the noise once more.
    """
    yield Step(0.0, note="loading the network")
    network = TiledRestorer(str(params["prior"]), device)
    known = given(image, params, network.now.network.multiple)
    correct = correction(known, rounds=ROUNDS if is_sampled(image) else 1)
    if not params["consistency"]:
        correct = None
    planned = _calls(image, params)
    planes = known.planes.to(device)
    if correct and is_sampled(image):
        planes = _with_image(planes, correct(planes[:, :1]))
    progress = ProgressTracker(planned * network.tiles(planes), "network call")
    pace, calls, restored = GpuPacing(device), 0, planes[:, :1]
    for call in range(planned):
        if correct and call:
            planes = _with_image(planes, correct(restored))
        for estimate in network.by_tile(planes):
            calls, restored = calls + 1, estimate
            pace.tick()
            yield progress.step(calls)
    if correct and is_sampled(image):
        restored = correct(restored)
    said = () if correct is None else (SAMPLED if is_sampled(image) else PROJECTED,)
    yield final_step(
        known.pixels(restored), calls=calls, notes=(*known.notes, *said, *network.fallback.notes)
    )


def _calls(image: MedicalImage, params: Mapping[str, ParameterValue]) -> int:
    projected = is_measured(image) and not is_sampled(image)
    return 2 if projected and params["consistency"] else 1


def _with_image(planes: Tensor, image: Tensor) -> Tensor:
    return torch.cat([image.to(planes), planes[:, 1:]], dim=1)
