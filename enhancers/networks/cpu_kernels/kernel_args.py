"""The arguments of a kernel: an array of 64-bit integers, called a job."""

from __future__ import annotations

from enum import IntEnum, auto

from enhancers.networks.cpu_kernels.llvm_builder import LONG, POINTER, LlvmBuilder, Value


class Arg(IntEnum):
    """Indices into a job; addresses are of floats."""

    SOURCE_1 = 0
    CHANNELS_1 = auto()
    SOURCE_2 = auto()
    CHANNELS_2 = auto()
    SCALE = auto()
    SHIFT = auto()
    ACTIVATE = auto()
    ENLARGE = auto()  # 1: the source has half the height and width
    HEIGHT = auto()
    WIDTH = auto()
    WEIGHTS = auto()
    CHANNELS_OUT = auto()
    BIAS = auto()
    RESIDUAL = auto()  # address, or 0
    RECTIFY = auto()  # 1: negative outputs become 0
    SHORT_1 = auto()  # sources of the 1x1 shortcut, or 0
    SHORT_CHANNELS_1 = auto()
    SHORT_2 = auto()
    SHORT_CHANNELS_2 = auto()
    SHORT_WEIGHTS_1 = auto()
    SHORT_WEIGHTS_2 = auto()
    TARGET = auto()
    SUMS = auto()  # (strips, 2, channels out): sums and sums of squares
    TILE_ROWS = auto()  # of a strip
    TILE_COLUMNS = auto()
    GROUP = auto()  # tile columns that are transformed at once
    STRIP_AT = auto()  # places in a thread's scratch memory, in floats
    POINTS_AT = auto()
    PRODUCTS_AT = auto()
    SHORT_AT = auto()
    STRIDE = auto()  # of a direct convolution


def number(code: LlvmBuilder, job: Value, field: Arg) -> Value:
    """An argument of a job."""
    place = code.build.gep(job, [code.whole(int(field))], source_etype=LONG)
    return code.build.load(place, typ=LONG)


def address(code: LlvmBuilder, job: Value, field: Arg) -> Value:
    """An argument of a job as an address."""
    return code.build.inttoptr(number(code, job, field), POINTER)
