"""Converts checkpoints of OpenAI's guided-diffusion code to diffusers' UNet2DModel.

Both implement the same network (Dhariwal and Nichol, NeurIPS 2021, appendix C) under different
names; see `enhancers.networks.guided_diffusion_layout`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from diffusers import DDIMScheduler, UNet2DModel
from torch import Tensor

from enhancers.errors import CheckpointError
from enhancers.networks.checkpoint import differences
from enhancers.networks.entry import Checkpoint, Schedule
from enhancers.networks.guided_diffusion_layout import (
    Architecture,
    Renaming,
    read_config,
    renamings,
    unet,
)


def convert(tensors: Mapping[str, Tensor], checkpoint: Checkpoint) -> UNet2DModel:
    """The network of a checkpoint, in float32 on the CPU, ready for inference.

    Raises
    ------
    CheckpointError
        Tensors are missing, unexpected or of another shape.
    """
    arch = read_config(tensors, checkpoint)
    with torch.device("meta"):
        network = unet(arch)
    shapes = network.state_dict()
    wrong = differences(expected(arch), tensors)
    if wrong:
        raise CheckpointError(f"The checkpoint's tensors do not form one network: {wrong}.")
    state: dict[str, Tensor] = {}
    for each in renamings(arch, shapes):
        parts = _parts(tensors[each.source].detach().float(), each, checkpoint)
        for target, part in zip(each.targets, parts, strict=True):
            state[target] = part.reshape(shapes[target].shape).contiguous()
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def expected(arch: Architecture) -> dict[str, Tensor]:
    """The tensors of a guided-diffusion checkpoint of this architecture, on the meta device."""
    with torch.device("meta"):
        shapes = unet(arch).state_dict()
        found: dict[str, Tensor] = {}
        for each in renamings(arch, shapes):
            shape = list(shapes[each.targets[0]].shape)
            shape[0] *= len(each.targets)
            in_attention = ".qkv." in each.source or ".proj_out." in each.source
            # There, projections of the attention are one-dimensional convolutions.
            tail = [1] if in_attention and each.source.endswith(".weight") else []
            found[each.source] = torch.empty(shape + tail)
    return found


def save_folder(network: UNet2DModel, schedule: Schedule, folder: Path) -> None:
    """Write ``unet`` and ``scheduler`` below ``folder``, as in a pipeline of diffusers."""
    network.save_pretrained(folder / "unet", safe_serialization=True)
    save_schedule(schedule, folder)


def save_schedule(schedule: Schedule, folder: Path) -> None:
    """Write the configuration of a scheduler below ``folder``."""
    DDIMScheduler(
        num_train_timesteps=schedule.steps,
        beta_start=schedule.start,
        beta_end=schedule.end,
        beta_schedule=schedule.name,
        prediction_type="epsilon",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=0,
    ).save_pretrained(folder / "scheduler")


def split_qkv(rows: Tensor, heads: int, order: Literal["legacy", "new"]) -> tuple[Tensor, ...]:
    """Split a joint projection (3 C, ...) into query, key and value, each (C, ...).

    In the legacy order rows are sorted by head first, so that a plain chunk(3) would mix queries,
    keys and values of several heads without any error.
    """
    if order == "new":
        return rows.chunk(3)
    by_head = rows.reshape(heads, 3, -1, *rows.shape[1:])
    return tuple(by_head[:, part].flatten(0, 1) for part in range(3))


def _parts(tensor: Tensor, each: Renaming, checkpoint: Checkpoint) -> tuple[Tensor, ...]:
    if len(each.targets) == 1:
        return (tensor,)
    width = tensor.shape[0] // 3
    heads = width // (checkpoint.head_channels or width)
    return split_qkv(tensor, heads, checkpoint.qkv_order)
