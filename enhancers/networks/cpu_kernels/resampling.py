"""Generates convolutions of 2x2 pixels with stride 2, and their transposes, as matrix products."""

from __future__ import annotations

from itertools import product as pairs
from typing import NamedTuple

from llvmlite import ir

from enhancers.networks.cpu_kernels.kernel_args import Arg, address, number
from enhancers.networks.cpu_kernels.llvm_builder import LlvmBuilder, Value


def shrink(module: ir.Module, lanes: int, block: int, product: LlvmBuilder) -> None:
    """Rows ``first`` to below ``last`` of an image of half the height and width."""
    code, job = _kernel(module, f"shrink_{block}", lanes, block)
    across = code.build.lshr(job.width, code.whole(1))
    with code.loop(job.first, job.last) as y:
        line = code.at(job.target, code.mul(code.mul(y, across), job.channels))
        for tap, (down, right) in enumerate(pairs((0, 1), (0, 1))):
            pixel = code.add(code.mul(code.add(code.mul(y, 2), down), job.width), right)
            code.call(
                product, code.at(job.source, code.mul(pixel, job.depth)), code.mul(job.depth, 2),
                code.at(job.weights, code.mul(code.mul(job.depth, job.channels), tap)),
                line, job.channels, across, job.depth, job.blocks, min(tap, 1),
            )  # fmt: skip
    code.finish()


def grow(module: ir.Module, lanes: int, block: int, product: LlvmBuilder) -> None:
    """Rows ``first`` to below ``last`` of an image, added to one of twice the height and width."""
    code, job = _kernel(module, f"grow_{block}", lanes, block)
    with code.loop(job.first, job.last) as y:
        line = code.at(job.source, code.mul(code.mul(y, job.width), job.depth))
        for tap, (down, right) in enumerate(pairs((0, 1), (0, 1))):
            row = code.mul(code.add(code.mul(y, 2), down), code.mul(job.width, 2))
            code.call(
                product, line, job.depth,
                code.at(job.weights, code.mul(code.mul(job.depth, job.channels), tap)),
                code.at(job.target, code.mul(code.add(row, right), job.channels)),
                code.mul(job.channels, 2), job.width, job.depth, job.blocks, 1,
            )  # fmt: skip
    code.finish()


class _Job(NamedTuple):
    """The arguments of a kernel, read."""

    first: Value
    last: Value
    depth: Value
    channels: Value
    width: Value
    source: Value
    weights: Value
    target: Value
    blocks: Value


def _kernel(module: ir.Module, name: str, lanes: int, block: int) -> tuple[LlvmBuilder, _Job]:
    code = LlvmBuilder(module, name, "piip", lanes)
    job, first, last, _ = code.arguments
    depth, channels, width = (
        number(code, job, field) for field in (Arg.CHANNELS_1, Arg.CHANNELS_OUT, Arg.WIDTH)
    )
    source, weights, target = (
        address(code, job, field) for field in (Arg.SOURCE_1, Arg.WEIGHTS, Arg.TARGET)
    )
    blocks = code.build.sdiv(channels, code.whole(block * lanes))
    return code, _Job(first, last, depth, channels, width, source, weights, target, blocks)
