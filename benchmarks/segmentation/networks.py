"""The five segmentation networks of the paper, small enough to train on a processor.

They come from MONAI and segmentation-models-pytorch, which are optional dependencies, start from
random weights, and are narrower than the published ones.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.method import nearest

EXTRA = "requirements-segmentation.txt"
MULTIPLE = 16
"""Sides of an image must be divisible by this."""
LEAST_SIDE, MOST_SIDE = 32, 512


@dataclass(frozen=True)
class SegmentationNetwork:
    """A segmentation network: ``make(classes, size)`` builds it for one gray channel."""

    key: str
    label: str
    package: str
    citation: str
    make: Callable[[int, int], nn.Module]


def _unet(classes: int, size: int) -> nn.Module:
    from monai.networks.nets import UNet

    return _module(UNet(2, 1, classes, channels=(16, 32, 64, 128), strides=(2, 2, 2)))


def _attention_unet(classes: int, size: int) -> nn.Module:
    from monai.networks.nets import AttentionUnet

    return _module(AttentionUnet(2, 1, classes, channels=(8, 16, 32, 64), strides=(2, 2, 2)))


def _unet_plus_plus(classes: int, size: int) -> nn.Module:
    from monai.networks.nets import BasicUNetPlusPlus

    return _module(BasicUNetPlusPlus(2, 1, classes, features=(8, 8, 16, 32, 64, 8)))


def _deeplab(classes: int, size: int) -> nn.Module:
    import segmentation_models_pytorch as models

    # The default of encoder_weights is a download.
    return _module(
        models.DeepLabV3Plus(
            "mobilenet_v2", encoder_weights=None, in_channels=1, classes=classes,
            decoder_channels=64,
        )
    )  # fmt: skip


def _unetr(classes: int, size: int) -> nn.Module:
    from monai.networks.nets import UNETR

    return _module(
        UNETR(
            1, classes, size, feature_size=8, hidden_size=96, mlp_dim=192, num_heads=4,
            spatial_dims=2,
        )
    )  # fmt: skip


_ALL = (
    SegmentationNetwork("unet", "U-Net", "monai", "Ronneberger et al., MICCAI 2015", _unet),
    SegmentationNetwork(
        "attention_unet", "Attention U-Net", "monai", "Oktay et al., MIDL 2018", _attention_unet
    ),
    SegmentationNetwork(
        "unet_plus_plus", "U-Net++", "monai", "Zhou et al., DLMIA 2018", _unet_plus_plus
    ),
    SegmentationNetwork(
        "deeplab_v3_plus",
        "DeepLabV3+",
        "segmentation-models-pytorch",
        "Chen et al., ECCV 2018",
        _deeplab,
    ),
    SegmentationNetwork("unetr", "UNETR", "monai", "Hatamizadeh et al., WACV 2022", _unetr),
)

NETWORKS: dict[str, SegmentationNetwork] = {network.key: network for network in _ALL}
"""Every network by its key."""


def find(key: str) -> SegmentationNetwork:
    """The network with this key.

    Raises
    ------
    ParameterError
        There is none.
    ReadingRoomError
        The package that it comes from is not installed.
    """
    if key not in NETWORKS:
        raise ParameterError(f"No segmentation network {key}; {nearest(key, list(NETWORKS))}.")
    network = NETWORKS[key]
    version(network)
    return network


def version(network: SegmentationNetwork) -> str:
    """The version of the package that a network comes from, or ReadingRoomError."""
    try:
        return importlib.metadata.version(network.package)
    except importlib.metadata.PackageNotFoundError:
        raise ReadingRoomError(
            f"{network.label} needs {network.package}, which is not installed; "
            f"run: pip install -r {EXTRA}"
        ) from None


def check_size(size: int) -> int:
    """Return ``size``, or raise ParameterError where the networks cannot take such a side."""
    if size % MULTIPLE or not LEAST_SIDE <= size <= MOST_SIDE:
        raise ParameterError(
            f"Images of {size} pixels a side cannot be segmented; give a multiple of {MULTIPLE} "
            f"from {LEAST_SIDE} to {MOST_SIDE}."
        )
    return size


def build(key: str, classes: int, size: int, seed: int) -> nn.Module:
    """A network with random weights that depend only on the seed.

    Parameters
    ----------
    key : str
    classes : int
        Number of classes, including the background.
    size : int
        Side of the images.
    seed : int
    """
    network, side = find(key), check_size(size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network.make(classes, side)


def logits(network: nn.Module, images: Tensor) -> Tensor:
    """Scores of each class, shape (B, classes, H, W), of images (B, 1, H, W)."""
    scores = network(images)
    # U-Net++ answers with one map for each depth; without deep supervision there is one.
    found = scores[-1] if isinstance(scores, list | tuple) else scores
    if not isinstance(found, Tensor):
        raise AssertionError(f"a segmentation network answered with {type(found).__name__}")
    return found


def _module(made: Any) -> nn.Module:
    # Neither package is typed.
    if not isinstance(made, nn.Module):
        raise AssertionError(f"{type(made).__name__} is no network")
    return made
