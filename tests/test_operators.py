"""One generic test for all operators: the Moore-Penrose conditions, the singular value."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from enhancers.operators import BlockMean, Identity, KSpace, Mask, Operator

SIDE = 16


def _pixel_mask() -> Tensor:
    return (torch.rand((SIDE, SIDE), generator=torch.Generator().manual_seed(1)) > 0.4).double()


def _spectrum_mask() -> Tensor:
    """Symmetric under frequency negation, as `KSpace` asks."""
    kept = torch.rand((SIDE, SIDE), generator=torch.Generator().manual_seed(2)) > 0.5
    mirrored = torch.roll(torch.flip(kept, (0, 1)), (1, 1), (0, 1))
    return (kept | mirrored).double()


OPERATORS: dict[str, Operator] = {
    "identity": Identity(),
    "block mean 2": BlockMean(2),
    "block mean 4": BlockMean(4),
    "block mean 8": BlockMean(8),
    "mask": Mask(_pixel_mask()),
    "k-space": KSpace(_spectrum_mask()),
}


@pytest.fixture(params=OPERATORS, ids=str)
def operator(request: pytest.FixtureRequest) -> Operator:
    return OPERATORS[request.param]


@pytest.fixture
def image() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn((2, 1, SIDE, SIDE), generator=generator, dtype=torch.float64)


def test_h_pinv_h_is_h(operator: Operator, image: Tensor) -> None:
    y = operator.forward(image)
    torch.testing.assert_close(operator.forward(operator.pinv(y)), y)


def test_pinv_h_pinv_is_pinv(operator: Operator, image: Tensor) -> None:
    back = operator.pinv(operator.forward(image))
    torch.testing.assert_close(operator.pinv(operator.forward(back)), back)


def test_pinv_h_is_an_orthogonal_projection(operator: Operator, image: Tensor) -> None:
    other = torch.roll(image, 3, -1)
    projected = operator.pinv(operator.forward(image))
    projected_other = operator.pinv(operator.forward(other))
    torch.testing.assert_close((projected * other).sum(), (image * projected_other).sum())


def test_the_singular_value_scales_every_measurable_image(
    operator: Operator, image: Tensor
) -> None:
    measurable = operator.pinv(operator.forward(image))
    norm = operator.forward(measurable).abs().square().sum().sqrt()
    torch.testing.assert_close(norm, operator.singular_value * measurable.square().sum().sqrt())


def test_block_mean_refuses_sides_it_does_not_divide() -> None:
    with pytest.raises(ValueError, match="16 x 17"):
        BlockMean(4).forward(torch.zeros((1, 1, 16, 17)))
