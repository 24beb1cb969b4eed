"""Generates a fused 3x3 convolution as machine code for this processor.

One call does, for a band of rows: normalise and activate the input (affine per channel, SiLU),
Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR
2016), bias, the residual or the 1x1 shortcut, ReLU, and the sums that the next group normalisation
needs.
Images are float32 with the channels last, and channels are multiples of 16.
"""

from __future__ import annotations

from llvmlite import ir

from enhancers.networks.cpu_kernels import resampling
from enhancers.networks.cpu_kernels.arithmetic import POINTS, TILE
from enhancers.networks.cpu_kernels.kernel_args import Arg, number
from enhancers.networks.cpu_kernels.llvm_builder import LONG, POINTER, LlvmBuilder, Value
from enhancers.networks.cpu_kernels.pixels import clear_floats, copy_pixels, fill_row, silu_pixels
from enhancers.networks.cpu_kernels.winograd import from_points, product, to_points

SKEW = 16
"""Floats between the matrices of two points, so that they fall into different cache sets."""


def write_kernels(module: ir.Module, lanes: int, rows: int, blocks: tuple[int, ...]) -> None:
    """Add ``conv_<block>`` for every width of a column block, in vectors, to a module."""
    silu = silu_pixels(module, lanes)
    copy = copy_pixels(module, lanes)
    clear = clear_floats(module, lanes)
    row = fill_row(module, lanes, silu, copy, clear)
    forward, back = to_points(module, lanes), from_points(module, lanes)
    for block in blocks:
        multiply = product(module, lanes, block, rows)
        _convolution(module, lanes, block, rows, row, forward, multiply, back)
        _direct(module, lanes, block, multiply)
        resampling.shrink(module, lanes, block, multiply)
        resampling.grow(module, lanes, block, multiply)


def _convolution(
    module: ir.Module, lanes: int, block: int, most: int,
    row: LlvmBuilder, forward: LlvmBuilder, product: LlvmBuilder, back: LlvmBuilder,
) -> None:  # fmt: skip
    """Strips ``first`` to below ``last`` of a job, with scratch memory of one's own."""
    code = LlvmBuilder(module, f"conv_{block}", "piip", lanes)
    job, first, last, scratch = code.arguments
    get = {field: number(code, job, field) for field in Arg}
    strip, points, products, short = (
        code.at(scratch, get[field])
        for field in (
            Arg.STRIP_AT,
            Arg.POINTS_AT,
            Arg.PRODUCTS_AT,
            Arg.SHORT_AT,
        )
    )
    depth = code.add(get[Arg.CHANNELS_1], get[Arg.CHANNELS_2])
    channels = get[Arg.CHANNELS_OUT]
    weights, bias, target, all_sums = (
        code.build.inttoptr(get[field], POINTER)
        for field in (
            Arg.WEIGHTS,
            Arg.BIAS,
            Arg.TARGET,
            Arg.SUMS,
        )
    )
    rows, width, height = (
        get[Arg.TILE_ROWS],
        get[Arg.WIDTH],
        get[Arg.HEIGHT],
    )
    lines = code.mul(rows, TILE)
    pixels = code.add(code.mul(get[Arg.TILE_COLUMNS], TILE), 2)
    line = code.mul(pixels, depth)
    blocks = code.build.sdiv(channels, code.whole(block * lanes))
    with code.loop(first, last) as strip_number:
        top = code.mul(strip_number, lines)
        carried = code.build.icmp_signed(">", strip_number, first)
        with code.build.if_then(carried), code.loop(0, code.mul(line, 2), lanes) as i:
            code.store(code.load(strip, code.add(code.mul(lines, line), i)), strip, i)
        start = code.build.select(carried, code.whole(2), code.whole(0))
        with code.loop(start, code.add(lines, 2)) as r:
            y = code.sub(code.add(top, r), 1)
            code.call(row, job, code.at(strip, code.mul(r, line)), y, pixels)
        residual, above = _shortcut(code, get, product, short, top, lines, blocks)
        sums = code.at(all_sums, code.mul(strip_number, code.mul(channels, 2)))
        with code.loop(0, get[Arg.TILE_COLUMNS], get[Arg.GROUP]) as begin:
            columns = code.least(get[Arg.GROUP], code.sub(get[Arg.TILE_COLUMNS], begin))
            count = code.mul(rows, columns)
            padded = code.mul(code.build.sdiv(code.add(count, most - 1), code.whole(most)), most)
            apart_in = code.add(code.mul(padded, depth), SKEW)
            apart_out = code.add(code.mul(padded, channels), SKEW)
            corner = code.at(strip, code.mul(code.mul(begin, TILE), depth))
            code.call(forward, corner, points, pixels, depth, rows, columns, apart_in)
            with code.loop(0, POINTS) as point:
                code.call(
                    product, code.at(points, code.mul(point, apart_in)), depth,
                    code.at(weights, code.mul(point, code.mul(depth, channels))),
                    code.at(products, code.mul(point, apart_out)), channels, padded, depth,
                    blocks, 0,
                )  # fmt: skip
            code.call(
                back, products, bias, residual, target, sums, channels, rows, columns, apart_out,
                top, code.mul(begin, TILE), height, width, above, get[Arg.RECTIFY],
            )  # fmt: skip
    code.finish()


def _shortcut(
    code: LlvmBuilder, get: dict[Arg, Value], product: LlvmBuilder, short: Value, top: Value,
    lines: Value, blocks: Value,
) -> tuple[Value, Value]:  # fmt: skip
    """Address of what is added to the strip's output, and the floats of the image above it."""
    width, channels = get[Arg.WIDTH], get[Arg.CHANNELS_OUT]
    count = code.mul(code.least(lines, code.sub(get[Arg.HEIGHT], top)), width)
    before = code.mul(top, width)
    present = code.build.icmp_signed("!=", get[Arg.SHORT_1], code.whole(0))
    with code.build.if_then(present):
        for number, (source, depth, weights) in enumerate(
            (
                (
                    Arg.SHORT_1,
                    Arg.SHORT_CHANNELS_1,
                    Arg.SHORT_WEIGHTS_1,
                ),
                (
                    Arg.SHORT_2,
                    Arg.SHORT_CHANNELS_2,
                    Arg.SHORT_WEIGHTS_2,
                ),
            )
        ):
            begin = code.at(code.build.inttoptr(get[source], POINTER), code.mul(before, get[depth]))
            with code.build.if_then(code.below(0, get[depth])):
                code.call(product, begin, get[depth], code.build.inttoptr(get[weights], POINTER),
                          short, channels, count, get[depth], blocks, number)  # fmt: skip
    computed = code.build.ptrtoint(short, LONG)
    address = code.build.select(present, computed, get[Arg.RESIDUAL])
    above = code.build.select(present, code.mul(before, channels), code.whole(0))
    return address, above


def _direct(module: ir.Module, lanes: int, block: int, product: LlvmBuilder) -> None:
    """Rows ``first`` to below ``last`` of a 3x3 convolution with a stride, nothing else fused.

    Each of the nine taps is a matrix product over the part of a row where it lies in the image.
    """
    code = LlvmBuilder(module, f"direct_{block}", "piip", lanes)
    job, first, last, _ = code.arguments
    get = {field: number(code, job, field) for field in Arg}
    depth, channels, stride = (
        get[Arg.CHANNELS_1],
        get[Arg.CHANNELS_OUT],
        get[Arg.STRIDE],
    )
    height, width = get[Arg.HEIGHT], get[Arg.WIDTH]
    source, weights, bias, target, sums = (
        code.build.inttoptr(get[field], POINTER)
        for field in (
            Arg.SOURCE_1,
            Arg.WEIGHTS,
            Arg.BIAS,
            Arg.TARGET,
            Arg.SUMS,
        )
    )
    blocks = code.build.sdiv(channels, code.whole(block * lanes))
    across = code.add(code.build.sdiv(code.sub(width, 1), stride), 1)
    with code.loop(first, last) as y:
        line = code.at(target, code.mul(code.mul(y, across), channels))
        with code.loop(0, across) as x, code.loop(0, channels, lanes) as c:
            code.store(code.load(bias, c), line, code.add(code.mul(x, channels), c))
        for tap in range(9):
            down, right = tap // 3 - 1, tap % 3 - 1
            at_y = code.add(code.mul(y, stride), down)
            begin = 1 if right < 0 else 0
            end = code.add(code.build.sdiv(code.sub(width, 1 + right), stride), 1)
            end = code.least(end, across)
            inside = code.build.icmp_unsigned("<", at_y, height)
            with code.build.if_then(inside):
                at_x = code.add(code.mul(stride, begin), right)
                pixel = code.add(code.mul(at_y, width), at_x)
                code.call(
                    product, code.at(source, code.mul(pixel, depth)), code.mul(stride, depth),
                    code.at(weights, code.mul(code.mul(depth, channels), tap)),
                    code.at(line, code.mul(channels, begin)), channels, code.sub(end, begin),
                    depth, blocks, 1,
                )  # fmt: skip
        summed = code.at(sums, code.mul(y, code.mul(channels, 2)))
        _sum_channels(code, line, across, channels, summed)
    code.finish()


def _sum_channels(
    code: LlvmBuilder, image: Value, pixels: Value, channels: Value, sums: Value
) -> None:
    """Sums and sums of squares of the channels of so many pixels."""
    with code.loop(0, channels, code.lanes) as c:
        total, square = code.cell(), code.cell()
        for cell in (total, square):
            code.build.store(code.number(0.0), cell)
        with code.loop(0, pixels) as pixel:
            value = code.load(image, code.add(code.mul(pixel, channels), c))
            code.build.store(code.plus(code.get(total), value), total)
            squared = code.plus(code.get(square), code.times(value, value))
            code.build.store(squared, square)
        code.store(code.get(total), sums, c)
        code.store(code.get(square), sums, code.add(channels, c))
