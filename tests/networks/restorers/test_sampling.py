"""Samples with networks that know the answer."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from enhancers.networks.restorers.conditions import with_modality
from enhancers.networks.restorers.diffusion_unet import DiffusionUNet
from enhancers.networks.restorers.sampling import Sampling, samples
from enhancers.networks.training.architectures import scheduler

SIGNAL = scheduler().alphas_cumprod
CLEAN = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8
WORSE = CLEAN + 0.1 * torch.randn(CLEAN.shape, generator=torch.Generator().manual_seed(2))
CONDITION = with_modality(WORSE, torch.tensor([1]))
SHAPES = {"block_out_channels": (32, 32)}


def draw(shape: torch.Size) -> Tensor:
    return torch.randn(shape)


class Knows:
    """A network whose prediction is that for a known clean image; it counts its calls."""

    def __init__(self, network: DiffusionUNet, clean: Tensor) -> None:
        residual = network.config.target == "residual"
        self.target = (clean - WORSE) / 0.5 if residual else clean
        self.kind = network.config.prediction_type
        self.calls = 0

    def __call__(self, state: Tensor, steps: Tensor, condition: Tensor) -> Tensor:
        self.calls += 1
        told = bool(condition.any())
        abar = float(SIGNAL[int(steps[0])])
        target = self.target if told else torch.zeros_like(self.target)
        noise = (state - math.sqrt(abar) * target) / math.sqrt(1 - abar)
        if self.kind == "epsilon":
            return noise
        return math.sqrt(abar) * noise - math.sqrt(1 - abar) * target


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize(
    "config",
    [
        {"target": "residual", "prediction_type": "v_prediction"},
        {"target": "image", "prediction_type": "epsilon"},
    ],
)
def test_a_perfect_network_gives_the_clean_image(config: dict[str, str], eta: float) -> None:
    network = DiffusionUNet(residual_deviations=(0.2, 0.5, 0.3), **SHAPES, **config)
    knows = Knows(network, CLEAN)
    torch.manual_seed(0)
    found = list(samples(network, knows, SIGNAL, CONDITION, Sampling(10, eta=eta), draw))
    assert len(found) == 10
    assert knows.calls == Sampling(10).calls == 10
    assert torch.allclose(found[-1], CLEAN, atol=1e-3)


def test_guidance_exaggerates_what_the_condition_adds() -> None:
    network = DiffusionUNet(residual_deviations=(0.2, 0.5, 0.3), **SHAPES)
    knows = Knows(network, CLEAN)
    torch.manual_seed(0)
    *_, found = samples(network, knows, SIGNAL, CONDITION, Sampling(5, guidance=2.0), draw)
    assert knows.calls == Sampling(5, guidance=2.0).calls == 10
    assert torch.allclose(found, (WORSE + 2 * (CLEAN - WORSE)).clamp(-1, 1), atol=1e-3)


def test_what_was_measured_holds_in_every_estimate() -> None:
    network = DiffusionUNet(residual_deviations=(0.2, 0.5, 0.3), **SHAPES)

    def correct(image: Tensor) -> Tensor:
        return torch.cat([WORSE[..., :8], image[..., 8:]], dim=-1)

    torch.manual_seed(0)
    knows = Knows(network, CLEAN)
    for estimate in samples(network, knows, SIGNAL, CONDITION, Sampling(4), draw, correct):
        assert torch.equal(estimate[..., :8], WORSE[..., :8])


def test_ancestral_steps_draw_noise_and_deterministic_ones_do_not() -> None:
    drawn: list[int] = []

    def counted(shape: torch.Size) -> Tensor:
        drawn.append(1)
        return torch.randn(shape)

    network = DiffusionUNet(residual_deviations=(0.2, 0.5, 0.3), **SHAPES)
    for eta, most in ((0.0, 1), (1.0, 8)):
        drawn.clear()
        list(
            samples(
                network, Knows(network, CLEAN), SIGNAL, CONDITION, Sampling(8, eta=eta), counted
            )
        )
        assert len(drawn) == most
