"""Which code runs a network on the CPU: kernels of our own where they fit, else torch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from enhancers.networks.cpu_kernels import CHANNELS

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1e-3
"""Most difference from torch on a trial image; rounding makes about 1e-5."""
TRIAL = 3
"""Sides of the trial image, in multiples of what the network takes, the width one more."""

KNOWN_BLOCKS = frozenset(("DownBlock2D", "UpBlock2D", "UNetMidBlock2D"))

_log = logging.getLogger(__name__)


def on_cpu(unet: Any, device: str) -> Callable[[Tensor, int], Tensor] | None:
    """A faster way to run ``unet`` on the CPU, or None where torch runs it.

    It gives torch's results up to rounding. None for another device or type of number, for an
    architecture other than that of the embedded networks, where llvmlite is absent or has no code
    for this processor, and where a trial does not agree with torch.

    Parameters
    ----------
    unet : UNet2DModel
    device : str
    """
    if device != "cpu" or not fits(unet):
        return None
    try:
        from enhancers.networks.cpu_kernels.network import KernelUNet

        network = KernelUNet(unet)
        difference = _difference(unet, network.predict)
    except Exception as error:
        # Whatever keeps the kernels from being made, torch computes the same.
        _log.warning("networks run on torch, not on kernels for this processor: %s", error)
        return None
    if not difference <= TOLERANCE:
        _log.warning("networks run on torch: kernels for this processor differ by %g", difference)
        return None
    return network.predict


def fits(unet: Any) -> bool:
    """Whether the network is of the architecture that the kernels know."""
    import torch

    if type(unet).__name__ != "UNet2DModel" or unet.dtype != torch.float32:
        return False
    config = unet.config
    blocks = (*unet.down_blocks, unet.mid_block, *unet.up_blocks)
    plain = (
        all(type(block).__name__ in KNOWN_BLOCKS for block in blocks)
        and all(width % CHANNELS == 0 for width in config.block_out_channels)
        and unet.class_embedding is None
        and not config.center_input_sample
        and config.act_fn in ("silu", "swish")
        and config.resnet_time_scale_shift == "default"
        and config.downsample_padding == 1
        and config.time_embedding_type != "fourier"
    )
    return plain and not any(getattr(unet.mid_block, "attentions", None) or ()) and all(
        _plain_block(resnet) for block in blocks for resnet in block.resnets
    )  # fmt: skip


def _plain_block(resnet: Any) -> bool:
    return (
        resnet.output_scale_factor == 1.0
        and resnet.time_emb_proj is not None
        and not resnet.skip_time_act
        and (resnet.conv_shortcut is not None) == (resnet.in_channels != resnet.out_channels)
    )


def _difference(unet: Any, predict: Callable[[Tensor, int], Tensor]) -> float:
    """Between torch and the kernels, on noise."""
    import torch

    side = TRIAL * 2 ** (len(unet.config.block_out_channels) - 1)
    shape = (1, unet.config.in_channels, side, side * (TRIAL + 1) // TRIAL)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = unet(x, 500).sample
    return float((predict(x, 500) - expected).abs().max())
