"""``benchmarks memory``: whether memory grows over runs, and what a run on a large image takes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.performance.figures import Measurement
from benchmarks.performance.large_images import LargeCase, peak_bytes, plain_cases, resident_peak
from enhancers import devices
from enhancers.compare import Request, compare
from enhancers.compare.all_slices import enhance_slices
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage, Window
from enhancers.load import Caps
from enhancers.load.slices import FileSlices
from enhancers.load.volumes.stream import BLOCK_BYTES
from enhancers.method import Method, Modality, ParameterValue
from enhancers.registry import METHODS
from enhancers.save.grid import Grid
from enhancers.save.nifti import nifti_header
from enhancers.save.result_files import VolumeTarget
from enhancers.stated_facts import StatedFacts

SIDE = 128
WARM_SHARE, COMPARED_SHARE = 0.2, 0.2
"""Shares of the runs that warm up, and that are compared after that and at the end."""
LEAST_GROWTH, GROWTH_A_RUN = 4.0, 0.1
"""Allowed growth in MB, in total and per run; an image of `SIDE` has 0.07."""
MOST_BYTES = 12.0
"""Most bytes per pixel that a run of a classical method takes above those of the image; of a colour
image, per pixel and channel."""
MOST_SLICE_BYTES = 150.0
"""Most bytes that a run of all slices takes for each pixel of a slice."""
SLICE_BLOCK = BLOCK_BYTES
SLICES_METHOD = "clahe"
SHORT: Mapping[str, Mapping[str, ParameterValue]] = {
    "null_space": {"sigma": 0.05},
    "unimie": {"steps": 2},
    "pseudo_label": {"steps": 2},
}
"""Parameters that keep runs short."""


def memory(
    device: str, runs: int, only: tuple[str, ...] = (), *, side: int
) -> Iterator[Measurement]:
    """The growth of the process over the runs of each method, and the peak on a large image.

    The peak is that of classical methods, on a gray and on a colour image.

    Parameters
    ----------
    device : str
    runs : int
        Number of runs, at least 5.
    only : tuple of str
        Keys of methods; empty for all.
    side : int
        Side in pixels of the large image.
    """
    for method in METHODS:
        if only and method.key not in only:
            continue
        yield measured(method, device, runs)
        for case in plain_cases((method,)):
            for colour in (False, True):
                yield large(replace(case, colour=colour), side)


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


def large(case: LargeCase, side: int) -> Measurement:
    """The peak of one run on a large image, in bytes per pixel (and channel of a colour image)."""
    values = side**2 * (3 if case.colour else 1)
    unit = "bytes/px/channel" if case.colour else "bytes/px"
    detail = f"one run on {side} x {side} pixels"
    measured = peak_bytes(case, side) / values
    return Measurement(f"{case.name}: memory", measured, MOST_BYTES, unit, detail)


def all_slices(side: int, count: int) -> Measurement:
    """The peak of a run of all slices of a volume, in bytes for each pixel of one slice.

    The volume is written as NIfTI and its results as MHA, each slice as it comes; the blocks of
    slices that are read at once, of a fixed size, are not counted.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        peak, seconds = pool.submit(_slices_here, side, count).result()
    values = max(peak - SLICE_BLOCK, 0) / side**2
    detail = (
        f"{count} slices of {side} x {side} pixels (16 bit) by {SLICES_METHOD} in {seconds:.0f} s: "
        f"{peak / 1e6:.0f} MB above idle; the results have {4e-6 * count * side**2:.0f} MB"
    )
    return Measurement("All slices: memory", values, MOST_SLICE_BYTES, "bytes/px", detail)


def _slices_here(side: int, count: int) -> tuple[int, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_volume(folder / "few.nii", side, 3)
        _write_volume(folder / "all.nii", side, count)
        _run_slices(folder / "few.nii")
        gc.collect()
        started = time.perf_counter()
        peak = resident_peak(lambda: _run_slices(folder / "all.nii"))
        return peak, time.perf_counter() - started


def _write_volume(path: Path, side: int, count: int) -> None:
    """Shifted slices of one noisy phantom, as 16-bit NIfTI."""
    from benchmarks.performance.speed import noisy

    one = np.rint(noisy(Modality.MR, side).pixels * 4000).astype("<i2")
    affine = np.diag([0.7, 0.7, 1.0, 1.0])
    grid = Grid((side, side, count), affine, True)
    facts = StatedFacts("a.u.", Modality.MR, Window(0.0, 4000.0))
    head = bytearray(nifti_header(grid, facts, colour=False))
    head[70:74] = (4).to_bytes(2, "little") + (16).to_bytes(2, "little")
    with path.open("wb") as file:
        file.write(head)
        for index in range(count):
            file.write(np.roll(one, index, 0).tobytes())


def _run_slices(path: Path) -> None:
    slices = FileSlices(path, Caps(max_bytes=10**10))
    window = slices.image().window.ends
    target = VolumeTarget(path.with_suffix(".mha"), "mha")
    request = Request(SLICES_METHOD)
    for _ in enhance_slices(
        lambda index: slices.image(index, window), slices.slice_count, request, target
    ):
        pass


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
