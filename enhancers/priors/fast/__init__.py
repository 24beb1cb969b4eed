"""The embedded networks on a CPU, by kernels compiled for it when they are first needed.

`network` walks a UNet2DModel, `plan` says what is computed where in memory, `layers` lays out the
weights, `machine` compiles what `kernels`, `winograd` and `pixels` write in the language of `emit`.
"""
