from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import nn

from benchmarks.ablations.prediction_type import EPSILON, Kind, Target
from benchmarks.ablations.recipes import Recipe
from benchmarks.ablations.trainings import prediction_loss
from enhancers.networks.training.architectures import scheduler

ABAR = torch.tensor([0.999, 0.6, 0.02]).view(-1, 1, 1, 1)


def drawn(seed: int) -> torch.Tensor:
    return torch.randn((3, 1, 4, 4), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_noise_comes_back_from_what_the_network_should_answer(kind: Any) -> None:
    target, clean, noise = Target(kind), drawn(0), drawn(1)
    noisy = ABAR.sqrt() * clean + (1 - ABAR).sqrt() * noise
    answer = target.of(clean, noise, ABAR)
    assert torch.allclose(target.noise(answer, noisy, ABAR), noise, atol=2e-4)


def test_v_is_the_velocity_of_the_rotation() -> None:
    clean, noise = drawn(0).double(), drawn(1).double()
    angle = torch.arccos(ABAR.double().sqrt())
    step = 1e-6
    ahead = torch.cos(angle + step) * clean + torch.sin(angle + step) * noise
    behind = torch.cos(angle - step) * clean + torch.sin(angle - step) * noise
    v = Target("v_prediction").of(clean, noise, ABAR.double())
    assert torch.allclose(v, (ahead - behind) / (2 * step), atol=1e-6)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_min_snr_weighs_the_same_error_of_the_clean_image_alike(kind: Any) -> None:
    # An error of the clean image, expressed as the answer of each kind of network.
    clean, noise, error = drawn(0), drawn(1), drawn(2)
    noisy = ABAR.sqrt() * clean + (1 - ABAR).sqrt() * noise
    wrong = clean + error
    implied = (noisy - ABAR.sqrt() * wrong) / (1 - ABAR).sqrt()
    target = Target(kind, 5.0)
    found = (
        target.weight(ABAR)
        * (target.of(wrong, implied, ABAR) - target.of(clean, noise, ABAR)).square()
    )
    ratio = (ABAR / (1 - ABAR)).clamp_max(5.0)
    assert torch.allclose(found, ratio * error.square(), rtol=1e-3, atol=1e-4)


def test_without_a_limit_all_times_weigh_alike() -> None:
    assert torch.equal(EPSILON.weight(ABAR), torch.ones_like(ABAR))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_network_that_knows_the_image_has_no_loss(kind: Any) -> None:
    signal = scheduler().alphas_cumprod
    clean, target = drawn(0), Target(kind, 5.0)

    class Oracle(nn.Module):
        def forward(self, noisy: torch.Tensor, steps: torch.Tensor) -> object:
            abar = signal[steps].view(-1, 1, 1, 1)
            noise = (noisy - abar.sqrt() * clean) / (1 - abar).sqrt()
            return type("Output", (), {"sample": target.of(clean, noise, abar)})

    recipe = Recipe("k", "", target=target)
    torch.manual_seed(0)
    assert float(prediction_loss(Oracle(), clean, signal, recipe)) < 1e-6
    other = prediction_loss(Oracle(), clean + 1, signal, recipe)
    assert float(other) > 1e-2
