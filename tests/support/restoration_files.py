"""Small networks for restoration with random weights, as checkpoint files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from enhancers.networks.entry import NetworkEntry
from enhancers.networks.identify import NetworkImport
from enhancers.networks.red_cnn import RedCnn
from tests.support.network_files import install


def _drunet(channels: int = 1) -> nn.Module:
    from spandrel.architectures.DRUNet import DRUNet

    return DRUNet(
        in_nc=channels + 1, out_nc=channels, nc=[8, 8, 8, 8], nb=2, act_mode="R",
        downsample_mode="strideconv", upsample_mode="convtranspose",
    )  # fmt: skip


def _dncnn() -> nn.Module:
    from spandrel.architectures.DnCNN import DnCNN

    return DnCNN(in_nc=1, out_nc=1, nc=8, nb=9, act_mode="R", mode="DnCNN")


def _swinir() -> nn.Module:
    """Colour, enlarges twice, discourages tiles."""
    from spandrel.architectures.SwinIR import SwinIR

    return SwinIR(
        img_size=16, patch_size=1, in_chans=3, embed_dim=12, depths=[2], num_heads=[2],
        window_size=8, mlp_ratio=2.0, upscale=2, img_range=1.0, upsampler="pixelshuffledirect",
        resi_connection="1conv",
    )  # fmt: skip


def _nafnet() -> nn.Module:
    """Colour."""
    from spandrel.architectures.NAFNet import NAFNet

    return NAFNet(img_channel=3, width=4, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1])


MODULES: Mapping[str, Callable[[], nn.Module]] = {
    "DRUNet": _drunet,
    "DnCNN": _dncnn,
    "SwinIR": _swinir,
    "NAFNet": _nafnet,
    "RED-CNN": lambda: RedCnn(4),
}


def weights(architecture: str, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return MODULES[architecture]().state_dict()


def checkpoint(path: Path, architecture: str = "DnCNN", seed: int = 0) -> Path:
    """A checkpoint as its authors would publish it: safetensors, or a pickle with an envelope."""
    tensors = weights(architecture, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    else:
        torch.save({"params": {f"module.{name}": tensor for name, tensor in tensors.items()}}, path)
    return path


def added(folder: Path, architecture: str = "DnCNN", **facts: Any) -> NetworkEntry:
    """The network after it was added."""
    path = checkpoint(folder / f"{facts.get('key', architecture)}.pth", architecture)
    return install(NetworkImport(path, **facts))
