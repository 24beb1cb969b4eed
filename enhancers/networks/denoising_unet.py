"""A denoising network with the interface of a diffusion network, without biases and norms.

A U-Net of residual blocks on a folded image, with the noise level as a further channel, as in
DRUNet (Zhang et al., "Plug-and-play image restoration with deep denoiser prior", IEEE TPAMI 2021).
Without biases, and with ReLU alone, it is homogeneous but for one constant channel: an image k
times as bright with k times the noise is denoised in the same way, so that one noise level teaches
all others (Mohan et al., "Robust and interpretable blind image denoising via bias-free
convolutional neural networks", ICLR 2020). Normalisation, which would have to be undone for that
and costs a convolution on a CPU, is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.unets.unet_2d import UNet2DOutput
from torch import Tensor, nn
from torch.nn import functional as F

from enhancers.errors import CheckpointError

Convolved = Callable[[Tensor], Tensor]
"""`DenoisingUNet.convolved`, or what computes the same."""

LEVEL_CHANNELS = 2
"""Channels beside the image: the noise level, and one."""


def _convolution(given: int, made: int) -> nn.Conv2d:
    return nn.Conv2d(given, made, 3, padding=1, bias=False)


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))) with 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _convolution(channels, channels)
        self.conv2 = _convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, (B, C, H, W)."""
        hidden = F.relu(self.conv1(x), inplace=not torch.is_grad_enabled())
        out: Tensor = x + self.conv2(hidden)
        return out


class Level(nn.ModuleList):
    """Residual blocks at one resolution, one after the other."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__(ResidualBlock(channels) for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, (B, C, H, W)."""
        for block in self:
            x = block(x)
        return x


class DenoisingUNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Predicts the noise ε in x_t = sqrt(ābar) x_0 + sqrt(1 - ābar) ε, as UNet2DModel does.

    Parameters
    ----------
    in_channels, out_channels : int
        Of the image, in [-1, 1] where it has no noise.
    block_out_channels : tuple of int
        Channels of each level; each has half the resolution of the one before.
    layers_per_block : int
        Residual blocks of each level, on the way down and on the way up.
    middle_blocks : int
        Residual blocks of the last level.
    fold : int
        The first level has 1/fold of the image's resolution: fold x fold pixels are its channels.
    num_train_timesteps, beta_start, beta_end
        The linear schedule, from which a timestep's noise level follows.
    sample_size : int
        Side of the images it was trained on.
    """

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        block_out_channels: tuple[int, ...] = (48, 96, 160, 256),
        layers_per_block: int = 2,
        middle_blocks: int = 1,
        fold: int = 2,
        num_train_timesteps: int = 1000,
        beta_start: float = 1e-4,
        beta_end: float = 0.02,
        sample_size: int = 64,
    ) -> None:
        super().__init__()
        widths, folded = tuple(block_out_channels), fold * fold
        pairs = tuple(pairwise(widths))
        self.conv_in = _convolution(in_channels * folded + LEVEL_CHANNELS, widths[0])
        self.down = nn.ModuleList(Level(width, layers_per_block) for width in widths[:-1])
        self.shrink = nn.ModuleList(
            nn.Conv2d(fine, coarse, 2, stride=2, bias=False) for fine, coarse in pairs
        )
        self.middle = Level(widths[-1], middle_blocks)
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2, bias=False) for fine, coarse in pairs
        )
        self.up = nn.ModuleList(Level(width, layers_per_block) for width in widths[:-1])
        self.conv_out = _convolution(widths[0], out_channels * folded)
        # Untrained, it removes nothing, at any noise level.
        nn.init.zeros_(self.conv_out.weight)
        # No buffer, which would lose its precision where the weights are in half precision.
        self._signal: dict[torch.device, Tensor] = {}

    def _signal_on(self, device: torch.device) -> Tensor:
        """ābar of each timestep, float32."""
        if device not in self._signal:
            ends = self.config.beta_start, self.config.beta_end
            betas = torch.linspace(*ends, self.config.num_train_timesteps, dtype=torch.float64)
            self._signal[device] = torch.cumprod(1 - betas, dim=0).float().to(device)
        return self._signal[device]

    def check_schedule(self, signal: Tensor) -> None:
        """Check that the ābar of a scheduler, shape (T,), are those of this network.

        Raises
        ------
        CheckpointError
            They are not.
        """
        own = self._signal_on(signal.device)
        if own.shape != signal.shape or not torch.allclose(own, signal.float(), atol=1e-4):
            raise CheckpointError(
                "its config.json and its scheduler have different noise schedules"
            )

    def forward(self, sample: Tensor, timestep: Tensor | int, **_: Any) -> UNet2DOutput:
        """The noise in ``sample``, (B, C, H, W), at a timestep or one timestep for each image.

        The sides have to be divisible by fold times 2 for each level after the first.
        """
        steps = torch.as_tensor(timestep, device=sample.device).reshape(-1)
        return UNet2DOutput(sample=self.noise(sample, steps, self.convolved))

    def noise(self, sample: Tensor, steps: Tensor, convolved: Convolved) -> Tensor:
        """The noise in ``sample``, as `forward`, with `convolved` or what computes the same."""
        signal = self._signal_on(sample.device)[steps].view(-1, 1, 1, 1)
        # Units of [0, 1], in which black is 0: then an image and its noise can grow together.
        level = ((1 - signal) / signal).sqrt() / 2
        scale = 1 / (0.25 + level.square()).sqrt()
        image = F.pixel_unshuffle((sample.float() / signal.sqrt() + 1) / 2, self.config.fold)
        size = (len(image), 1, *image.shape[-2:])
        channels = [image, level.expand(size), torch.ones_like(level).expand(size)]
        removed = F.pixel_shuffle(convolved(torch.cat(channels, 1) * scale), self.config.fold)
        return (removed.float() / (level * scale)).to(sample.dtype)

    def convolved(self, channels: Tensor) -> Tensor:
        """What is to be taken from a folded image.

        Parameters
        ----------
        channels : Tensor, shape (B, fold² C + 2, H / fold, W / fold)
            The folded image, the standard deviation of its noise, and its white.

        Returns
        -------
        Tensor, shape (B, fold² C, H / fold, W / fold)
        """
        x = channels.to(self.conv_in.weight.dtype, memory_format=torch.channels_last)
        x = self.conv_in(x)
        skips = []
        for level_blocks, shrink in zip(self.down, self.shrink, strict=True):
            x = level_blocks(x)
            skips.append(x)
            x = shrink(x)
        x = self.middle(x)
        for level_blocks, grow in zip(reversed(self.up), reversed(self.grow), strict=True):
            x = level_blocks(grow(x) + skips.pop())
        made: Tensor = self.conv_out(x)
        return made
