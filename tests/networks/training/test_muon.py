from __future__ import annotations

import pytest
import torch
from torch import nn

from enhancers.networks.training.muon import Muon, optimizers, orthogonalised


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (16, 16)])
def test_singular_values_become_alike_and_directions_stay(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalised(matrix)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.5
    assert values.max() < 1.3
    assert (u.T @ found @ v.T).diagonal().min() > 0.5


def test_a_rare_direction_is_learned_as_fast_as_a_frequent_one() -> None:
    weight = nn.Parameter(torch.zeros((2, 2)))
    optimizer = Muon([weight], lr=0.05)
    for _ in range(100):
        weight.grad = torch.diag(torch.tensor([1.0, 0.01])) * (weight.detach() - torch.eye(2))
        optimizer.step()
    frequent, rare = weight.detach().diagonal().tolist()
    # Weights decay on the way.
    assert 0.7 < rare < 1.1
    assert rare == pytest.approx(frequent, rel=0.05)


def test_wide_convolutions_get_muon_and_the_rest_adam() -> None:
    model = nn.Sequential(nn.Conv2d(1, 16, 3), nn.Conv2d(16, 32, 3), nn.Conv2d(32, 1, 3))
    muon, adam = optimizers(model, 1e-3)
    assert [tuple(w.shape) for w in muon.param_groups[0]["params"]] == [(32, 16, 3, 3)]
    assert len(adam.param_groups[0]["params"]) == 5
    (alone,) = optimizers(nn.Linear(2, 2), 1e-3)
    assert not isinstance(alone, Muon)


def test_weights_without_a_gradient_of_their_own_shrink() -> None:
    weight = nn.Parameter(torch.ones((4, 4)))
    optimizer = Muon([weight], lr=0.1)
    weight.grad = torch.zeros((4, 4))
    optimizer.step()
    torch.testing.assert_close(weight.detach(), torch.full((4, 4), 0.99))
