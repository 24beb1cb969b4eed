"""How long a diffusion method will take, from one timed call of its network."""

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
"""Pixels above which the page shows the estimate before it starts a diffusion method."""


def estimate_seconds(
    image: MedicalImage,
    key: str,
    params: Mapping[str, ParameterValue] | None = None,
    device: str = "cpu",
) -> float | None:
    """Seconds a method will take on an image, or None where that is not known beforehand.

    The time of one network call on a patch, times the planned calls counted in patches, and for a
    latent prior the passes through the autoencoder. The classical part of a hybrid comes on top.
    Classical methods and those whose network is missing or too large give None, and so does a
    network that was not timed before while others use the device: the timing would stand in their
    way.

    Parameters
    ----------
    image : MedicalImage
    key : str
    params : mapping, optional
        What differs from the preset for the image's modality.
    device : str
        Of `devices.choose`.

    Raises
    ------
    UnknownMethod, ParameterError
    """
    method = get(key)
    resolved = resolve(key, image.modality, params)
    if method.prior is None:
        return None
    try:
        cost = _patch_cost(method.prior, str(resolved["prior"]), device)
    except NetworkMissing:
        return None
    except Exception as error:
        # The run itself steps down to what fits; the timing of a single call does not.
        if not is_out_of_memory(error):
            raise
        return None
    if cost is None:
        return None
    return _sum(cost, image, planned_work(image, method, resolved))


def expected_seconds(
    image: MedicalImage,
    method: Method,
    params: Mapping[str, ParameterValue],
    device: str,
    work: float,
) -> float | None:
    """Seconds a run will take by what is known already; nothing is timed for it.

    Runs that have ended tell best; before them the timed call does. Otherwise None.

    Parameters
    ----------
    image : MedicalImage
    method : Method
    params : mapping
        Complete: the outcome of `registry.resolve`.
    device : str
    work : float
        Of `planned_work`.
    """
    learned = RUN_TIMES.expect(method, params, device, work)
    cost = _costs.get((str(params.get("prior", "")), device))
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
    scale = int(task[2:]) if task.startswith("sr") else 1
    return image.shape[0] * image.shape[1] * scale**2 > ESTIMATE_ABOVE


@dataclass(frozen=True)
class _Cost:
    """Seconds on one patch: of a network call, and of what a run does once."""

    call: float
    once: float = 0.0


_costs: dict[tuple[str, str], _Cost] = {}
_timing = threading.Lock()


def _patch_cost(kind: str, prior: str, device: str) -> _Cost | None:
    """What a patch costs, timed once in a place of its own; None while the device is taken."""
    key = prior, device
    if key in _costs:
        return _costs[key]
    if zerogpu.needed(device):
        # A GPU that is lent is not borrowed for a look at the clock.
        return None
    with _timing:
        if key not in _costs:
            ticket = job_queue.device_queue(device).join_if_free()
            if ticket is None:
                return None
            with ticket:
                _costs[key] = _measured(kind, prior, device)
        return _costs[key]


def _sum(cost: _Cost, image: MedicalImage, work: float) -> float:
    return work * cost.call + patches(*image.shape) * cost.once


def _measured(kind: str, prior: str, device: str) -> _Cost:
    import torch

    from enhancers.networks.load import latent_prior, pixel_prior

    # Reading a number back waits until the device has computed it.
    if kind == "pixel":
        pixel = pixel_prior(device, prior)
        patch = torch.zeros(1, pixel.channels, PATCH, PATCH, device=device)
        return _Cost(_timed(lambda: pixel.predict(patch, 500).sum().item()))
    latent = latent_prior(device, prior)
    patch = torch.zeros(1, latent.channels, PATCH, PATCH, device=device)
    encoded = latent.encode(patch)
    encode = _timed(lambda: latent.encode(patch).sum().item())
    decode = _timed(lambda: latent.decode(encoded).sum().item())
    # The input and the pseudo-label are encoded, the sample and the pseudo-label decoded.
    call = _timed(lambda: latent.predict(encoded, 500).sum().item())
    return _Cost(call, 2 * (encode + decode))


def _timed(call: Callable[[], object]) -> float:
    """The shorter of two times, after a first call that warms up."""
    call()
    return min(_seconds(call) for _ in range(2))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
