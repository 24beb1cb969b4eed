"""The steps and the memory of a network for images of one size."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from enhancers.networks.cpu_kernels.arithmetic import POINTS, TILE
from enhancers.networks.cpu_kernels.jit import JitKernels, Kernel
from enhancers.networks.cpu_kernels.kernel_args import Arg
from enhancers.networks.cpu_kernels.kernels import SKEW
from enhancers.networks.cpu_kernels.layers import Floats, Layer, Norm

LEAST_TILES = 32
"""Tiles of a strip: enough rows for the matrix products to be worth their weights."""
CACHE = 600_000
"""Bytes of the second-level cache that the matrices of a group of tiles may take."""
LINE = 16
"""Floats of a cache line."""


@dataclass(frozen=True, eq=False)
class PlannedImage:
    """An image on its way through the network: (height, width, channels), and its sums.

    ``sums`` is (parts, 2, channels): sums and sums of squares of the channels over parts of it.
    """

    pixels: Floats
    sums: Floats
    height: int
    width: int
    channels: int


@dataclass(frozen=True, eq=False)
class KernelCall:
    """One call of a kernel: its job, in how many units it can be split, what to prepare."""

    kernel: Kernel
    job: NDArray[np.int64]
    units: int
    bias: Floats
    constant: Floats
    sums: Floats
    embedding: int | None = None
    norm: Norm | None = None
    sources: tuple[PlannedImage, ...] = ()
    affine: tuple[Floats, Floats] | None = None

    def prepare(self, embeddings: Sequence[Floats]) -> None:
        """Fill in what depends on the image and on the timestep."""
        self.sums.fill(0)
        if self.embedding is not None:
            np.add(self.constant, embeddings[self.embedding], out=self.bias)
        if self.norm is None or self.affine is None:
            return
        pixels = self.sources[0].height * self.sources[0].width
        parts = [picture.sums.sum(axis=0, dtype=np.float64) for picture in self.sources]
        grouped = np.concatenate(parts, axis=1).reshape(2, self.norm.groups, -1)
        size = grouped.shape[-1]
        mean, square = grouped.sum(axis=-1) / (pixels * size)
        spread = 1 / np.sqrt(np.maximum(square - mean * mean, 0) + self.norm.eps)
        scale = self.norm.weight * np.repeat(spread, size)
        self.affine[0][:] = scale
        self.affine[1][:] = self.norm.bias - np.repeat(mean, size) * scale


@dataclass(eq=False)
class ComputePlan:
    """The steps for one size of image, with memory that a run fills and the next one reuses."""

    machine: JitKernels
    height: int
    width: int
    steps: list[KernelCall] = field(default_factory=list)
    scratch_size: int = 0
    scratch: list[Floats] = field(default_factory=list)
    free: list[Floats] = field(default_factory=list)
    kept: list[object] = field(default_factory=list)
    bytes: int = 0

    def picture(self, height: int, width: int, channels: int, parts: int) -> PlannedImage:
        """Memory for an image: the smallest piece given back that is large enough, or new."""
        size = height * width * channels
        fitting = [piece for piece in self.free if size <= piece.size <= 2 * size]
        if fitting:
            pixels = min(fitting, key=lambda piece: piece.size)
            self.free = [piece for piece in self.free if piece is not pixels]
        else:
            pixels = aligned(size)
            self.bytes += pixels.nbytes
        return PlannedImage(
            pixels, np.zeros((parts, 2, channels), np.float32), height, width, channels
        )

    def release(self, picture: PlannedImage) -> None:
        """Make the memory of an image available to later steps."""
        self.free.append(picture.pixels)

    def direct(self, source: PlannedImage, layer: Layer, stride: int) -> PlannedImage:
        """A convolution with a stride."""
        height, width = ((side - 1) // stride + 1 for side in (source.height, source.width))
        target = self.picture(height, width, layer.channels_out, height)
        self._step(
            self.machine.direct[layer.block],
            height,
            layer,
            target,
            _of_whole(source) | {Arg.STRIDE: stride},
        )
        return target

    def shrink(self, source: PlannedImage, layer: Layer) -> PlannedImage:
        """A 2x2 convolution with stride 2."""
        height, width = source.height // 2, source.width // 2
        target = self.picture(height, width, layer.channels_out, 1)
        self._step(self.machine.shrink[layer.block], height, layer, target, _of_whole(source))
        return target

    def grow(self, source: PlannedImage, layer: Layer, onto: PlannedImage) -> PlannedImage:
        """A transposed 2x2 convolution with stride 2, added to an image, which changes."""
        self._step(self.machine.grow[layer.block], source.height, layer, onto, _of_whole(source))
        return onto

    def convolve(
        self,
        sources: Sequence[PlannedImage],
        layer: Layer,
        *,
        normalise: Norm | None = None,
        enlarge: bool = False,
        embedding: int | None = None,
        residual: PlannedImage | None = None,
        rectify: bool = False,
        shortcut: tuple[Sequence[PlannedImage], Sequence[Layer]] | None = None,
    ) -> PlannedImage:
        """A 3x3 convolution of images side by side, with everything around it."""
        height, width = (side << enlarge for side in (sources[0].height, sources[0].width))
        shape = _Strips.of(height, width, layer, self.machine.rows)
        self.scratch_size = max(self.scratch_size, shape.end)
        target = self.picture(height, width, layer.channels_out, shape.count)
        values = dict(shape.fields)
        values |= {
            Arg.HEIGHT: height,
            Arg.WIDTH: width,
            Arg.ENLARGE: int(enlarge),
            Arg.RECTIFY: int(rectify),
        }
        places = (
            (Arg.SOURCE_1, Arg.CHANNELS_1),
            (Arg.SOURCE_2, Arg.CHANNELS_2),
        )
        for source, (place, channels) in zip(sources, places, strict=False):
            values |= {place: address(source.pixels), channels: source.channels}
        affine = None
        if normalise is not None:
            affine = (aligned(layer.channels_in), aligned(layer.channels_in))
            values |= {
                Arg.SCALE: address(affine[0]),
                Arg.SHIFT: address(affine[1]),
                Arg.ACTIVATE: 1,
            }
        if residual is not None:
            values[Arg.RESIDUAL] = address(residual.pixels)
        constant = layer.bias
        if shortcut is not None:
            values |= _short_fields(*shortcut)
            constant = constant + shortcut[1][0].bias
        self._step(
            self.machine.winograd[layer.block], shape.count, layer, target, values, constant,
            embedding=embedding, norm=normalise, sources=tuple(sources), affine=affine,
        )  # fmt: skip
        return target

    def _step(
        self, kernel: Kernel, units: int, layer: Layer, target: PlannedImage,
        values: dict[Arg, int], constant: Floats | None = None, *,
        embedding: int | None = None, norm: Norm | None = None,
        sources: tuple[PlannedImage, ...] = (), affine: tuple[Floats, Floats] | None = None,
    ) -> None:  # fmt: skip
        constant = layer.bias if constant is None else constant
        bias = constant.copy()
        job = np.zeros(len(Arg), np.int64)
        values |= {
            Arg.WEIGHTS: address(layer.weights),
            Arg.CHANNELS_OUT: layer.channels_out,
            Arg.BIAS: address(bias),
            Arg.TARGET: address(target.pixels),
            Arg.SUMS: address(target.sums),
        }
        for place, value in values.items():
            job[place] = value
        self.steps.append(
            KernelCall(
                kernel, job, units, bias, constant, target.sums, embedding, norm, sources, affine
            )
        )
        self.kept.append((layer, target))

    def run(self, embeddings: Sequence[Floats], threads: int) -> None:
        """Every step, each split over the threads; the split changes no bit of the result."""
        while len(self.scratch) < threads:
            self.scratch.append(aligned(self.scratch_size))
            self.bytes += self.scratch[-1].nbytes
        for step in self.steps:
            step.prepare(embeddings)
            ends = [step.units * number // threads for number in range(threads + 1)]
            parts = [
                (address(step.job), first, last, address(scratch))
                for first, last, scratch in zip(ends, ends[1:], self.scratch, strict=False)
                if last > first
            ]
            others = [_workers(threads).submit(step.kernel, *part) for part in parts[1:]]
            step.kernel(*parts[0])
            for other in others:
                other.result()


@dataclass(frozen=True)
class _Strips:
    """How an image is cut: into strips of tile rows, and those into groups of tiles."""

    count: int
    fields: dict[Arg, int]
    end: int

    @classmethod
    def of(cls, height: int, width: int, layer: Layer, rows: int) -> _Strips:
        down, across = -(-height // TILE), -(-width // TILE)
        depth, channels = layer.channels_in, layer.channels_out
        tile_rows = min(-(-LEAST_TILES // across), down)
        most = CACHE // (4 * POINTS * (depth + channels)) // rows * rows
        group = across if tile_rows > 1 else min(across, max(most, rows))
        tiles = -(-tile_rows * group // rows) * rows
        sizes = (
            (tile_rows * TILE + 2) * (across * TILE + 2) * depth,
            POINTS * (tiles * depth + SKEW),
            POINTS * (tiles * channels + SKEW),
            tile_rows * TILE * width * channels,
        )
        ends = np.cumsum([-(-size // LINE) * LINE for size in sizes]).tolist()
        fields = {
            Arg.TILE_ROWS: tile_rows,
            Arg.TILE_COLUMNS: across,
            Arg.GROUP: group,
            Arg.STRIP_AT: 0,
            Arg.POINTS_AT: ends[0],
            Arg.PRODUCTS_AT: ends[1],
            Arg.SHORT_AT: ends[2],
        }
        return cls(-(-down // tile_rows), fields, ends[3])


def _of_whole(source: PlannedImage) -> dict[Arg, int]:
    return {
        Arg.SOURCE_1: address(source.pixels),
        Arg.CHANNELS_1: source.channels,
        Arg.HEIGHT: source.height,
        Arg.WIDTH: source.width,
    }


def _short_fields(pictures: Sequence[PlannedImage], layers: Sequence[Layer]) -> dict[Arg, int]:
    places = (
        (Arg.SHORT_1, Arg.SHORT_CHANNELS_1, Arg.SHORT_WEIGHTS_1),
        (Arg.SHORT_2, Arg.SHORT_CHANNELS_2, Arg.SHORT_WEIGHTS_2),
    )
    values: dict[Arg, int] = {}
    for picture, layer, (source, channels, weights) in zip(pictures, layers, places, strict=False):
        values |= {source: address(picture.pixels), channels: picture.channels,
                   weights: address(layer.weights)}  # fmt: skip
    return values


def aligned(size: int) -> Floats:
    """Zeros that begin at a cache line."""
    memory = np.zeros(size + LINE, np.float32)
    start = -memory.ctypes.data % (4 * LINE) // 4
    return memory[start : start + size]


def address(array: NDArray[np.generic]) -> int:
    """The address of the first element."""
    return int(array.ctypes.data)


_pools: dict[int, ThreadPoolExecutor] = {}


def _workers(threads: int) -> ThreadPoolExecutor:
    """The worker threads in addition to the calling one."""
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads, "convolution")
    return _pools[threads]
