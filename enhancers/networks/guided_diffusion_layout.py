"""The architecture of guided-diffusion networks, and their tensors' names there and in diffusers.

The architecture is read from names and shapes of the tensors, except for the width of an attention
head and the order of the qkv rows, which come from the catalogue or the user.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from diffusers import UNet2DModel
from torch import Tensor

from enhancers.errors import CheckpointError
from enhancers.networks.checkpoint import listed
from enhancers.networks.entry import Checkpoint

GROUPS = 32
"""Channel groups of every normalisation: fixed in guided-diffusion's code."""
_NEEDED = ("time_embed.0.weight", "input_blocks.0.0.weight", "middle_block.0.in_layers.2.weight",
           "out.2.weight")  # fmt: skip

_IN_ATTENTION = {"norm", "qkv", "proj_out"}


@dataclass(frozen=True)
class Architecture:
    """The architecture of a guided-diffusion network.

    Parameters
    ----------
    channels, outputs : int
        Of the image; there are twice as many outputs where the variance is learned too.
    widths : tuple of int
        Channels of each level, from the finest to the coarsest.
    layers : int
        Residual blocks per level on the way down.
    attention : tuple of bool
        Whether each level has it.
    resampling : {"conv", "resnet"}
        Strided convolutions, or residual blocks that pool (``resblock_updown``).
    scale_shift : bool
        Whether the time embedding scales as well as shifts.
    head_channels : int or None
        Width of an attention head (None: one head).
    """

    channels: int
    outputs: int
    widths: tuple[int, ...]
    layers: int
    attention: tuple[bool, ...]
    resampling: Literal["conv", "resnet"]
    scale_shift: bool
    head_channels: int | None

    @property
    def levels(self) -> int:
        """Number of resolutions."""
        return len(self.widths)


@dataclass(frozen=True)
class Renaming:
    """A tensor of guided-diffusion, and the tensors it becomes: one, or query, key and value."""

    source: str
    targets: tuple[str, ...]


def read_config(tensors: Mapping[str, Tensor], checkpoint: Checkpoint) -> Architecture:
    """The architecture, from names and shapes of ``tensors``.

    Raises
    ------
    CheckpointError
        They are not of guided-diffusion's network, or of one that UNet2DModel cannot express.
    """
    if "label_emb.weight" in tensors:
        raise CheckpointError(
            "The checkpoint is of a class-conditional network, which needs the class of every "
            "image; use the unconditional one."
        )
    absent = [name for name in _NEEDED if name not in tensors or tensors[name].ndim < 2]
    if absent:
        raise CheckpointError(
            f"The checkpoint is not of guided-diffusion's network: {listed(absent)} is not in it; "
            f"its {len(tensors)} tensors begin with {listed(tensors)}."
        )
    layers, samplers = _walk(_children(tensors, "output_blocks"))
    levels = samplers + 1
    firsts = [1 + level * (layers + 1) for level in range(levels)]
    embedding = f"input_blocks.{firsts[0]}.0.emb_layers.1.weight"
    arch = Architecture(
        channels=tensors["input_blocks.0.0.weight"].shape[1],
        outputs=tensors["out.2.weight"].shape[0],
        widths=tuple(_rows(tensors, f"input_blocks.{first}.0.in_layers.2.weight")
                     for first in firsts),
        layers=layers,
        attention=tuple(f"input_blocks.{first}.1.qkv.weight" in tensors for first in firsts),
        resampling="conv" if any(name.endswith(".op.weight") for name in tensors) else "resnet",
        scale_shift=_rows(tensors, embedding)
        == 2 * _rows(tensors, f"input_blocks.{firsts[0]}.0.in_layers.2.weight"),
        head_channels=checkpoint.head_channels,
    )  # fmt: skip
    _check_expressible(arch, tensors["time_embed.0.weight"].shape[1])
    return arch


def unet(arch: Architecture) -> UNet2DModel:
    """The network with random weights, on the current default device."""
    down = [_down(arch, level) for level in range(arch.levels)]
    up = [name.replace("Downsample", "Upsample").replace("DownBlock", "UpBlock") for name in down]
    return UNet2DModel(
        in_channels=arch.channels,
        out_channels=arch.outputs,
        block_out_channels=arch.widths,
        layers_per_block=arch.layers,
        down_block_types=tuple(down),
        up_block_types=tuple(reversed(up)),
        downsample_type=arch.resampling,
        upsample_type=arch.resampling,
        attention_head_dim=arch.head_channels,
        resnet_time_scale_shift="scale_shift" if arch.scale_shift else "default",
        norm_num_groups=GROUPS,
        # Without it the middle attention loses its normalisation under scale_shift.
        attn_norm_num_groups=GROUPS,
        flip_sin_to_cos=True,
        freq_shift=0,
    )


def _children(tensors: Mapping[str, Tensor], trunk: str) -> dict[int, dict[int, str]]:
    """Kinds of the modules in each block of ``trunk``: 'conv', 'qkv', 'in_layers', ..."""
    blocks: dict[int, dict[int, str]] = {}
    for name in tensors:
        parts = name.split(".")
        if parts[0] == trunk and len(parts) > 3 and all(p.isdecimal() for p in parts[1:3]):
            blocks.setdefault(int(parts[1]), {}).setdefault(int(parts[2]), parts[3])
    return blocks


def _walk(blocks: Mapping[int, Mapping[int, str]]) -> tuple[int, int]:
    """Residual blocks per level on the way down, and number of upsamplings on the way up."""
    ends = [
        index
        for index, children in sorted(blocks.items())
        if any(place > 0 and kind not in _IN_ATTENTION for place, kind in children.items())
    ]
    each = len(blocks) // (len(ends) + 1)
    regular = [each * (turn + 1) - 1 for turn in range(len(ends))]
    if each < 2 or len(blocks) != each * (len(ends) + 1) or ends != regular:
        raise CheckpointError(
            f"The checkpoint's {len(blocks)} output blocks do not divide into levels of equal "
            f"length at the {len(ends)} that enlarge: tensors are missing, or it is no "
            "guided-diffusion network."
        )
    return each - 1, len(ends)


def _rows(tensors: Mapping[str, Tensor], name: str) -> int:
    if name not in tensors or tensors[name].ndim == 0:
        raise CheckpointError(
            f"The checkpoint lacks {name}; it is truncated or of another network."
        )
    return tensors[name].shape[0]


def _check_expressible(arch: Architecture, embedded: int) -> None:
    if arch.outputs not in {arch.channels, 2 * arch.channels}:
        raise CheckpointError(
            f"The checkpoint's network takes {arch.channels} channels and gives {arch.outputs}: "
            "it does not predict the noise of an image."
        )
    if arch.widths[0] != embedded:
        raise CheckpointError(
            f"The checkpoint's first level has {arch.widths[0]} channels and its time embedding "
            f"{embedded}; only networks where both agree are supported."
        )
    odd = [width for width in arch.widths if width % GROUPS or width == 0]
    if odd:
        raise CheckpointError(
            f"The checkpoint has a level of {odd[0]} channels, no multiple of {GROUPS}, as "
            "guided-diffusion's normalisation needs."
        )
    attended = {width for width, has in zip(arch.widths, arch.attention, strict=True) if has}
    for width in sorted(attended | {arch.widths[-1]}):
        if arch.head_channels is not None and (
            arch.head_channels < 1 or width % arch.head_channels
        ):
            raise CheckpointError(
                f"Attention over {width} channels cannot have heads of {arch.head_channels}: give "
                "the width of a head with which the network was trained."
            )


def _down(arch: Architecture, level: int) -> str:
    if arch.attention[level]:
        return "AttnDownBlock2D"
    return "DownBlock2D" if arch.resampling == "conv" else "ResnetDownsampleBlock2D"


def renamings(arch: Architecture, shapes: Mapping[str, Tensor]) -> Iterator[Renaming]:
    """The renaming of every tensor of the checkpoint."""
    for source, target in _modules(arch):
        yield from _inside(source, target, shapes)


def _modules(arch: Architecture) -> Iterator[tuple[str, str]]:
    """Names of layers, residual blocks and attentions: in guided-diffusion and in diffusers."""
    conv = arch.resampling == "conv"
    yield from (("time_embed.0", "time_embedding.linear_1"),
                ("time_embed.2", "time_embedding.linear_2"), ("input_blocks.0.0", "conv_in"),
                ("middle_block.0", "mid_block.resnets.0"),
                ("middle_block.1", "mid_block.attentions.0"),
                ("middle_block.2", "mid_block.resnets.1"),
                ("out.0", "conv_norm_out"), ("out.2", "conv_out"))  # fmt: skip
    last = arch.levels - 1
    for level, attended in enumerate(arch.attention):
        there, here = 1 + level * (arch.layers + 1), f"down_blocks.{level}"
        for layer in range(arch.layers):
            yield f"input_blocks.{there + layer}.0", f"{here}.resnets.{layer}"
            if attended:
                yield f"input_blocks.{there + layer}.1", f"{here}.attentions.{layer}"
        if level < last:
            source = f"input_blocks.{there + arch.layers}.0"
            yield (f"{source}.op", f"{here}.downsamplers.0.conv") if conv else (
                source, f"{here}.downsamplers.0")  # fmt: skip
    for turn, attended in enumerate(reversed(arch.attention)):
        there, here = turn * (arch.layers + 1), f"up_blocks.{turn}"
        for layer in range(arch.layers + 1):
            yield f"output_blocks.{there + layer}.0", f"{here}.resnets.{layer}"
            if attended:
                yield f"output_blocks.{there + layer}.1", f"{here}.attentions.{layer}"
        if turn < last:
            source = f"output_blocks.{there + arch.layers}.{1 + attended}"
            yield (f"{source}.conv", f"{here}.upsamplers.0.conv") if conv else (
                source, f"{here}.upsamplers.0")  # fmt: skip


_RESIDUAL = (("in_layers.0", "norm1"), ("in_layers.2", "conv1"), ("emb_layers.1", "time_emb_proj"),
             ("out_layers.0", "norm2"), ("out_layers.3", "conv2"),
             ("skip_connection", "conv_shortcut"))  # fmt: skip
_ATTENTION = (("norm", ("group_norm",)), ("qkv", ("to_q", "to_k", "to_v")),
              ("proj_out", ("to_out.0",)))  # fmt: skip


def _inside(source: str, target: str, shapes: Mapping[str, Tensor]) -> Iterator[Renaming]:
    """The renamings of the tensors of one module."""
    pairs: tuple[tuple[str, tuple[str, ...]], ...] = (("", ("",)),)
    if f"{target}.norm1.weight" in shapes:
        pairs = tuple((f".{there}", (f".{here}",)) for there, here in _RESIDUAL)
    elif f"{target}.to_q.weight" in shapes:
        pairs = tuple((f".{there}", tuple(f".{h}" for h in here)) for there, here in _ATTENTION)
    for there, here in pairs:
        for leaf in ("weight", "bias"):
            targets = tuple(f"{target}{name}.{leaf}" for name in here)
            if targets[0] in shapes:
                yield Renaming(f"{source}{there}.{leaf}", targets)
