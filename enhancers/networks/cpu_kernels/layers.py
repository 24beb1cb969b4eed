"""Weights of convolutions in the memory layout of the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.networks.cpu_kernels import CHANNELS
from enhancers.networks.cpu_kernels.arithmetic import KERNEL, POINTS
from enhancers.networks.cpu_kernels.jit import JitKernels

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution.

    Parameters
    ----------
    weights : ndarray
        (matrices, column blocks, channels in, block width): a matrix for each Winograd point, or
        for each of the nine or four taps, or one for 1x1.
    bias : ndarray, shape (channels out,)
    channels_in, channels_out : int
        Channels out are padded with zeros to a multiple of `CHANNELS`.
    block : int
        Width of a column block in vectors.
    """

    weights: Floats
    bias: Floats
    channels_in: int
    channels_out: int
    block: int


@dataclass(frozen=True, eq=False)
class Norm:
    """A group normalisation."""

    groups: int
    eps: float
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]


def winograd(convolution: Any, machine: JitKernels) -> Layer:
    """A 3x3 convolution with stride 1: G g Gᵀ of each kernel, in double precision."""
    g, kernel = np.array(KERNEL), _array(convolution.weight)
    points = np.einsum("iy,ocyx,jx->ijco", g, kernel, g, optimize=True).reshape(
        POINTS, *kernel.shape[1::-1]
    )
    return _layer(points, convolution.bias, machine)


def direct(convolution: Any, machine: JitKernels) -> Layer:
    """A 3x3 convolution with any stride."""
    kernel = _array(convolution.weight)
    return _layer(kernel.transpose(2, 3, 1, 0).reshape(9, *kernel.shape[1::-1]),
                  convolution.bias, machine)  # fmt: skip


def shrink(convolution: Any, machine: JitKernels) -> Layer:
    """A 2x2 convolution with stride 2."""
    return _quarters(_array(convolution.weight).transpose(2, 3, 1, 0), machine)


def grow(convolution: Any, machine: JitKernels) -> Layer:
    """A transposed 2x2 convolution with stride 2."""
    return _quarters(_array(convolution.weight).transpose(2, 3, 0, 1), machine)


def _quarters(taps: NDArray[np.float64], machine: JitKernels) -> Layer:
    return _layer(taps.reshape(4, *taps.shape[2:]), None, machine)


def shortcut(convolution: Any, split: tuple[int, ...], machine: JitKernels) -> list[Layer]:
    """A 1x1 convolution of several images' channels, one layer an image; the first has the bias."""
    kernel = _array(convolution.weight)[:, :, 0, 0].T[None]
    ends = np.cumsum(split)[:-1]
    return [
        _layer(part, convolution.bias if number == 0 else None, machine)
        for number, part in enumerate(np.split(kernel, ends, axis=1))
    ]


def norm(module: Any) -> Norm:
    """A torch GroupNorm with weights."""
    return Norm(module.num_groups, module.eps, _array(module.weight), _array(module.bias))


def _array(tensor: Any) -> NDArray[np.float64]:
    found: NDArray[np.float64] = tensor.detach().double().cpu().numpy()
    return found


def _layer(matrices: NDArray[np.float64], bias: Any, machine: JitKernels) -> Layer:
    count, depth, channels = matrices.shape
    padded = -(-channels // CHANNELS) * CHANNELS
    matrices = np.pad(matrices, ((0, 0), (0, 0), (0, padded - channels)))
    block = machine.block(padded)
    width = block * machine.lanes
    packed = matrices.reshape(count, depth, padded // width, width).swapaxes(1, 2)
    constant = np.zeros(padded, np.float32)
    if bias is not None:
        constant[:channels] = _array(bias)
    return Layer(np.ascontiguousarray(packed, np.float32), constant, depth, padded, block)
