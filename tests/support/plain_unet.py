"""The network of guided-diffusion in plain PyTorch, as an independent reference.

Names of tensors follow the checkpoints; the attention is written head by head with explicit sums,
so that it shares nothing with the converter or with diffusers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    """The architecture: ``widths`` by level, and attention at the levels in ``attended``."""

    widths: tuple[int, ...] = (32, 64)
    layers: int = 1
    attended: tuple[int, ...] = (1,)
    channels: int = 3
    outputs: int = 3
    head_channels: int = 16
    order: str = "legacy"
    updown: bool = False
    scale_shift: bool = True


class Residual(nn.Module):
    def __init__(self, shape: Shape, before: int, after: int, resample: str = "") -> None:
        super().__init__()
        embedded = 4 * shape.widths[0]
        self.resample, self.scale_shift = resample, shape.scale_shift
        self.in_layers = nn.Sequential(
            nn.GroupNorm(32, before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(
            nn.SiLU(), nn.Linear(embedded, after * (2 if shape.scale_shift else 1))
        )
        self.out_layers = nn.Sequential(
            nn.GroupNorm(32, after),
            nn.SiLU(),
            nn.Dropout(0.0),
            nn.Conv2d(after, after, 3, padding=1),
        )
        self.skip_connection = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def resampled(self, x: Tensor) -> Tensor:
        if self.resample == "up":
            return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        if self.resample == "down":
            batch, channels, height, width = x.shape
            return x.reshape(batch, channels, height // 2, 2, width // 2, 2).mean(dim=(3, 5))
        return x

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        norm, act, conv = self.in_layers
        h = conv(self.resampled(act(norm(x))))
        told = self.emb_layers(embedding)[:, :, None, None]
        if self.scale_shift:
            scale, shift = told[:, : h.shape[1]], told[:, h.shape[1] :]
            h = self.out_layers[0](h) * (1 + scale) + shift
            h = self.out_layers[1:](h)
        else:
            h = self.out_layers(h + told)
        return self.skip_connection(self.resampled(x)) + h


class Attention(nn.Module):
    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        self.head_channels, self.order = shape.head_channels, shape.order
        self.norm = nn.GroupNorm(32, width)
        self.qkv = nn.Conv1d(width, 3 * width, 1)
        self.proj_out = nn.Conv1d(width, width, 1)

    def rows(self, part: int, head: int, width: int) -> slice:
        """Rows of the query (0), key (1) or value (2) of one head."""
        if self.order == "legacy":
            start = (3 * head + part) * self.head_channels
        else:
            start = part * width + head * self.head_channels
        return slice(start, start + self.head_channels)

    def forward(self, x: Tensor) -> Tensor:
        batch, width, height, length = x.shape
        flat = x.reshape(batch, width, height * length)
        qkv = self.qkv(self.norm(flat))
        heads = []
        for head in range(width // self.head_channels):
            query, key, value = (qkv[:, self.rows(part, head, width)] for part in range(3))
            weight = torch.einsum("bci,bcj->bij", query, key) / math.sqrt(self.head_channels)
            heads.append(torch.einsum("bij,bcj->bci", weight.softmax(dim=-1), value))
        return x + self.proj_out(torch.cat(heads, dim=1)).reshape(x.shape)


class Halve(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Double(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class PlainUNet(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, width = shape, shape.widths[0]
        self.time_embed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width)
        )
        self.input_blocks = nn.ModuleList(
            [nn.ModuleList([nn.Conv2d(shape.channels, width, 3, padding=1)])]
        )
        skips = [width]
        for level, after in enumerate(shape.widths):
            for _ in range(shape.layers):
                block = [Residual(shape, width, after)]
                width = after
                block += [Attention(shape, width)] if level in shape.attended else []
                self.input_blocks.append(nn.ModuleList(block))
                skips.append(width)
            if level < len(shape.widths) - 1:
                down = Residual(shape, width, width, "down") if shape.updown else Halve(width)
                self.input_blocks.append(nn.ModuleList([down]))
                skips.append(width)
        self.middle_block = nn.ModuleList(
            [Residual(shape, width, width), Attention(shape, width), Residual(shape, width, width)]
        )
        self.output_blocks = nn.ModuleList()
        for level, after in reversed(list(enumerate(shape.widths))):
            for turn in range(shape.layers + 1):
                block = [Residual(shape, width + skips.pop(), after)]
                width = after
                block += [Attention(shape, width)] if level in shape.attended else []
                if level > 0 and turn == shape.layers:
                    up = Residual(shape, width, width, "up") if shape.updown else Double(width)
                    block.append(up)
                self.output_blocks.append(nn.ModuleList(block))
        self.out = nn.Sequential(
            nn.GroupNorm(32, width), nn.SiLU(), nn.Conv2d(width, shape.outputs, 3, padding=1)
        )

    def forward(self, x: Tensor, t: int) -> Tensor:
        half = self.shape.widths[0] // 2
        frequencies = torch.tensor([10000 ** (-k / half) for k in range(half)])
        angles = (t * frequencies)[None]
        embedding = self.time_embed(torch.cat([angles.cos(), angles.sin()], dim=1))
        skips = []
        for block in self.input_blocks:
            x = self.through(block, x, embedding)
            skips.append(x)
        x = self.through(self.middle_block, x, embedding)
        for block in self.output_blocks:
            x = self.through(block, torch.cat([x, skips.pop()], dim=1), embedding)
        return self.out(x)

    @staticmethod
    def through(block: nn.ModuleList, x: Tensor, embedding: Tensor) -> Tensor:
        for part in block:
            x = part(x, embedding) if isinstance(part, Residual) else part(x)
        return x


def random_unet(shape: Shape, seed: int = 0) -> PlainUNet:
    """A network in which every tensor is random, also those that usually start at 0 or 1."""
    network = PlainUNet(shape).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for tensor in network.state_dict().values():
        spread = 1 / math.sqrt(max(tensor[0].numel(), 1)) if tensor.ndim > 1 else 0.3
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * spread)
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.weight.add_(1.0)
    return network
