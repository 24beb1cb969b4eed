"""The embedded networks on a CPU, by kernels compiled for it when they are first needed.

`network` walks a UNet2DModel, `plan` says what is computed where in memory, `layers` lays out the
weights, `jit` compiles what `kernels`, `winograd` and `pixels` write with `llvm_builder`.
"""

from __future__ import annotations

CHANNELS = 16
"""The kernels take channels in multiples of this."""
