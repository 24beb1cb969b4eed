"""Runs a small UNet2DModel by the kernels, about twice as fast as torch.

Torch spends its time on direct 3x3 convolutions, which run at the processor's peak, so that only
fewer operations help; on normalisation and activation, which pass through memory four times each;
and on new memory for every intermediate image.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from enhancers.networks.cpu_kernels import layers
from enhancers.networks.cpu_kernels.idle_plans import IdlePlans, NetworkPlan
from enhancers.networks.cpu_kernels.jit import JitKernels, jit_kernels
from enhancers.networks.cpu_kernels.layers import Floats, Layer, Norm
from enhancers.networks.cpu_kernels.plan import ComputePlan, PlannedImage


class Block:
    """The layers of a ResnetBlock2D whose input is one image or two side by side."""

    def __init__(self, resnet: Any, split: tuple[int, ...], number: int, made: JitKernels) -> None:
        self.number = number
        self.norms: tuple[Norm, Norm] = (layers.norm(resnet.norm1), layers.norm(resnet.norm2))
        self.convolutions: tuple[Layer, Layer] = (
            layers.winograd(resnet.conv1, made),
            layers.winograd(resnet.conv2, made),
        )
        self.shortcut: list[Layer] | None = None
        if resnet.conv_shortcut is not None:
            self.shortcut = layers.shortcut(resnet.conv_shortcut, split, made)

    def plan(self, plan: ComputePlan, sources: Sequence[PlannedImage]) -> PlannedImage:
        """conv2(silu(norm2(conv1(silu(norm1(x))) + time))) + x, or its shortcut."""
        hidden = plan.convolve(
            sources, self.convolutions[0], normalise=self.norms[0], embedding=self.number
        )
        around: dict[str, Any] = {"residual": sources[0]}
        if self.shortcut is not None:
            around = {"shortcut": (sources, self.shortcut)}
        out = plan.convolve([hidden], self.convolutions[1], normalise=self.norms[1], **around)
        plan.release(hidden)
        return out


class KernelUNet:
    """A network for images in float32 on the CPU.

    Results are those of torch up to rounding (about 1e-5), the same for any number of threads and
    from run to run on one machine. Several threads may predict at once.

    Parameters
    ----------
    unet : UNet2DModel
        Of an architecture for which `enhancers.networks.runtime.fits`.
    made : JitKernels, optional
        Kernels; those for this processor unless given.
    """

    def __init__(self, unet: Any, made: JitKernels | None = None) -> None:
        made = self.machine = made or jit_kernels()
        self.unet = unet
        self.channels_out = int(unet.config.out_channels)
        self.multiple = 2 ** (len(unet.config.block_out_channels) - 1)
        self.first = layers.direct(unet.conv_in, made)
        self.last = (layers.norm(unet.conv_norm_out), layers.winograd(unet.conv_out, made))
        self.resnets: list[Any] = []
        width = self.first.channels_out
        widths = [width]
        self.down: list[tuple[list[Block], Layer | None]] = []
        for level in unet.down_blocks:
            blocks = [self._block(resnet, (resnet.in_channels,)) for resnet in level.resnets]
            widths += [resnet.out_channels for resnet in level.resnets]
            shrink = None
            if level.downsamplers:
                shrink = layers.direct(level.downsamplers[0].conv, made)
                widths.append(shrink.channels_out)
            self.down.append((blocks, shrink))
        width = widths[-1]
        self.middle = [self._block(resnet, (width,)) for resnet in unet.mid_block.resnets]
        self.up: list[tuple[list[Block], Layer | None]] = []
        for level in unet.up_blocks:
            blocks = []
            for resnet in level.resnets:
                blocks.append(self._block(resnet, (width, widths.pop())))
                width = resnet.out_channels
            enlarge = None
            if level.upsamplers:
                enlarge = layers.winograd(level.upsamplers[0].conv, made)
            self.up.append((blocks, enlarge))
        self.embeddings = functools.lru_cache(maxsize=256)(self._embeddings)
        self.plans = IdlePlans(self._planned)

    def _block(self, resnet: Any, split: tuple[int, ...]) -> Block:
        self.resnets.append(resnet)
        return Block(resnet, split, len(self.resnets) - 1, self.machine)

    def predict(self, x: Tensor, t: int) -> Tensor:
        """The noise in ``x``, (B, C, H, W), sides divisible by `multiple`, at timestep ``t``."""
        batch, channels, height, width = x.shape
        if height % self.multiple or width % self.multiple or channels != self.first.channels_in:
            # The kernels would read beyond their memory.
            raise ValueError(f"The network does not take images of shape {tuple(x.shape)}.")
        embeddings, threads = self.embeddings(t), torch.get_num_threads()
        out = np.empty((batch, self.channels_out, height, width), np.float32)
        images = x.detach().permute(0, 2, 3, 1).numpy()
        with self.plans.borrowed(height, width) as planned:
            source, target = planned.source, planned.target
            given = source.pixels.reshape(height, width, channels)
            got = target.pixels[: height * width * target.channels].reshape(height, width, -1)
            for index in range(batch):
                given[:] = images[index]
                planned.plan.run(embeddings, threads)
                out[index] = got[..., : self.channels_out].transpose(2, 0, 1)
        return torch.from_numpy(out)

    @torch.inference_mode()
    def _embeddings(self, t: int) -> list[Floats]:
        """What the timestep adds to the channels of each block."""
        unet = self.unet
        projected = unet.time_proj(torch.tensor([t])).to(torch.float32)
        embedded = unet.time_embedding(projected)
        return [
            resnet.time_emb_proj(resnet.nonlinearity(embedded))[0].numpy()
            for resnet in self.resnets
        ]

    def _planned(self, height: int, width: int) -> NetworkPlan:
        plan = ComputePlan(self.machine, height, width)
        source = plan.picture(height, width, self.first.channels_in, 1)
        image = plan.direct(source, self.first, 1)
        skips = [image]
        for blocks, shrink in self.down:
            for block in blocks:
                image = block.plan(plan, [image])
                skips.append(image)
            if shrink is not None:
                image = plan.direct(image, shrink, 2)
                skips.append(image)
        for number, block in enumerate(self.middle):
            before, image = image, block.plan(plan, [image])
            if number:
                plan.release(before)
        for blocks, enlarge in self.up:
            for block in blocks:
                sources = [image, skips.pop()]
                image = block.plan(plan, sources)
                for each in sources:
                    plan.release(each)
            if enlarge is not None:
                before, image = image, plan.convolve([image], enlarge, enlarge=True)
                plan.release(before)
        target = plan.convolve([image], self.last[1], normalise=self.last[0])
        return NetworkPlan(plan, source, target)
