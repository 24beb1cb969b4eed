"""``benchmarks memory``: whether memory grows over runs, and what a run on a large image takes."""

from __future__ import annotations

import gc
import os
import sys
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.performance.figures import Measurement
from enhancers import devices
from enhancers.compare import Request, compare
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage, from_array
from enhancers.method import Method, Modality, ParameterValue
from enhancers.method_interface import load_method
from enhancers.registry import METHODS, resolve

SIDE = 128
WARM_SHARE, COMPARED_SHARE = 0.2, 0.2
"""Shares of the runs that warm up, and that are compared after that and at the end."""
LEAST_GROWTH, GROWTH_A_RUN = 4.0, 0.1
"""Allowed growth in MB, in total and per run; an image of `SIDE` has 0.07."""
LARGE_SIDE = 4096
"""Side in pixels of the large image."""
MOST_BYTES = 12.0
"""Most bytes per pixel, above those of the image, that a run of a classical method takes."""
SHORT: Mapping[str, Mapping[str, ParameterValue]] = {
    "null_space": {"sigma": 0.05},
    "unimie": {"steps": 2},
    "pseudo_label": {"steps": 2},
}
"""Parameters that keep runs short."""


def memory(device: str, runs: int, only: tuple[str, ...] = ()) -> Iterator[Measurement]:
    """The growth of the process over the runs of each method, and the peak on a large image.

    Parameters
    ----------
    device : str
    runs : int
        Number of runs, at least 5.
    only : tuple of str
        Keys of methods; empty for all.
    """
    for method in METHODS:
        if only and method.key not in only:
            continue
        yield measured(method, device, runs)
        if method.family == "classical":
            yield large(method)


def measured(method: Method, device: str, runs: int) -> Measurement:
    """Run one method many times, as the page does, and compare the first and the last runs."""
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


def large(method: Method, side: int = LARGE_SIDE) -> Measurement:
    """The peak of one run of a classical method on a large gray image, in bytes per pixel.

    Counted is what numpy allocates during the run, the result included and the image not.
    """
    image = big(method, side)
    enhancer, params = load_method(method.key), resolve(method.key, image.modality)
    small_image = big(method, SIDE)
    for _ in enhancer.run(small_image, params, seed=0, device="cpu"):
        pass  # Imports and tables are not counted.
    tracemalloc.start()
    try:
        for _ in enhancer.run(image, params, seed=0, device="cpu"):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    detail = f"one run on {side} x {side} pixels"
    return Measurement(f"{method.label}: memory", peak / side**2, MOST_BYTES, "bytes/px", detail)


def big(method: Method, side: int) -> MedicalImage:
    """A gray image with noise, of a modality that suits the method."""
    modality = next((m for m in (Modality.MR, Modality.CT) if m in method.modalities), Modality.US)
    random = np.random.default_rng(0)
    pixels = random.random((side, side), np.float32)
    pixels *= np.float32(0.1)
    pixels += np.linspace(0.2, 0.7, side, dtype=np.float32)
    return from_array(pixels, modality)


def judged(name: str, sizes: list[float]) -> Measurement:
    """The growth in MB from the runs after the warm-up to the last ones."""
    warm, count = (max(1, round(share * len(sizes))) for share in (WARM_SHARE, COMPARED_SHARE))
    early, late = median(sizes[warm : warm + count]), median(sizes[-count:])
    allowed = LEAST_GROWTH + GROWTH_A_RUN * (len(sizes) - warm)
    detail = f"{len(sizes)} runs: {sizes[0]:.1f} MB after the first, then {early:.1f}, {late:.1f}"
    return Measurement(f"{name}: growth", late - early, allowed, "MB", detail)


def small(method: Method) -> MedicalImage:
    """A small image of a modality that suits the method."""
    from benchmarks.performance.speed import noisy

    modality = next((m for m in (Modality.MR, Modality.CT) if m in method.modalities), Modality.US)
    return noisy(modality, SIDE)


def held(device: str) -> float:
    """Memory in MB of the process, and of its tensors on a GPU."""
    if devices.device_type(device) == "cuda":
        import torch

        return resident() + torch.cuda.memory_allocated(device) / 1e6
    return resident()


def resident() -> float:
    """Resident memory of the process in MB; its peak where the system has no other figure."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
