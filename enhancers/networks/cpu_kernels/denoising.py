"""Runs a `DenoisingUNet` by the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from enhancers.networks.config_checks import multiple_of
from enhancers.networks.cpu_kernels import layers
from enhancers.networks.cpu_kernels.idle_plans import IdlePlans, NetworkPlan
from enhancers.networks.cpu_kernels.jit import JitKernels, jit_kernels
from enhancers.networks.cpu_kernels.layers import Layer
from enhancers.networks.cpu_kernels.plan import ComputePlan, PlannedImage

Block = tuple[Layer, Layer]


class KernelDenoisingUNet:
    """A network for images in float32 on the CPU; see `KernelUNet`.

    Parameters
    ----------
    unet : DenoisingUNet
        With widths that are multiples of `CHANNELS`.
    made : JitKernels, optional
        Kernels; those for this processor unless given.
    """

    def __init__(self, unet: Any, made: JitKernels | None = None) -> None:
        made = self.machine = made or jit_kernels()
        self.unet = unet
        self.multiple = multiple_of(unet.config)
        self.first = layers.direct(unet.conv_in, made)
        self.last = layers.winograd(unet.conv_out, made)
        self.down = [self._blocks(level) for level in unet.down]
        self.shrink = [layers.shrink(each, made) for each in unet.shrink]
        self.middle = self._blocks(unet.middle)
        self.grow = [layers.grow(each, made) for each in unet.grow]
        self.up = [self._blocks(level) for level in unet.up]
        self.plans = IdlePlans(self._planned)

    def _blocks(self, level: Any) -> list[Block]:
        return [
            (layers.winograd(block.conv1, self.machine), layers.winograd(block.conv2, self.machine))
            for block in level
        ]

    @torch.inference_mode()
    def predict(self, x: Tensor, t: int) -> Tensor:
        """The noise in ``x``, (B, C, H, W), sides divisible by `multiple`, at timestep ``t``."""
        wrong = any(side % self.multiple for side in x.shape[2:])
        if wrong or x.shape[1] != self.unet.config.in_channels:
            # The kernels would read beyond their memory.
            raise ValueError(f"The network does not take images of shape {tuple(x.shape)}.")
        predicted: Tensor = self.unet.noise(x, torch.tensor([t]), self._run)
        return predicted

    def _run(self, channels: Tensor) -> Tensor:
        """What conv_out gives for what conv_in takes, (B, C, H, W)."""
        batch, depth, height, width = channels.shape
        made = self.unet.conv_out.out_channels
        out = np.empty((batch, made, height, width), np.float32)
        images = channels.permute(0, 2, 3, 1).numpy()
        with self.plans.borrowed(height, width) as planned:
            size = height * width
            given = planned.source.pixels[: size * depth].reshape(height, width, depth)
            got = planned.target.pixels[: size * planned.target.channels]
            for index in range(batch):
                given[:] = images[index]
                planned.plan.run((), torch.get_num_threads())
                out[index] = got.reshape(height, width, -1)[..., :made].transpose(2, 0, 1)
        return torch.from_numpy(out)

    def _planned(self, height: int, width: int) -> NetworkPlan:
        plan = ComputePlan(self.machine, height, width)
        source = plan.picture(height, width, self.first.channels_in, 1)
        image = plan.direct(source, self.first, 1)
        skips = []
        for blocks, shrink in zip(self.down, self.shrink, strict=True):
            image = self._level(plan, image, blocks)
            skips.append(image)
            image = plan.shrink(image, shrink)
        image = self._level(plan, image, self.middle)
        for blocks, grow in zip(reversed(self.up), reversed(self.grow), strict=True):
            before, image = image, plan.grow(image, grow, skips.pop())
            plan.release(before)
            image = self._level(plan, image, blocks)
        return NetworkPlan(plan, source, plan.convolve([image], self.last))

    def _level(self, plan: ComputePlan, image: PlannedImage, blocks: list[Block]) -> PlannedImage:
        """X + conv2(relu(conv1(x))) for each block."""
        for first, second in blocks:
            hidden = plan.convolve([image], first, rectify=True)
            out = plan.convolve([hidden], second, residual=image)
            plan.release(hidden)
            plan.release(image)
            image = out
        return image
