"""Linear operators of imaging, with their adjoint, norm and pseudo-inverse.

`Operator` is what every one offers, `NullSpaceOperator` what null-space sampling needs of some.
"""

from __future__ import annotations

from enhancers.operators.beam import Beam
from enhancers.operators.kspace import CoilKSpace, KSpace, PhasedKSpace, RealImage
from enhancers.operators.operator import NullSpaceOperator, Operator
from enhancers.operators.pixels import BlockMean, Cropped, Identity, Mask
from enhancers.operators.projection import Projection, filtered_back_projection

__all__ = [
    "Beam",
    "BlockMean",
    "CoilKSpace",
    "Cropped",
    "Identity",
    "KSpace",
    "Mask",
    "NullSpaceOperator",
    "Operator",
    "PhasedKSpace",
    "Projection",
    "RealImage",
    "filtered_back_projection",
]
