"""Builds LLVM functions on vectors of floats: loops, loads, stores, calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

FLOAT, INT, LONG, POINTER = ir.FloatType(), ir.IntType(32), ir.IntType(64), ir.PointerType()
Value = Any
"""An LLVM value; integers may also be Python ints."""


class LlvmBuilder:
    """Builds one function.

    Parameters
    ----------
    module : ir.Module
    name : str
    signature : str
        One letter an argument: "p" a pointer, "i" a 64-bit integer. Nothing is returned.
    lanes : int
        Floats in a vector.
    """

    def __init__(self, module: ir.Module, name: str, signature: str, lanes: int) -> None:
        kinds = [POINTER if letter == "p" else LONG for letter in signature]
        self.function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
        self.arguments: Sequence[Value] = self.function.args
        self.lanes = lanes
        self.vector = ir.VectorType(FLOAT, lanes)
        self.build = ir.IRBuilder(self.function.append_basic_block("entry"))

    def whole(self, value: Value) -> Value:
        """A 64-bit integer."""
        return ir.Constant(LONG, value) if isinstance(value, int) else value

    def add(self, a: Value, b: Value) -> Value:
        """Integer sum."""
        return self.build.add(self.whole(a), self.whole(b))

    def sub(self, a: Value, b: Value) -> Value:
        """Integer difference."""
        return self.build.sub(self.whole(a), self.whole(b))

    def mul(self, a: Value, b: Value) -> Value:
        """Integer product."""
        return self.build.mul(self.whole(a), self.whole(b))

    def least(self, a: Value, b: Value) -> Value:
        """The smaller integer."""
        a, b = self.whole(a), self.whole(b)
        return self.build.select(self.build.icmp_signed("<", a, b), a, b)

    def below(self, a: Value, b: Value) -> Value:
        """Whether a < b, signed."""
        return self.build.icmp_signed("<", self.whole(a), self.whole(b))

    def at(self, pointer: Value, index: Value) -> Value:
        """Address of the float number ``index``."""
        return self.build.gep(pointer, [self.whole(index)], source_etype=FLOAT)

    def load(self, pointer: Value, index: Value = 0) -> Value:
        """A vector of floats."""
        return self.build.load(self.at(pointer, index), align=4, typ=self.vector)

    def store(self, value: Value, pointer: Value, index: Value = 0) -> None:
        """Write a vector of floats."""
        self.build.store(value, self.at(pointer, index), align=4)

    def spread(self, pointer: Value, index: Value) -> Value:
        """One float in all lanes."""
        one = self.build.load(self.at(pointer, index), align=4, typ=FLOAT)
        lone = self.build.insert_element(ir.Constant(self.vector, ir.Undefined), one, INT(0))
        zeros = ir.Constant(ir.VectorType(INT, self.lanes), None)
        return self.build.shuffle_vector(lone, ir.Constant(self.vector, ir.Undefined), zeros)

    def number(self, value: float) -> Value:
        """A constant in all lanes."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def plus(self, a: Value, b: Value) -> Value:
        """Sum of vectors, which may be fused with a product."""
        return self.build.fadd(a, b, flags=("contract",))

    def minus(self, a: Value, b: Value) -> Value:
        """Difference of vectors, which may be fused with a product."""
        return self.build.fsub(a, b, flags=("contract",))

    def times(self, a: Value, b: Value) -> Value:
        """Product of vectors, which may be fused with a sum."""
        return self.build.fmul(a, b, flags=("contract",))

    def greatest(self, a: Value, b: Value) -> Value:
        """The larger of each pair of floats; NaN where the first is."""
        return self.build.select(self.build.fcmp_unordered("<", a, b), b, a)

    def cell(self, kind: Any = None) -> Value:
        """A local variable, by default a vector, which LLVM turns into a register."""
        with self.build.goto_entry_block():
            return self.build.alloca(kind or self.vector)

    def get(self, cell: Value) -> Value:
        """The vector in a local variable."""
        return self.build.load(cell, typ=self.vector)

    @contextmanager
    def loop(self, start: Value, stop: Value, step: Value = 1) -> Iterator[Value]:
        """Count from ``start`` to below ``stop``."""
        build, before = self.build, self.build.block
        head, body, after = (build.append_basic_block(n) for n in ("head", "body", "after"))
        build.branch(head)
        build.position_at_end(head)
        index = build.phi(LONG)
        index.add_incoming(self.whole(start), before)
        build.cbranch(build.icmp_signed("<", index, self.whole(stop)), body, after)
        build.position_at_end(body)
        yield index
        index.add_incoming(self.add(index, step), build.block)
        build.branch(head)
        build.position_at_end(after)

    def call(self, other: LlvmBuilder, *arguments: Value) -> None:
        """Run another function."""
        self.build.call(other.function, [self.whole(argument) for argument in arguments])

    def finish(self) -> LlvmBuilder:
        """End the function."""
        self.build.ret_void()
        return self
