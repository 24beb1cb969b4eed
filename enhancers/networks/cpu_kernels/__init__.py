"""Runs the embedded networks on a CPU by kernels that are compiled for it on first use.

`network` reads a UNet2DModel, `plan` assigns memory to each step, `layers` arranges the weights,
and `jit` compiles the kernels that `kernels`, `winograd` and `pixels` generate (`llvm_builder`).
"""

from __future__ import annotations

CHANNELS = 16
"""The number of channels must be a multiple of this."""
