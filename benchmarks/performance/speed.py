"""``benchmarks speed``: the cost of sampling loops and of published networks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.performance.figures import Measurement, failed
from benchmarks.performance.loops import ROUNDS, Loop, loaded, measure
from benchmarks.performance.random_networks import WRITERS, Writer, random_networks
from enhancers import devices
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage, from_array
from enhancers.method import Modality, ParameterValue
from enhancers.method_interface import load_method
from enhancers.registry import resolve

ON_GPU, ON_CPU = 1.05, 1.15
"""Largest ratio of a loop to its bare network: published on a GPU, embedded on a CPU."""
REPEATS = 5
SLICES, SLICE = 64, 256
NEEDS_GPU = "needs a GPU: --device cuda"


FULL_HYBRID: Mapping[str, ParameterValue] = {"steps": 10, "strength": 1.0}
"""The hybrid as published: ten steps from pure noise."""


@dataclass(frozen=True)
class SpeedCase:
    """A method on an image of a side and modality, with parameters.

    ``most`` is its limit in seconds on an H200; None for none.
    """

    name: str
    key: str
    modality: Modality
    side: int
    given: Mapping[str, ParameterValue]
    most: float | None = None

    def image(self) -> MedicalImage:
        """A noisy phantom."""
        return noisy(self.modality, self.side)


def embedded(quick: bool) -> tuple[SpeedCase, ...]:
    """The embedded networks; ``quick`` reduces images and steps, to test the command."""
    side, large, steps = (64, 256, 3) if quick else (256, 512, 6)
    return (
        SpeedCase("DDNM", "null_space", Modality.CT, side, {"sigma": 0.3}),
        SpeedCase("UniMIE", "unimie", Modality.CT, large, {"steps": steps}),
        SpeedCase("Hybrid", "pseudo_label", Modality.US, side, FULL_HYBRID),
    )


PUBLISHED = (
    SpeedCase(
        "Hybrid on SD 1.5", "pseudo_label", Modality.US, 256, {"prior": "sd15", **FULL_HYBRID}, 0.3
    ),
    SpeedCase(
        "DDNM on the CT DDPM",
        "null_space",
        Modality.CT,
        512,
        {"prior": "ct-abdomen", "sigma": 0.3},
        0.12,
    ),
    SpeedCase(
        "UniMIE on ADM-256", "unimie", Modality.MR, 512, {"prior": "adm256", "steps": 100}, 12.0
    ),
    SpeedCase("DDNM on ADM-256", "null_space", Modality.MR, 256, {"prior": "adm256", "sigma": 0.3}),
    SpeedCase(
        "UniMIE on the CT DDPM", "unimie", Modality.CT, 512, {"prior": "ct-abdomen", "steps": 20}
    ),
)
"""Methods on published networks; the one for heart MR has the architecture of the one for CT."""


def noisy(modality: Modality, side: int) -> MedicalImage:
    """A phantom with noise; repeatable."""
    from enhancers.colour import luminance
    from enhancers.phantoms import phantom

    kind = {Modality.CT: "ct", Modality.MR: "cardiac_mr", Modality.US: "echo"}[modality]
    clean = luminance(phantom(kind, size=side, seed=1).pixels)
    noise = np.random.default_rng(0).normal(0, 0.1, clean.shape)
    return from_array(np.clip(clean + noise, 0, 1).astype(np.float32), modality)


def speed(
    device: str, *, quick: bool = False, writers: Mapping[str, Writer] = WRITERS
) -> Iterator[Measurement]:
    """Yield every figure as soon as it is measured."""
    yield from _embedded_figures(device, quick)
    yield from _kernels(device, quick)
    on_gpu = devices.device_type(device) == "cuda"
    with random_networks(writers) if on_gpu else nullcontext():
        for case in PUBLISHED:
            yield from published_figures(case, device if on_gpu else None)
        yield slices_figure(device if on_gpu else None)


def _embedded_figures(device: str, quick: bool) -> Iterator[Measurement]:
    most = ON_CPU if devices.device_type(device) == "cpu" else None
    for case in embedded(quick):
        image = case.image()
        loop = measure(case.key, image, case.given, device, rounds=1 if quick else ROUNDS)
        name = f"{case.name} {case.side}x{case.side}, embedded: loop / bare network"
        yield _ratio_line(name, loop, most)
        if loop.work is not None:
            yield Measurement(f"{name}, in processor time", loop.work, most)
        if case.key == "null_space":
            yield Measurement(
                "DDNM σ = 0.30: network calls, where the published schedule makes 100",
                loop.result.calls, 20,
            )  # fmt: skip
        if case.key == "unimie" and not quick:
            yield Measurement(
                "UniMIE 512x512: patches a step, where the published code evaluates 16",
                loop.images, 9, detail=f"{loop.largest} in one call",
            )  # fmt: skip


def _ratio_line(name: str, loop: Loop, most: float | None) -> Measurement:
    detail = f"{loop.calls} calls: {loop.seconds:.3g} s against {loop.bare:.3g} s"
    return Measurement(name, loop.ratio, most, detail=detail)


def _kernels(device: str, quick: bool) -> Iterator[Measurement]:
    """The embedded network by the project's kernels against torch, alternating."""
    side = 64 if quick else 256
    line = Measurement(f"Embedded pixel network {side}x{side}: one forward / torch's", None, 0.5)
    if devices.device_type(device) != "cpu":
        yield failed(line, "concerns the CPU: --device cpu")
        return
    import torch

    prior = loaded("null_space", "pixel", device)
    if getattr(prior.run, "__self__", None) is None:
        yield failed(line, "torch runs the network here")
        return
    x = torch.randn(1, 1, side, side)

    def by_torch() -> None:
        prior.unet(x.contiguous(memory_format=torch.channels_last), 500)

    threads, times = torch.get_num_threads(), 3 if quick else 4 * REPEATS
    with torch.inference_mode():
        walls = in_turns(lambda: prior.run(x, 500), by_torch, times)
        torch.set_num_threads(1)
        works = in_turns(lambda: prior.run(x, 500), by_torch, times, time.process_time)
        torch.set_num_threads(threads)
    for name, (ours, theirs) in (
        (line.name, walls),
        (f"{line.name}, in processor time on one thread", works),
    ):
        detail = f"at best {min(ours):.3g} s against {min(theirs):.3g} s"
        yield Measurement(name, min(ours) / min(theirs), line.required, detail=detail)


def in_turns(
    first: Callable[[], object],
    second: Callable[[], object],
    times: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[list[float], list[float]]:
    """Seconds of two functions that run alternately, after a warm-up round."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(times + 1):
        for thing, seconds in zip((first, second), taken, strict=True):
            started = clock()
            thing()
            seconds.append(clock() - started)
    return taken[0][1:], taken[1][1:]


def published_figures(case: SpeedCase, device: str | None) -> Iterator[Measurement]:
    """The loop against the network, and its seconds; ``device`` is None without a GPU."""
    title = f"{case.name} {case.side}x{case.side}"
    ratio = Measurement(f"{title}: loop / bare network", None, ON_GPU)
    # The limit of DDNM is for its network calls, without the noise estimation before them.
    within = case.key == "null_space"
    what = "sampling loop" if within else "whole run"
    complete = Measurement(f"{title}: {what}", None, case.most, "s")
    if device is None:
        yield failed(ratio, NEEDS_GPU)
        yield failed(complete, NEEDS_GPU)
        return
    try:
        image = case.image()
        loop = measure(case.key, image, case.given, device, rounds=ROUNDS)
        yield _ratio_line(ratio.name, loop, ratio.required)
        seconds, peak = _complete_runs(case, image, device)
        sampling = loop.seconds * loop.result.calls / loop.calls if within else seconds
        detail = f"{loop.result.calls} calls; peak memory {peak:.1f} GiB"
        if within:
            detail += f"; whole run {seconds:.3g} s"
        yield Measurement(complete.name, sampling, complete.required, complete.unit, detail)
    except ReadingRoomError as error:
        yield failed(complete, error)


def _complete_runs(case: SpeedCase, image: MedicalImage, device: str) -> tuple[float, float]:
    """Median seconds of a complete run, and the peak of the GPU's memory in GiB."""
    params = resolve(case.key, image.modality, {**case.given, "preview_every": 100})
    _reset_peak(device)

    def once() -> None:
        for _ in load_method(case.key).run(image, params, seed=0, device=device):
            pass
        devices.synchronize(device)

    taken, _ = in_turns(once, lambda: None, REPEATS)
    return median(taken), _peak(device)


def _reset_peak(device: str) -> None:
    import torch

    torch.cuda.reset_peak_memory_stats(device)


def _peak(device: str) -> float:
    """Peak memory of tensors on the GPU in GiB."""
    import torch

    return torch.cuda.max_memory_allocated(device) / 2**30


def slices_figure(device: str | None) -> Measurement:
    """The time of one call on a batch of slices; ``device`` is None without a GPU."""
    line = Measurement(f"CT DDPM: one call on {SLICES} slices of {SLICE}x{SLICE}", None, None, "s")
    if device is None:
        return failed(line, NEEDS_GPU)
    import torch

    try:
        prior = loaded("null_space", "ct-abdomen", device)
        x = torch.randn(SLICES, 3, SLICE, SLICE, device=device)
        _reset_peak(device)

        def once() -> None:
            prior.predict(x, 500)
            devices.synchronize(device)

        taken, _ = in_turns(once, lambda: None, REPEATS)
    except (ReadingRoomError, torch.OutOfMemoryError) as error:
        return failed(line, error)
    rate = SLICES / median(taken)
    detail = f"{rate:.0f} slices a second; peak memory {_peak(device):.1f} GiB"
    return Measurement(line.name, median(taken), None, "s", detail)
