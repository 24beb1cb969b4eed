"""Diffusion-UNet: a diffusion network that is given the degraded image beside its state.

The conditional network of the reader-study paper: four levels of residual blocks, attention at a
sixteenth of the resolution, the time as scale and shift of each block (Dhariwal and Nichol,
"Diffusion models beat GANs on image synthesis", NeurIPS 2021).
"""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DModel
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional as F

from enhancers.networks.restorers.conditions import MODALITIES

GROUPS = 8
HEAD_CHANNELS = 32


class DiffusionUNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Predicts the noise in a state, or its velocity, given the degraded image.

    Parameters
    ----------
    in_channels : int
        The state, the degraded image and the planes of its modality.
    out_channels : int
    block_out_channels : tuple of int
        Channels of each level.
    layers_per_block : int
    fold : int
        Side of the squares of pixels that are the channels of one pixel of the first level.
    target : {"residual", "image"}
        What is sampled: what has to be added to the degraded image, or the clean image.
    prediction_type : {"v_prediction", "epsilon"}
        Of the scheduler.
    residual_deviations : tuple of float
        Typical size of the residual of each modality, by which it is divided, so that its variance
        is that of images.
    """

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_channels: int = 2 + len(MODALITIES),
        out_channels: int = 1,
        block_out_channels: tuple[int, ...] = (48, 64, 96, 128),
        layers_per_block: int = 1,
        fold: int = 2,
        target: str = "residual",
        prediction_type: str = "v_prediction",
        residual_deviations: tuple[float, ...] = (1.0,) * len(MODALITIES),
    ) -> None:
        super().__init__()
        inner = len(block_out_channels) - 1
        self.unet = UNet2DModel(
            in_channels=in_channels * fold * fold,
            out_channels=out_channels * fold * fold,
            block_out_channels=tuple(block_out_channels),
            layers_per_block=layers_per_block,
            norm_num_groups=GROUPS,
            down_block_types=("DownBlock2D",) * inner + ("AttnDownBlock2D",),
            up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * inner,
            resnet_time_scale_shift="scale_shift",
            attention_head_dim=HEAD_CHANNELS,
        )
        nn.init.zeros_(self.unet.conv_out.weight)

    @property
    def multiple(self) -> int:
        """By which the sides of an image must be divisible."""
        return int(self.config.fold * 2 ** (len(self.config.block_out_channels) - 1))

    def deviations(self, modalities: Tensor) -> Tensor:
        """`residual_deviations` of modalities (B,), as (B, 1, 1, 1)."""
        known = torch.tensor(self.config.residual_deviations, device=modalities.device)
        return known[modalities].view(-1, 1, 1, 1)

    def forward(self, state: Tensor, steps: Tensor, condition: Tensor) -> Tensor:
        """The noise or the velocity, (B, 1, H, W).

        Parameters
        ----------
        state : Tensor, shape (B, 1, H, W)
        steps : Tensor of int, shape (B,)
        condition : Tensor, shape (B, 4, H, W)
            The degraded image with its modality (`with_modality`); zeros where nothing is told.
        """
        folded = F.pixel_unshuffle(torch.cat([state, condition], dim=1), self.config.fold)
        made: Tensor = F.pixel_shuffle(self.unet(folded, steps).sample, self.config.fold)
        return made
