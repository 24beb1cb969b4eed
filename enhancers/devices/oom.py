"""Recognising that a device's memory ran out, in all the ways that torch says it."""

from __future__ import annotations

PHRASES = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory",
           "alloc_failed")  # fmt: skip
"""What the messages of CUDA, cuBLAS, Metal and the CPU's allocator have in common, lowered."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that there is no memory left."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in text for phrase in PHRASES)
