"""How long a diffusion method will take, from one timed call of its network."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from enhancers.base import PATCH, load_method, patches
from enhancers.errors import PriorMissing
from enhancers.image import MedicalImage
from enhancers.method import ParameterValue
from enhancers.registry import get, resolve

ESTIMATE_ABOVE = 1024 * 1024
"""Pixels above which the page shows the estimate before it starts a diffusion method."""


class _Planned(Protocol):
    def work(self, image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
        """Network evaluations a run will take, in patches."""
        ...


def estimate_seconds(
    image: MedicalImage,
    key: str,
    params: Mapping[str, ParameterValue] | None = None,
    device: str = "cpu",
) -> float | None:
    """Seconds a method will take on an image, or None where that is not known beforehand.

    The time of one network call on a patch, times the planned calls counted in patches, and for a
    latent prior the passes through the autoencoder. The classical part of a hybrid comes on top.
    Classical methods and those whose network is missing give None.

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
    except PriorMissing:
        return None
    planned = cast(_Planned, load_method(key)).work(image, resolved)
    return planned * cost.call + patches(*image.shape) * cost.once


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


@functools.cache
def _patch_cost(kind: str, prior: str, device: str) -> _Cost:
    import torch

    from enhancers.priors.load import latent_prior, pixel_prior

    patch = torch.zeros(1, 1, PATCH, PATCH, device=device)
    # Reading a number back waits until the device has computed it.
    if kind == "pixel":
        pixel = pixel_prior(device, prior)
        return _Cost(_timed(lambda: pixel.predict(patch, 500).sum().item()))
    latent = latent_prior(device, prior)
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
