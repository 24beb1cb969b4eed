"""Arithmetic on vectors that kernels share, and the matrices of Winograd's F(4x4, 3x3)."""

from __future__ import annotations

from llvmlite import ir

from enhancers.networks.cpu_kernels.llvm_builder import INT, LlvmBuilder, Value

TILE = 4
"""Side of the square of outputs that a Winograd tile gives; its input side is two more."""
SIDE = TILE + 2
POINTS = SIDE * SIDE
INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
"""Bᵀ of the paper, for the points 0, 1, -1, 2, -2."""
OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
"""Aᵀ of the paper."""
KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
"""G of the paper."""


def combined(code: LlvmBuilder, factors: tuple[float, ...], values: list[Value]) -> Value:
    """A weighted sum of vectors."""
    total = None
    for factor, value in zip(factors, values, strict=True):
        if factor == 0:
            continue
        if total is None:
            total = value if factor == 1 else code.times(value, code.number(factor))
        elif factor == 1:
            total = code.plus(total, value)
        elif factor == -1:
            total = code.minus(total, value)
        else:
            total = code.plus(total, code.times(value, code.number(factor)))
    return total


def both_ways(
    code: LlvmBuilder, matrix: tuple[tuple[float, ...], ...], values: list[list[Value]]
) -> list[list[Value]]:
    """``matrix`` @ values @ ``matrix``ᵀ."""

    def one_way(lines: list[list[Value]]) -> list[list[Value]]:
        across = zip(*lines, strict=True)
        return [[combined(code, row, list(line)) for row in matrix] for line in across]

    return one_way(one_way(values))


def exponential(code: LlvmBuilder, x: Value) -> Value:
    """The exponential of a vector that lies in [-87, 88], to the last bits of float32."""
    magic = code.number(1.5 * 2**23)
    raised = code.build.fadd(code.build.fmul(x, code.number(1.44269504)), magic)
    power = code.build.fsub(raised, magic)
    rest = code.minus(x, code.times(power, code.number(0.693359375)))
    rest = code.plus(rest, code.times(power, code.number(2.12194440e-4)))
    value = code.number(1 / 720)
    for factor in (1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):
        value = code.plus(code.times(value, rest), code.number(factor))
    whole = ir.VectorType(INT, code.lanes)
    exponent = code.build.fptosi(power, whole)
    exponent = code.build.add(exponent, ir.Constant(whole, [127] * code.lanes))
    exponent = code.build.shl(exponent, ir.Constant(whole, [23] * code.lanes))
    return code.build.fmul(value, code.build.bitcast(exponent, code.vector))


def clamped(code: LlvmBuilder, x: Value, low: float, high: float) -> Value:
    """``x`` where it lies between two numbers, else the nearer one."""
    small, large = code.number(low), code.number(high)
    x = code.build.select(code.build.fcmp_ordered("<", x, small), small, x)
    return code.build.select(code.build.fcmp_ordered(">", x, large), large, x)
