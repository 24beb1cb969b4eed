"""Linear degradations H with their pseudo-inverse H⁺, on tensors of shape (B, C, H, W).

Each operator satisfies H H⁺ H = H and H⁺ H H⁺ = H⁺ (the Moore-Penrose conditions that null-space
sampling needs), `PhasedKSpace` nearly. All non-zero singular values are equal, except as `KSpace`
says.
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
    """Undersampled MR of a real image: H = mask times the unitary 2-D FFT.

    ``mask`` has values 0 and 1 and the shape (H, W) of the image's spectrum, or one that broadcasts
    to it (zero frequency first). The spectrum of a real image is conjugate symmetric: a frequency
    that was sampled gives its negative too, and where both were sampled H⁺ takes their mean. The
    singular value is 1 where both were, and the square root of 1/2 where one was.
    """

    mask: Tensor
    singular_value: float = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Sampled spectrum, complex, same shape."""
        import torch

        spectrum: Tensor = torch.fft.fft2(x, norm="ortho")
        return spectrum * self.mask

    def pinv(self, y: Tensor) -> Tensor:
        """The real image of least norm with this spectrum."""
        import torch

        mask = self.mask.expand(y.shape[-2:])
        weight = mask * 2 / (1 + _negated(mask))
        image: Tensor = torch.fft.ifft2(y * weight, norm="ortho")
        return image.real


@dataclass(frozen=True, eq=False)
class PhasedKSpace:
    """Undersampled MR of an image with a known phase: H = mask, FFT, times ``phase``.

    ``phase`` has the shape (H, W) and magnitude 1. The image is real; `pinv` approximates H⁺ by
    gradient steps (Landweber, 1951), which leave out what the mask hardly determines.
    """

    mask: Tensor
    phase: Tensor
    rounds: int = 3
    singular_value: float = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Sampled spectrum, complex, same shape."""
        import torch

        spectrum: Tensor = torch.fft.fft2(x * self.phase, norm="ortho")
        return spectrum * self.mask

    def pinv(self, y: Tensor) -> Tensor:
        """A real image whose spectrum is near ``y``."""
        x = self._adjoint(y)
        for _ in range(self.rounds - 1):
            x = x + self._adjoint(y - self.forward(x))
        return x

    def _adjoint(self, y: Tensor) -> Tensor:
        import torch

        image: Tensor = torch.fft.ifft2(y * self.mask, norm="ortho")
        return (image * self.phase.conj()).real


@dataclass(frozen=True)
class Cropped:
    """An operator on the upper left part, of ``height`` x ``width``, of an image padded by more."""

    operator: Operator
    height: int
    width: int
    below: int
    right: int

    @property
    def singular_value(self) -> float:
        """That of the operator."""
        return self.operator.singular_value

    def forward(self, x: Tensor) -> Tensor:
        """The measurement of the part."""
        return self.operator.forward(x[..., : self.height, : self.width])

    def pinv(self, y: Tensor) -> Tensor:
        """The operator's H⁺ y, with zeros in the padding."""
        from torch.nn import functional

        return functional.pad(self.operator.pinv(y), (0, self.right, 0, self.below))


def _negated(mask: Tensor) -> Tensor:
    """A mask of frequencies at their negatives."""
    return mask.flip((-2, -1)).roll((1, 1), (-2, -1))
