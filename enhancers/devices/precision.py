"""Numeric precision of the networks on a device.

Only the noise prediction may run in 16 bits. The sampler's state, its noise, the clean estimates
and the autoencoder stay in float32: a clean estimate is divided by a small signal share, and an
image decoded in bfloat16 has 128 gray levels at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from enhancers.devices.device_names import device_type
from enhancers.settings import get_settings

if TYPE_CHECKING:
    import torch

FULL = "float32"
AMPERE = (8, 0)
"""Smallest compute capability of an NVIDIA GPU with bfloat16."""

_halved: ContextVar[bool] = ContextVar("halved", default=False)


def precision_name(device: str) -> str:
    """The data type of a network on ``device``: "float32", "bfloat16" or "float16".

    The setting `precision` decides: "full" is float32 everywhere, "half" 16 bits everywhere, and
    "auto" 16 bits on a GPU, float32 on a CPU, which gains nothing from less.
    """
    wanted = "half" if is_half() else get_settings().precision
    kind = device_type(device)
    if wanted == "full" or (wanted == "auto" and kind == "cpu"):
        return FULL
    if kind == "cuda":
        import torch

        capability = torch.cuda.get_device_capability(torch.device(device))
        return "bfloat16" if capability >= AMPERE else "float16"
    return "float16" if kind == "mps" else "bfloat16"


def is_half() -> bool:
    """Whether 16 bits are asked for on every device, or are the last way to save memory."""
    return _halved.get() or get_settings().precision == "half"


def network_dtype(device: str) -> torch.dtype:
    """`precision_name` as a torch dtype."""
    import torch

    dtype: torch.dtype = getattr(torch, precision_name(device))
    return dtype


@contextmanager
def halved() -> Iterator[None]:
    """Context in which networks use 16 bits, whatever the setting."""
    token = _halved.set(True)
    try:
        yield
    finally:
        _halved.reset(token)


def prepare(device: str) -> None:
    """Set process-wide options of torch before networks run on ``device``.

    Convolutions in float32 on an NVIDIA GPU are rounded to TF32, which has the mantissa of
    float16, unless the setting `precision` is "full". Products of matrices are not: the samplers
    use them.
    """
    if device_type(device) != "cuda":
        return
    import torch

    torch.backends.cudnn.allow_tf32 = get_settings().precision != "full"
