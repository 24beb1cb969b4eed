"""Large noisy images, and runs of the classical methods on them."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from enhancers.image import MedicalImage, Pixels, from_array
from enhancers.method import Method, Modality, ParameterValue
from enhancers.method_interface import load_method
from enhancers.registry import METHODS, get, resolve

SIDES = (256, 1000, 4096, 6000)
"""Sides in pixels for which times are estimated; memory is measured at the third."""
WARM_SIDE = 128
NOISE = 0.05
TINT = np.array([1.0, 0.8, 0.6], np.float32)
PIPELINES = (Modality.US, Modality.MR, Modality.CT)
"""Modalities with different classical pipelines."""


@dataclass(frozen=True)
class LargeCase:
    """A classical method on a gray or colour image of a modality, with given parameters."""

    key: str
    modality: Modality
    given: Mapping[str, ParameterValue] = field(default_factory=dict)
    colour: bool = False

    @property
    def name(self) -> str:
        """The method, with what distinguishes the case: "Classical pipeline (MR), colour"."""
        label = get(self.key).label
        if self.key == "classical":
            label += f" ({self.modality.value})"
        words = [f"{name} {value}" for name, value in self.given.items()]
        return ", ".join([label, *words, *(["colour"] if self.colour else [])])

    def image(self, side: int) -> MedicalImage:
        """A noisy image of this side; the same at every call."""
        pixels = noisy(self.modality, side)
        if self.colour:
            pixels = pixels[..., None] * TINT
        return from_array(pixels, self.modality)

    def run(self, image: MedicalImage) -> None:
        """Run the method to its end."""
        params = resolve(self.key, image.modality, self.given)
        for _ in load_method(self.key).run(image, params, seed=0, device="cpu"):
            pass

    def warm_up(self) -> None:
        """Run the method on a small image, for imports and tables."""
        self.run(self.image(WARM_SIDE))


def noisy(modality: Modality, side: int) -> Pixels:
    """An enlarged phantom with noise: of MR with a bias field, of ultrasound with speckle."""
    import cv2

    from enhancers.colour import luminance
    from enhancers.phantoms import phantom

    kind = {Modality.MR: "cardiac_mr", Modality.US: "echo"}.get(modality, "ct")
    clean = luminance(phantom(kind, size=256, seed=1).pixels)
    pixels: Pixels = cv2.resize(clean, (side, side), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).standard_normal((side, side), np.float32)
    noise *= np.float32(NOISE)
    if modality is Modality.MR:
        across = np.linspace(-0.5, 0.5, side, dtype=np.float32)
        pixels *= np.exp(-(across[:, None] ** 2) - (across + np.float32(0.3)) ** 2)
    pixels += noise * pixels if modality is Modality.US else noise
    return np.clip(pixels, 0.0, 1.0, out=pixels)


def plain_cases(methods: tuple[Method, ...] = METHODS) -> Iterator[LargeCase]:
    """The classical ones of the methods by their defaults; the pipeline once per kind."""
    for method in methods:
        if method.family == "classical":
            suits = next((m for m in PIPELINES[1:] if m in method.modalities), Modality.US)
            for modality in PIPELINES if method.key == "classical" else (suits,):
                yield LargeCase(method.key, modality)


def peak_bytes(case: LargeCase, side: int) -> int:
    """Peak memory in bytes that a run takes above its image, measured in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_peak_here, case, side).result()


def _peak_here(case: LargeCase, side: int) -> int:
    case.warm_up()
    image = case.image(side)
    gc.collect()
    return resident_peak(lambda: case.run(image)) or traced_peak(lambda: case.run(image))


def resident_peak(work: Callable[[], None]) -> int:
    """Growth of the process's resident memory at its peak; 0 where the system does not tell."""
    try:
        # Memory that the process keeps for later would not count when it is used again.
        getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)(0)
        before = _status("VmRSS")
        # 5 sets the peak to the present size (Linux, proc(5)).
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except (OSError, KeyError, TypeError):
        return 0
    work()
    return max(_status("VmHWM") - before, 0)


def traced_peak(work: Callable[[], None]) -> int:
    """Peak of what Python and numpy allocate; libraries that allocate by themselves are missing."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _status(name: str) -> int:
    """A size in bytes from the system's account of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    sizes = dict(line.split(":", 1) for line in lines)
    return int(sizes[name].split()[0]) * 1024
