"""Generates convolutions of 2x2 pixels with stride 2, and their transposes, as matrix products."""

from __future__ import annotations

from itertools import product as pairs

from llvmlite import ir

from enhancers.networks.cpu_kernels.kernel_args import Arg, address, number
from enhancers.networks.cpu_kernels.llvm_builder import LlvmBuilder


def shrink(module: ir.Module, lanes: int, block: int, product: LlvmBuilder) -> None:
    """Rows ``first`` to below ``last`` of an image of half the height and width."""
    code = LlvmBuilder(module, f"shrink_{block}", "piip", lanes)
    job, first, last, _ = code.arguments
    depth, channels, width = (
        number(code, job, field) for field in (Arg.CHANNELS_1, Arg.CHANNELS_OUT, Arg.WIDTH)
    )
    source, weights, target = (
        address(code, job, field) for field in (Arg.SOURCE_1, Arg.WEIGHTS, Arg.TARGET)
    )
    blocks = code.build.sdiv(channels, code.whole(block * lanes))
    across = code.build.lshr(width, code.whole(1))
    with code.loop(first, last) as y:
        line = code.at(target, code.mul(code.mul(y, across), channels))
        for tap, (down, right) in enumerate(pairs((0, 1), (0, 1))):
            pixel = code.add(code.mul(code.add(code.mul(y, 2), down), width), right)
            code.call(
                product, code.at(source, code.mul(pixel, depth)), code.mul(depth, 2),
                code.at(weights, code.mul(code.mul(depth, channels), tap)),
                line, channels, across, depth, blocks, min(tap, 1),
            )  # fmt: skip
    code.finish()


def grow(module: ir.Module, lanes: int, block: int, product: LlvmBuilder) -> None:
    """Rows ``first`` to below ``last`` of an image, added to one of twice the height and width."""
    code = LlvmBuilder(module, f"grow_{block}", "piip", lanes)
    job, first, last, _ = code.arguments
    depth, channels, width = (
        number(code, job, field) for field in (Arg.CHANNELS_1, Arg.CHANNELS_OUT, Arg.WIDTH)
    )
    source, weights, target = (
        address(code, job, field) for field in (Arg.SOURCE_1, Arg.WEIGHTS, Arg.TARGET)
    )
    blocks = code.build.sdiv(channels, code.whole(block * lanes))
    with code.loop(first, last) as y:
        line = code.at(source, code.mul(code.mul(y, width), depth))
        for tap, (down, right) in enumerate(pairs((0, 1), (0, 1))):
            row = code.mul(code.add(code.mul(y, 2), down), code.mul(width, 2))
            code.call(
                product, line, depth, code.at(weights, code.mul(code.mul(depth, channels), tap)),
                code.at(target, code.mul(code.add(row, right), channels)), code.mul(channels, 2),
                width, depth, blocks, 1,
            )  # fmt: skip
    code.finish()
