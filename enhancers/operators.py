"""Linear degradations H with their pseudo-inverse H⁺, on tensors of shape (B, C, H, W).

Each operator satisfies H H⁺ H = H and H⁺ H H⁺ = H⁺ (the Moore-Penrose conditions that null-space
sampling needs), and all its non-zero singular values are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Operator(Protocol):
    """A degradation y = H x whose non-zero singular values all equal `singular_value`."""

    @property
    def singular_value(self) -> float:
        """The common non-zero singular value."""
        ...

    def forward(self, x: Tensor) -> Tensor:
        """H x."""
        ...

    def pinv(self, y: Tensor) -> Tensor:
        """H⁺ y."""
        ...


@dataclass(frozen=True)
class Identity:
    """H = I: denoising."""

    singular_value: float = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """The image itself."""
        return x

    def pinv(self, y: Tensor) -> Tensor:
        """The measurement itself."""
        return y


@dataclass(frozen=True)
class BlockMean:
    """Super-resolution: H averages ``factor`` x ``factor`` blocks, H⁺ replicates.

    Sides must be divisible by ``factor``; the singular value is 1/factor.
    """

    factor: int

    @property
    def singular_value(self) -> float:
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

    def pinv(self, y: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, rH, rW)."""
        return y.repeat_interleave(self.factor, -2).repeat_interleave(self.factor, -1)


@dataclass(frozen=True, eq=False)
class Mask:
    """Inpainting: H keeps the pixels where ``mask`` is one and sets the others to zero.

    ``mask`` has values 0 and 1 and a shape that broadcasts to the image's.
    """

    mask: Tensor
    singular_value: float = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """The image where it was measured."""
        return x * self.mask

    def pinv(self, y: Tensor) -> Tensor:
        """The same: H is a projection."""
        return y * self.mask


@dataclass(frozen=True, eq=False)
class KSpace:
    """Undersampled MR: H = mask times the unitary 2-D FFT; measurements are complex.

    ``mask`` has values 0 and 1, the shape (H, W) of the image's spectrum (zero frequency first),
    and is symmetric under frequency negation, so that H⁺ y is real.
    """

    mask: Tensor
    singular_value: float = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Sampled spectrum, complex, same shape."""
        import torch

        spectrum: Tensor = torch.fft.fft2(x, norm="ortho")
        return spectrum * self.mask

    def pinv(self, y: Tensor) -> Tensor:
        """Zero-filled reconstruction, real."""
        import torch

        image: Tensor = torch.fft.ifft2(y * self.mask, norm="ortho")
        return image.real
