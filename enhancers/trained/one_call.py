"""Restorers that estimate the clean image in one call."""

from __future__ import annotations

from collections.abc import Generator, Mapping

from enhancers.devices import GpuPacing
from enhancers.image import MedicalImage
from enhancers.method import ParameterValue
from enhancers.method_interface import ProgressTracker, Step, final_step, skips_constant_images
from enhancers.networks.load_restorer import TiledRestorer, planned_patches
from enhancers.networks.restorers.given import given


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, in patches, without loading the network."""
    return planned_patches(*image.shape)


@skips_constant_images
def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Generator[Step, None, None]:
    """Restore the luminance with the network ``prior``; one `Step` per tile (see `Enhancer`)."""
    yield Step(0.0, note="loading the network")
    network = TiledRestorer(str(params["prior"]), device)
    known = given(image, params, network.now.network.multiple)
    planes = known.planes.to(device)
    progress, pace = ProgressTracker(network.tiles(planes), "network call"), GpuPacing(device)
    calls, restored = 0, planes[:, :1]
    for estimate in network.by_tile(planes):
        calls, restored = calls + 1, estimate
        pace.tick()
        yield progress.step(calls)
    yield final_step(
        known.pixels(restored), calls=calls, notes=(*known.notes, *network.fallback.notes)
    )
