"""Operators on pixels: identity, block means, masks, cropping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from enhancers.operators.operator import NullSpaceOperator


@dataclass(frozen=True)
class Identity:
    """A = I: denoising."""

    norm: float = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """The image itself."""
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        """The measurement itself."""
        return y

    def pinv(self, y: Tensor) -> Tensor:
        """The measurement itself."""
        return y


@dataclass(frozen=True)
class BlockMean:
    """Super-resolution: A averages ``factor`` x ``factor`` blocks, A⁺ replicates.

    Sides must be divisible by ``factor``.
    """

    factor: int

    @property
    def norm(self) -> float:
        """1/factor: a block of ones has norm ``factor`` and mean one."""
        return 1.0 / self.factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, rH, rW) to (B, C, H, W)."""
        batch, channels, height, width = x.shape
        if height % self.factor or width % self.factor:
            raise ValueError(f"{height} x {width} is not divisible by {self.factor}")
        blocks = x.reshape(
            batch, channels, height // self.factor, self.factor, width // self.factor, self.factor
        )
        return blocks.mean(dim=(3, 5))

    def adjoint(self, y: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, rH, rW)."""
        return self.pinv(y) / self.factor**2

    def pinv(self, y: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, rH, rW)."""
        return y.repeat_interleave(self.factor, -2).repeat_interleave(self.factor, -1)


@dataclass(frozen=True, eq=False)
class Mask:
    """Inpainting: A keeps the pixels where ``mask`` is one and sets the others to zero.

    ``mask`` has values 0 and 1 and a shape that broadcasts to the image's.
    """

    mask: Tensor
    norm: float = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """The image where it was measured."""
        return x * self.mask

    def adjoint(self, y: Tensor) -> Tensor:
        """The same: A is a projection."""
        return y * self.mask

    def pinv(self, y: Tensor) -> Tensor:
        """The same: A is a projection."""
        return y * self.mask


@dataclass(frozen=True)
class Cropped:
    """An operator on the upper left part, of ``height`` x ``width``, of an image padded by more."""

    operator: NullSpaceOperator
    height: int
    width: int
    below: int
    right: int

    @property
    def norm(self) -> float:
        """That of the operator."""
        return self.operator.norm

    def forward(self, x: Tensor) -> Tensor:
        """The measurement of the part."""
        return self.operator.forward(x[..., : self.height, : self.width])

    def adjoint(self, y: Tensor) -> Tensor:
        """The operator's A' y, with zeros in the padding."""
        return self._padded(self.operator.adjoint(y))

    def pinv(self, y: Tensor) -> Tensor:
        """The operator's A⁺ y, with zeros in the padding."""
        return self._padded(self.operator.pinv(y))

    def _padded(self, x: Tensor) -> Tensor:
        from torch.nn import functional

        return functional.pad(x, (0, self.right, 0, self.below))
