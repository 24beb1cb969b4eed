"""The interface of linear operators on tensors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Operator(Protocol):
    """A linear degradation y = A x, on images of shape (B, C, H, W)."""

    @property
    def norm(self) -> float:
        """The largest singular value."""
        ...

    def forward(self, x: Tensor) -> Tensor:
        """A x."""
        ...

    def adjoint(self, y: Tensor) -> Tensor:
        """A' y, so that <A x, y> = <x, A' y>."""
        ...

    def pinv(self, y: Tensor) -> Tensor:
        """A⁺ y, or an approximation of it that the operator states."""
        ...


class NullSpaceOperator(Operator, Protocol):
    """An operator whose non-zero singular values are all `norm`, and whose `pinv` is exact.

    A A⁺ A = A and A⁺ A A⁺ = A⁺ (the Moore-Penrose conditions that null-space sampling needs).
    `PhasedKSpace` satisfies them nearly, and `KSpace` has a second singular value, as it says.
    """


def power_norm(operator: Operator, start: Tensor, rounds: int = 30) -> float:
    """The largest singular value of an operator by power iterations, from below.

    Parameters
    ----------
    operator : Operator
    start : Tensor, shape (1, C, H, W)
        An image that is not orthogonal to what the operator enlarges most.
    rounds : int
    """
    x, value = start, 0.0
    for _ in range(rounds):
        x = x / x.abs().square().sum().sqrt()
        x = operator.adjoint(operator.forward(x))
        value = float(x.abs().square().sum().sqrt())
    return math.sqrt(value)
