"""Recognition of out-of-memory errors in all forms that torch raises."""

from __future__ import annotations

PHRASES = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory",
           "alloc_failed")  # fmt: skip
"""Parts of the messages of CUDA, cuBLAS, Metal and the CPU's allocator, in lower case."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` reports that memory ran out."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in text for phrase in PHRASES)
