"""Chooses what runs a network on the CPU: the project's kernels where they fit, else torch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from enhancers.networks.config_checks import multiple_of
from enhancers.networks.cpu_kernels import CHANNELS

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1e-3
"""Largest difference from torch on a trial image; rounding causes about 1e-5."""
TRIAL = 3
"""Height of the trial image in multiples of what the network takes; the width has one more."""

KNOWN_BLOCKS = frozenset(("DownBlock2D", "UpBlock2D", "UNetMidBlock2D"))

_log = logging.getLogger(__name__)


def on_cpu(unet: Any, device: str) -> Callable[[Tensor, int], Tensor] | None:
    """The prediction of ``unet`` by kernels for this processor, or None where torch must run it.

    Results are those of torch up to rounding. None is returned for another device or data type,
    for an architecture other than that of the embedded networks, where llvmlite is absent or
    cannot compile for this processor, and where a trial does not agree with torch.

    Parameters
    ----------
    unet : UNet2DModel or DenoisingUNet
    device : str
    """
    if device != "cpu" or not fits(unet):
        return None
    try:
        from enhancers.networks.cpu_kernels.denoising import KernelDenoisingUNet
        from enhancers.networks.cpu_kernels.network import KernelUNet

        network = (KernelDenoisingUNet if _is_ours(unet) else KernelUNet)(unet)
        difference = _difference(unet, network.predict)
    except Exception as error:
        # Whatever prevents the kernels, torch computes the same.
        _log.warning("networks run on torch, not on kernels for this processor: %s", error)
        return None
    if not difference <= TOLERANCE:
        _log.warning("networks run on torch: kernels for this processor differ by %g", difference)
        return None
    return network.predict


def fits(unet: Any) -> bool:
    """Whether the kernels support the architecture of the network."""
    import torch

    config = unet.config
    if unet.dtype != torch.float32 or any(
        width % CHANNELS for width in config.get("block_out_channels", ())
    ):
        return False
    if _is_ours(unet):
        return True
    if type(unet).__name__ != "UNet2DModel":
        return False
    blocks = (*unet.down_blocks, unet.mid_block, *unet.up_blocks)
    plain = (
        all(type(block).__name__ in KNOWN_BLOCKS for block in blocks)
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


def _is_ours(unet: Any) -> bool:
    return type(unet).__name__ == "DenoisingUNet"


def _plain_block(resnet: Any) -> bool:
    return (
        resnet.output_scale_factor == 1.0
        and resnet.time_emb_proj is not None
        and not resnet.skip_time_act
        and (resnet.conv_shortcut is not None) == (resnet.in_channels != resnet.out_channels)
    )


def _difference(unet: Any, predict: Callable[[Tensor, int], Tensor]) -> float:
    """Largest difference between torch and the kernels on an image of noise."""
    import torch

    side = TRIAL * multiple_of(unet.config)
    shape = (1, unet.config.in_channels, side, side * (TRIAL + 1) // TRIAL)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = unet(x, 500).sample
    return float((predict(x, 500) - expected).abs().max())
