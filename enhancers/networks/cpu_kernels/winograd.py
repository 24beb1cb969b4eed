"""Winograd's convolution: tiles to points, a matrix product at each point, and back."""

from __future__ import annotations

import math

from llvmlite import ir

from enhancers.networks.cpu_kernels.arithmetic import INPUT, OUTPUT, SIDE, TILE, both_ways
from enhancers.networks.cpu_kernels.llvm_builder import POINTER, LlvmBuilder


def to_points(module: ir.Module, lanes: int) -> LlvmBuilder:
    """Bᵀ d B of every tile of a group, one matrix (tiles, channels) a point."""
    code = LlvmBuilder(module, "to_points", "ppiiiii", lanes)
    strip, points, pixels, channels, rows, columns, apart = code.arguments
    pitch = code.mul(pixels, channels)
    with code.loop(0, rows) as row, code.loop(0, columns) as column:
        corner = code.add(code.mul(code.mul(row, TILE), pitch),
                          code.mul(code.mul(column, TILE), channels))  # fmt: skip
        number = code.add(code.mul(row, columns), column)
        target = code.at(points, code.mul(number, channels))
        begin = code.at(strip, corner)
        with code.loop(0, channels, lanes) as c:
            values = []
            for y in range(SIDE):
                line = code.at(begin, code.add(code.mul(pitch, y), c))
                values.append([code.load(line, code.mul(channels, x)) for x in range(SIDE)])
            for y, transformed in enumerate(both_ways(code, INPUT, values)):
                for x, value in enumerate(transformed):
                    code.store(value, target, code.add(code.mul(apart, y * SIDE + x), c))
    return code.finish()


def product(module: ir.Module, lanes: int, block: int, most: int) -> LlvmBuilder:
    """``c`` = a b, or += a b: a (rows, depth), b in blocks of columns (blocks, depth, width)."""
    code = LlvmBuilder(module, f"product_{block}", "pippiiiii", lanes)
    a, a_pitch, b, c, c_pitch, rows, depth, blocks, onto = code.arguments
    width = block * lanes
    onto = code.build.trunc(onto, ir.IntType(1))
    whole = code.mul(code.build.sdiv(rows, code.whole(most)), most)
    with code.loop(0, blocks) as number:
        factors = code.at(b, code.mul(number, code.mul(depth, width)))
        out = code.at(c, code.mul(number, width))
        for start, stop, count in ((0, whole, most), (whole, rows, 1)):
            cells = [[code.cell() for _ in range(block)] for _ in range(count)]
            with code.loop(start, stop, count) as row:
                lines = [code.at(out, code.mul(code.add(row, r), c_pitch)) for r in range(count)]
                for line, kept in zip(lines, cells, strict=True):
                    for v, cell in enumerate(kept):
                        before = code.load(line, v * lanes)
                        zero = code.number(0.0)
                        code.build.store(code.build.select(onto, before, zero), cell)
                left = [code.at(a, code.mul(code.add(row, r), a_pitch)) for r in range(count)]
                with code.loop(0, depth) as k:
                    begin = code.at(factors, code.mul(k, width))
                    right = [code.load(begin, v * lanes) for v in range(block)]
                    for r, kept in enumerate(cells):
                        one = code.spread(left[r], k)
                        for cell, factor in zip(kept, right, strict=True):
                            total = code.plus(code.get(cell), code.times(one, factor))
                            code.build.store(total, cell)
                for line, kept in zip(lines, cells, strict=True):
                    for v, cell in enumerate(kept):
                        code.store(code.get(cell), line, v * lanes)
    return code.finish()


def from_points(module: ir.Module, lanes: int) -> LlvmBuilder:
    """Aᵀ m A of every tile of a group, with bias, residual, ReLU and sums, into the image."""
    code = LlvmBuilder(module, "from_points", "ppippiiiiiiiiii", lanes)
    (products, bias, residual, target, sums, channels, rows, columns, apart, top, left, height,
     width, above, rectify) = code.arguments  # fmt: skip
    least = code.build.select(
        code.build.trunc(rectify, ir.IntType(1)), code.number(0.0), code.number(-math.inf)
    )
    has_residual = code.build.icmp_signed("!=", residual, code.whole(0))
    added = code.build.inttoptr(residual, POINTER)
    with code.loop(0, channels, lanes) as c:
        constant = code.load(bias, c)
        total, square = code.cell(), code.cell()
        for cell in (total, square):
            code.build.store(code.number(0.0), cell)
        with code.loop(0, rows) as row, code.loop(0, columns) as column:
            number = code.add(code.mul(row, columns), column)
            begin = code.at(products, code.add(code.mul(number, channels), c))
            values = [
                [code.load(begin, code.mul(apart, y * SIDE + x)) for x in range(SIDE)]
                for y in range(SIDE)
            ]
            first_y = code.add(top, code.mul(row, TILE))
            first_x = code.add(left, code.mul(column, TILE))
            for y, line in enumerate(both_ways(code, OUTPUT, values)):
                for x, value in enumerate(line):
                    at_y, at_x = code.add(first_y, y), code.add(first_x, x)
                    inside = code.build.and_(code.below(at_y, height), code.below(at_x, width))
                    with code.build.if_then(inside, likely=True):
                        pixel = code.add(code.mul(at_y, width), at_x)
                        place = code.add(code.mul(pixel, channels), c)
                        shown = code.cell()
                        code.build.store(code.plus(value, constant), shown)
                        with code.build.if_then(has_residual):
                            offset = code.sub(place, above)
                            more = code.plus(code.get(shown), code.load(added, offset))
                            code.build.store(more, shown)
                        final = code.greatest(code.get(shown), least)
                        code.store(final, target, place)
                        code.build.store(code.plus(code.get(total), final), total)
                        squared = code.plus(code.get(square), code.times(final, final))
                        code.build.store(squared, square)
        for cell, begin in ((total, c), (square, code.add(channels, c))):
            code.store(code.plus(code.load(sums, begin), code.get(cell)), sums, begin)
    return code.finish()
