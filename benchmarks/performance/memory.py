"""`benchmarks memory`: whether run after run of each method leaves memory as it was."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

from benchmarks.performance.figures import Measurement
from enhancers import devices
from enhancers.compare import Request, compare
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.method import Method, Modality, ParameterValue
from enhancers.registry import METHODS

SIDE = 128
WARM_SHARE, COMPARED_SHARE = 0.2, 0.2
"""Part of the runs that fills caches, and the parts after it and at the end that are compared."""
LEAST_GROWTH, GROWTH_A_RUN = 4.0, 0.1
"""MB a method may grow in all, and more for each run: an image of `SIDE` has 0.07."""
SHORT: Mapping[str, Mapping[str, ParameterValue]] = {
    "null_space": {"sigma": 0.05},
    "unimie": {"steps": 2},
    "pseudo_label": {"steps": 2},
}
"""Parameters that keep runs short."""


def memory(device: str, runs: int, only: tuple[str, ...] = ()) -> Iterator[Measurement]:
    """A figure for each method: the growth of the process over its runs after the first fifth.

    Parameters
    ----------
    device : str
    runs : int
        At least 5.
    only : tuple of str
        Keys of methods; all where empty.
    """
    for method in METHODS:
        if only and method.key not in only:
            continue
        yield measured(method, device, runs)


def measured(method: Method, device: str, runs: int) -> Measurement:
    """Run one method again and again, as the page does, and compare the first runs and the last."""
    image = small(method)
    request = Request(method.key, SHORT.get(method.key, {}))
    sizes = []
    for seed in range(runs):
        for event in compare(image, [request], seed=seed, device=device):
            if event.error:
                raise ReadingRoomError(f"{method.label} cannot be measured: {event.error}")
        gc.collect()
        sizes.append(held(device))
    return judged(method.label, sizes)


def judged(name: str, sizes: list[float]) -> Measurement:
    """The growth, in MB, from the runs after the warm-up to the last ones."""
    warm, count = (max(1, round(share * len(sizes))) for share in (WARM_SHARE, COMPARED_SHARE))
    early, late = median(sizes[warm : warm + count]), median(sizes[-count:])
    allowed = LEAST_GROWTH + GROWTH_A_RUN * (len(sizes) - warm)
    detail = f"{len(sizes)} runs: {sizes[0]:.1f} MB after the first, then {early:.1f}, {late:.1f}"
    return Measurement(f"{name}: growth", late - early, allowed, "MB", detail)


def small(method: Method) -> MedicalImage:
    """An image the method is made for."""
    from benchmarks.performance.speed import noisy

    modality = next((m for m in (Modality.MR, Modality.CT) if m in method.modalities), Modality.US)
    return noisy(modality, SIDE)


def held(device: str) -> float:
    """MB that the process holds, and its tensors on a GPU."""
    if devices.device_type(device) == "cuda":
        import torch

        return resident() + torch.cuda.memory_allocated(device) / 1e6
    return resident()


def resident() -> float:
    """MB of the process's resident memory; where the system does not tell, the most it ever had."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
