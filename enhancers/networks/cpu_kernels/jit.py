"""Compiles the kernels for the processor, once per process."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import llvmlite.binding as llvm
from llvmlite import ir

from enhancers.networks.cpu_kernels.kernels import write_kernels

Kernel = Callable[[int, int, int, int], None]


@dataclass(frozen=True, eq=False)
class JitKernels:
    """Compiled kernels.

    Parameters
    ----------
    lanes : int
        Floats in a vector.
    rows : int
        Rows that a matrix product keeps in registers.
    winograd, direct, shrink, grow : mapping of int to callable
        By the width of a column block in vectors: (job, first unit, last unit, scratch), as
        addresses and numbers.
    engine : object
        Owns the code.
    """

    lanes: int
    rows: int
    winograd: Mapping[int, Kernel]
    direct: Mapping[int, Kernel]
    shrink: Mapping[int, Kernel]
    grow: Mapping[int, Kernel]
    engine: object

    def block(self, channels: int) -> int:
        """Vectors in a column block that divide so many channels."""
        vectors = channels // self.lanes
        return max(size for size in self.winograd if vectors % size == 0)


@functools.cache
def jit_kernels(wide: bool | None = None) -> JitKernels:
    """Compile the kernels for this processor.

    Parameters
    ----------
    wide : bool or None
        Whether vectors have 16 floats and there are 32 of them (AVX-512), or 8 and 16; None asks
        the processor.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    wide = bool(features.get("avx512f")) if wide is None else wide
    lanes, rows = (16, 8) if wide else (8, 4)
    blocks = (1, 2, 3) if wide else (1, 2)
    module = ir.Module("kernels")
    module.triple = llvm.get_process_triple()
    write_kernels(module, lanes, rows, blocks)
    # By default LLVM avoids the widest vectors, which these kernels rely on.
    named = features.flatten() + (",-prefer-256-bit" if wide else "")
    target = llvm.Target.from_triple(module.triple).create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=named, opt=2, jit=True
    )
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    # The loops are written as vectors already.
    tuning.loop_vectorization = tuning.slp_vectorization = False
    builder = llvm.create_pass_builder(target, tuning)
    builder.getModulePassManager().run(parsed, builder)
    engine = llvm.create_mcjit_compiler(parsed, target)
    engine.finalize_object()
    numbers = [ctypes.c_int64] * 4

    def functions(name: str) -> dict[int, Kernel]:
        kind = ctypes.CFUNCTYPE(None, *numbers)
        return {n: kind(engine.get_function_address(f"{name}_{n}")) for n in blocks}

    return JitKernels(
        lanes, rows, functions("conv"), functions("direct"), functions("shrink"),
        functions("grow"), engine,
    )  # fmt: skip
