"""Rows of an image on their way into a convolution: activated, enlarged, bordered by zeros."""

from __future__ import annotations

from llvmlite import ir

from enhancers.networks.cpu_kernels.arithmetic import clamped, exponential
from enhancers.networks.cpu_kernels.kernel_args import Arg, address, number
from enhancers.networks.cpu_kernels.llvm_builder import LlvmBuilder


def silu_pixels(module: ir.Module, lanes: int) -> LlvmBuilder:
    """``target`` = silu(scale source + shift) for a row of pixels."""
    code = LlvmBuilder(module, "silu_pixels", "ppppiiii", lanes)
    source, target, scale, shift, pixels, channels, pitch, halved = code.arguments
    with code.loop(0, pixels) as x:
        begin = code.at(source, code.mul(code.build.lshr(x, halved), channels))
        end = code.at(target, code.mul(x, pitch))
        with code.loop(0, channels, lanes) as c:
            value = code.times(code.load(begin, c), code.load(scale, c))
            value = code.plus(value, code.load(shift, c))
            power = clamped(code, code.minus(code.number(0.0), value), -87.0, 88.0)
            below = code.plus(exponential(code, power), code.number(1.0))
            code.store(code.build.fdiv(value, below), end, c)
    return code.finish()


def copy_pixels(module: ir.Module, lanes: int) -> LlvmBuilder:
    """``target`` = source for a row of pixels."""
    code = LlvmBuilder(module, "copy_pixels", "ppiiii", lanes)
    source, target, pixels, channels, pitch, halved = code.arguments
    with code.loop(0, pixels) as x:
        begin = code.at(source, code.mul(code.build.lshr(x, halved), channels))
        end = code.at(target, code.mul(x, pitch))
        with code.loop(0, channels, lanes) as c:
            code.store(code.load(begin, c), end, c)
    return code.finish()


def clear_floats(module: ir.Module, lanes: int) -> LlvmBuilder:
    """``target`` = 0 for so many floats."""
    code = LlvmBuilder(module, "clear", "pi", lanes)
    target, count = code.arguments
    with code.loop(0, count, lanes) as i:
        code.store(code.number(0.0), target, i)
    return code.finish()


def fill_row(
    module: ir.Module, lanes: int, silu: LlvmBuilder, copy: LlvmBuilder, clear: LlvmBuilder
) -> LlvmBuilder:
    """One row of a strip: activated pixels with a border of zeros, or only zeros outside."""
    code = LlvmBuilder(module, "fill_row", "ppii", lanes)
    job, target, y, pixels = code.arguments
    width = number(code, job, Arg.WIDTH)
    halved = number(code, job, Arg.ENLARGE)
    first, second = (number(code, job, f) for f in (Arg.CHANNELS_1, Arg.CHANNELS_2))
    pitch = code.add(first, second)
    inside = code.build.icmp_unsigned("<", y, number(code, job, Arg.HEIGHT))
    with code.build.if_else(inside) as (then, otherwise):
        with otherwise:
            code.call(clear, target, code.mul(pixels, pitch))
        with then:
            code.call(clear, target, pitch)
            end = code.add(width, 1)
            code.call(
                clear, code.at(target, code.mul(end, pitch)), code.mul(code.sub(pixels, end), pitch)
            )
            line = code.mul(code.build.lshr(y, halved), code.build.lshr(width, halved))
            scale, shift = (address(code, job, f) for f in (Arg.SCALE, Arg.SHIFT))
            active = code.build.trunc(number(code, job, Arg.ACTIVATE), ir.IntType(1))
            for source, channels, offset in (
                (Arg.SOURCE_1, first, code.whole(0)),
                (Arg.SOURCE_2, second, first),
            ):
                begin = code.at(address(code, job, source), code.mul(line, channels))
                place = code.at(target, code.add(pitch, offset))
                with code.build.if_else(active) as (normed, plain):
                    with normed:
                        factors = code.at(scale, offset), code.at(shift, offset)
                        code.call(silu, begin, place, *factors, width, channels, pitch, halved)
                    with plain:
                        code.call(copy, begin, place, width, channels, pitch, halved)
    return code.finish()
