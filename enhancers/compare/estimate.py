"""Estimated run times: from one timed call of a network, from costs, and from earlier runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from enhancers import job_queue
from enhancers.compare import zerogpu
from enhancers.compare.runtime_model import RUN_TIMES, planned_work
from enhancers.devices.oom import is_out_of_memory
from enhancers.errors import NetworkMissing
from enhancers.image import MedicalImage
from enhancers.method import Method, ParameterValue
from enhancers.method_interface import PATCH, patches
from enhancers.registry import get, resolve

ESTIMATE_ABOVE = 1024 * 1024
"""Image size in pixels above which the page shows an estimate before a diffusion method."""


def estimate_seconds(
    image: MedicalImage,
    key: str,
    params: Mapping[str, ParameterValue] | None = None,
    device: str = "cpu",
) -> float | None:
    """Estimated seconds of a method on an image, or None where no estimate is possible.

    For a diffusion method the time of one network call on a patch, times the planned calls counted
    in patches, and for a latent prior the passes through the autoencoder; the classical part of a
    hybrid is not included. None for a network that is missing or too large, and for one that was
    not timed before while its device is in use. For a classical method `expected_seconds`.

    Parameters
    ----------
    image : MedicalImage
    key : str
    params : mapping, optional
        What differs from the preset for the image's modality.
    device : str
        From `devices.choose`.

    Raises
    ------
    UnknownMethod, ParameterError
    """
    method = get(key)
    if method.prior is None:
        return expected_seconds(image, key, params)
    resolved = resolve(key, image.modality, params)
    try:
        cost = patch_cost(method.prior, str(resolved["prior"]), device)
    except NetworkMissing:
        return None
    except Exception as error:
        # A run has memory fallbacks; the timing of a single call has none.
        if not is_out_of_memory(error):
            raise
        return None
    if cost is None:
        return None
    return _sum(cost, image, planned_work(image, method, resolved))


def expected_seconds(
    image: MedicalImage,
    key: str,
    params: Mapping[str, ParameterValue] | None = None,
    device: str = "cpu",
) -> float | None:
    """Expected seconds of a run, at once: nothing is run or loaded.

    For a classical method from its cost on this machine, corrected by its earlier runs; always
    known. For a diffusion method from earlier runs if there are any, else from an earlier timing of
    the network, else None.

    Parameters
    ----------
    image : MedicalImage
    key : str
    params : mapping, optional
        What differs from the preset for the image's modality.
    device : str
        From `devices.choose`; classical methods run on the CPU.

    Raises
    ------
    UnknownMethod, ParameterError

    Examples
    --------
    >>> import numpy as np
    >>> from enhancers.image import from_array
    >>> small, large = (from_array(np.zeros((n, n), np.float32)) for n in (512, 2048))
    >>> expected_seconds(small, "nlm") < expected_seconds(large, "nlm")
    True
    """
    method, resolved = get(key), resolve(key, image.modality, params)
    return seconds_of_work(image, method, resolved, device, planned_work(image, method, resolved))


def seconds_of_work(
    image: MedicalImage,
    method: Method,
    params: Mapping[str, ParameterValue],
    device: str,
    work: float,
) -> float | None:
    """`expected_seconds` where the work is known.

    Parameters
    ----------
    image : MedicalImage
    method : Method
    params : mapping
        Complete, from `registry.resolve`.
    device : str
    work : float
        From `planned_work`.
    """
    device = "cpu" if method.prior is None else device
    learned = RUN_TIMES.predict(method, params, device, work)
    cost = PATCH_COSTS.get((str(params.get("prior", "")), device))
    if learned is not None or cost is None:
        return learned
    return _sum(cost, image, work)


def is_large(
    image: MedicalImage, key: str, params: Mapping[str, ParameterValue] | None = None
) -> bool:
    """Whether the network's canvas, enlargement included, exceeds `ESTIMATE_ABOVE` pixels."""
    if get(key).prior is None:
        return False
    task = str(resolve(key, image.modality, params).get("task", ""))
    scale = int(task[2:]) if task.startswith("sr") else get(key).scale
    return image.shape[0] * image.shape[1] * scale**2 > ESTIMATE_ABOVE


@dataclass(frozen=True)
class PatchCost:
    """Seconds per patch: of a network call, and of the work done once per run."""

    call: float
    once: float = 0.0


PATCH_COSTS: dict[tuple[str, str], PatchCost] = {}
_timing = threading.Lock()


def patch_cost(kind: str, prior: str, device: str) -> PatchCost | None:
    """Cost of a patch, timed once while the device is free; None while it is in use."""
    key = prior, device
    if key in PATCH_COSTS:
        return PATCH_COSTS[key]
    if zerogpu.needed(device):
        # No ZeroGPU time is spent on a timing.
        return None
    with _timing:
        if key not in PATCH_COSTS:
            slot = job_queue.device_queue(device).join_if_free()
            if slot is None:
                return None
            with slot:
                PATCH_COSTS[key] = measure_patch_cost(kind, prior, device)
        return PATCH_COSTS[key]


def _sum(cost: PatchCost, image: MedicalImage, work: float) -> float:
    return work * cost.call + patches(*image.shape) * cost.once


def measure_patch_cost(kind: str, prior: str, device: str) -> PatchCost:
    """Time a network call on one patch, and for a latent prior the autoencoder."""
    import torch

    from enhancers.networks.load import latent_prior, pixel_prior

    # `item` waits until the device has computed the number.
    if kind == "restoration":
        from enhancers.networks.restoration import restoration_network

        network = restoration_network(device, prior)
        patch = torch.zeros(1, network.channels, PATCH, PATCH, device=device)
        return PatchCost(_timed(lambda: network.restored(patch, 0.05).sum().item()))
    if kind == "restorer":
        return PatchCost(_restorer_seconds(prior, device))
    if kind == "morphology":
        return PatchCost(_morphology_seconds(prior, device))
    if kind == "pixel":
        pixel = pixel_prior(device, prior)
        patch = torch.zeros(1, pixel.channels, PATCH, PATCH, device=device)
        return PatchCost(_timed(lambda: pixel.predict(patch, 500).sum().item()))
    latent = latent_prior(device, prior)
    patch = torch.zeros(1, latent.channels, PATCH, PATCH, device=device)
    encoded = latent.encode(patch)
    encode = _timed(lambda: latent.encode(patch).sum().item())
    decode = _timed(lambda: latent.decode(encoded).sum().item())
    # Input and pseudo-label are encoded, sample and pseudo-label decoded; two windows of a quarter
    # of a patch are encoded to measure the noise of the latents.
    call = _timed(lambda: latent.predict(encoded, 500).sum().item())
    return PatchCost(call, 2.5 * encode + 2 * decode)


def _restorer_seconds(prior: str, device: str) -> float:
    import torch

    from enhancers.networks.load_restorer import restorer
    from enhancers.networks.restorers.diffusion_unet import DiffusionUNet

    found = restorer(device, prior)
    channels = int(found.network.config.in_channels)
    patch = torch.zeros(1, channels, PATCH, PATCH, device=device)
    t = 500 if isinstance(found.network, DiffusionUNet) else None
    return _timed(lambda: found(patch, t).sum().item())


def _morphology_seconds(prior: str, device: str) -> float:
    import torch

    from enhancers.networks.load_morphology import morphology_networks
    from enhancers.networks.morphology.tuner import VARIANTS

    found = morphology_networks(device, VARIANTS[0], prior)
    image = torch.zeros(1, 1, found.side, found.side, device=device)
    t = torch.zeros(1, dtype=torch.long, device=device)
    seconds = _timed(lambda: found.diffusion(image, t).sum().item())
    return seconds * PATCH**2 / found.side**2


def _timed(call: Callable[[], object]) -> float:
    """The shorter of two timings, after a warm-up call."""
    call()
    return min(_seconds(call) for _ in range(2))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
