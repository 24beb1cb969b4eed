"""Operators of MR: part of k-space of a real image, of one with a phase, and of several coils."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class KSpace:
    """Undersampled MR of a real image: A = mask times the unitary 2-D FFT.

    ``mask`` has values 0 and 1 and the shape (H, W) of the image's spectrum, or one that broadcasts
    to it (zero frequency first). The spectrum of a real image is conjugate symmetric: a frequency
    that was sampled gives its negative too, and where both were sampled A⁺ takes their mean. The
    singular value is 1 where both were, and the square root of 1/2 where one was.
    """

    mask: Tensor
    norm: float = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Sampled spectrum, complex, same shape."""
        return _spectrum(x) * self.mask

    def adjoint(self, y: Tensor) -> Tensor:
        """The real part of the zero-filled image."""
        return _image(y * self.mask).real

    def pinv(self, y: Tensor) -> Tensor:
        """The real image of least norm with this spectrum."""
        mask = self.mask.expand(y.shape[-2:])
        return _image(y * (mask * 2 / (1 + _negated(mask)))).real


@dataclass(frozen=True, eq=False)
class PhasedKSpace:
    """Undersampled MR of an image with a known phase: A = mask, FFT, times ``phase``.

    ``phase`` has the shape (H, W) and magnitude 1. The image is real; `pinv` approximates A⁺ by
    gradient steps (Landweber, 1951), which leave out what the mask hardly determines.
    """

    mask: Tensor
    phase: Tensor
    rounds: int = 3
    norm: float = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Sampled spectrum, complex, same shape."""
        return _spectrum(x * self.phase) * self.mask

    def adjoint(self, y: Tensor) -> Tensor:
        """The zero-filled image, turned back by its phase, real."""
        return (_image(y * self.mask) * self.phase.conj()).real

    def pinv(self, y: Tensor) -> Tensor:
        """A real image whose spectrum is near ``y``."""
        x = self.adjoint(y)
        for _ in range(self.rounds - 1):
            x = x + self.adjoint(y - self.forward(x))
        return x


@dataclass(frozen=True, eq=False)
class CoilKSpace:
    """Undersampled MR of a complex image by several coils: A = mask, FFT, times sensitivities.

    Parameters
    ----------
    mask : Tensor, values 0 and 1, shape (H, W), or one that broadcasts to it
        Zero frequency first.
    sensitivities : Tensor, complex, shape (coils, H, W)
        Their squared magnitudes add up to 1 at every pixel, so that the norm is at most 1.
    rounds : int
        Of `pinv`.
    """

    mask: Tensor
    sensitivities: Tensor
    rounds: int = 20
    norm: float = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W), complex, to the sampled spectra (B, coils, H, W)."""
        return _spectrum(x * self.sensitivities) * self.mask

    def adjoint(self, y: Tensor) -> Tensor:
        """(B, coils, H, W) to the zero-filled image, the coils combined, (B, 1, H, W)."""
        images = _image(y * self.mask)
        combined: Tensor = (images * self.sensitivities.conj()).sum(dim=1, keepdim=True)
        return combined

    def pinv(self, y: Tensor) -> Tensor:
        """SENSE by conjugate gradients on A' A x = A' y (Pruessmann et al., MRM 46, 2001).

        Starting from zero, it approaches A⁺ y; ``rounds`` steps leave out what the samples hardly
        determine, which is mostly noise.
        """
        x = y.new_zeros(()).expand(len(y), 1, *y.shape[-2:])
        left = self.adjoint(y)
        direction, power = left, _power(left)
        for _ in range(self.rounds):
            moved = self.adjoint(self.forward(direction))
            step = power / (direction.conj() * moved).real.sum((1, 2, 3), keepdim=True).clamp(1e-30)
            x, left = x + step * direction, left - step * moved
            before, power = power, _power(left)
            direction = left + power / before.clamp(1e-30) * direction
        return x


@dataclass(frozen=True, eq=False)
class RealImage:
    """An operator of complex images, for images that are real.

    Parameters
    ----------
    operator : CoilKSpace
        The phase of the image may be part of its sensitivities.
    rounds : int
        Of `pinv`.
    """

    operator: CoilKSpace
    rounds: int = 20
    norm: float = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """As the operator's."""
        return self.operator.forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """The real part of the operator's."""
        return self.operator.adjoint(y).real

    def pinv(self, y: Tensor) -> Tensor:
        """A real image whose spectrum is near ``y``, by gradient steps (Landweber, 1951)."""
        x = self.adjoint(y)
        for _ in range(self.rounds - 1):
            x = x + self.adjoint(y - self.forward(x))
        return x


def _power(x: Tensor) -> Tensor:
    return x.abs().square().sum((1, 2, 3), keepdim=True)


def _spectrum(x: Tensor) -> Tensor:
    import torch

    spectrum: Tensor = torch.fft.fft2(x, norm="ortho")
    return spectrum


def _image(y: Tensor) -> Tensor:
    import torch

    image: Tensor = torch.fft.ifft2(y, norm="ortho")
    return image


def _negated(mask: Tensor) -> Tensor:
    """A mask of frequencies at their negatives."""
    return mask.flip((-2, -1)).roll((1, 1), (-2, -1))
