from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from enhancers.errors import ParameterError
from enhancers.networks.restorers.conditions import with_modality
from enhancers.networks.restorers.diffusion_unet import DiffusionUNet
from enhancers.networks.restorers.pix2pix import PatchDiscriminator
from enhancers.networks.training.architectures import scheduler
from enhancers.networks.training.restorers import train, validation
from enhancers.networks.training.restorers.objectives import (
    Given,
    absolute_loss,
    adversarial_loss,
    conditional_loss,
)
from enhancers.networks.training.restorers.pairs import PairedCorpus, read_pairs
from enhancers.networks.training.restorers.train import GROWING, PLANS, Patches, train_restorer
from enhancers.networks.training.restorers.validation import Selection, psnr
from enhancers.networks.training.stage import Recipe, Stage, adam, cosine_decay

SIGNAL = scheduler().alphas_cumprod


def batch(side: int = 64) -> Given:
    torch.manual_seed(0)
    clean = torch.rand(2, 1, side, side) * 2 - 1
    modalities = torch.tensor([0, 2])
    return Given(with_modality(clean * 0.5, modalities), clean, modalities)


def test_the_absolute_loss_is_that_of_the_estimate() -> None:
    given = batch()
    assert float(absolute_loss(lambda x: 2 * x[:, :1], given)) == pytest.approx(0, abs=1e-6)
    assert float(absolute_loss(lambda x: 2 * x[:, :1] + 0.25, given)) == pytest.approx(0.25)


@pytest.mark.parametrize(("target", "kind"), [("residual", "v_prediction"), ("image", "epsilon")])
def test_the_conditional_loss_of_a_perfect_network_is_zero(target: str, kind: str) -> None:
    given = batch()
    config = DiffusionUNet(
        block_out_channels=(32, 32), target=target, prediction_type=kind,
        residual_deviations=(0.5, 1.0, 0.25),
    )  # fmt: skip

    class Knows(nn.Module):
        def __init__(self, error: float) -> None:
            super().__init__()
            self.config: Any = config.config
            self.deviations: Any = config.deviations
            self.error = error

        def forward(self, state: Tensor, steps: Tensor, condition: Tensor) -> Tensor:
            abar = SIGNAL[steps].view(-1, 1, 1, 1)
            wanted: Tensor = given.clean
            if target == "residual":
                wanted = (wanted - given.condition[:, :1]) / self.deviations(given.modalities)
            noise: Tensor = (state - abar.sqrt() * wanted) / (1 - abar).sqrt()
            velocity: Tensor = abar.sqrt() * noise - (1 - abar).sqrt() * wanted
            if kind == "epsilon":
                return noise + self.error
            return velocity + self.error

    assert float(conditional_loss(Knows(0.0), given, SIGNAL)) < 1e-6
    assert float(conditional_loss(Knows(0.5), given, SIGNAL)) > 0.25


def test_the_discriminator_learns_at_a_rate_of_its_own(tmp_path: Path) -> None:
    plan = PLANS["pix2pix"]
    networks = nn.ModuleDict(
        {"generator": nn.Conv2d(16, 16, 3), "discriminator": nn.Conv2d(16, 16, 3)}
    )
    stage = Stage("pix2pix", networks, 1.0, tmp_path, "cpu", plan.recipe, max_steps=200)
    rates = {}

    def loss() -> Tensor:
        rates[stage.steps] = [
            group["lr"] for each in stage.optimizers for group in each.param_groups
        ]
        parts = (weight.square().mean() for weight in stage.model.parameters())
        return torch.stack(list(parts)).sum()

    stage.fit(loss)
    for generator, *_, discriminator in (rates[0], rates[60], rates[150]):
        assert discriminator / generator == pytest.approx(train.RATE / train.FAST.rate)
    assert rates[150][0] < rates[60][0] < train.FAST.rate


def test_a_checkpoint_of_other_optimisers_is_refused(tmp_path: Path) -> None:
    made = {}
    for recipe in (Recipe(1e-3, cosine_decay, adam), PLANS["restormer"].recipe):
        stage = Stage("one", nn.Conv2d(16, 16, 3), 1.0, tmp_path, "cpu", recipe, max_steps=2)
        made[recipe] = stage
    first, second = made.values()
    first.fit(lambda: next(first.model.parameters()).square().mean())
    with pytest.raises(ParameterError, match=r"one\.pt is of a training with other optimisers"):
        second.resume()


def test_some_images_are_restored_without_being_told() -> None:
    told: list[bool] = []
    network = DiffusionUNet(block_out_channels=(32, 32))

    class Records(nn.Module):
        config, deviations = network.config, network.deviations

        def forward(self, state: Tensor, steps: Tensor, condition: Tensor) -> Tensor:
            told.extend(condition.flatten(1).any(1).tolist())
            return torch.zeros_like(state)

    given = batch(8)
    for _ in range(150):
        conditional_loss(Records(), given, SIGNAL)
    assert 0.82 < sum(told) / len(told) < 0.97


def test_each_of_the_adversaries_is_taught_its_own_part() -> None:
    class Adds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            return 2 * x[:, :1] + self.shift

    networks = nn.ModuleDict({"generator": Adds(), "discriminator": PatchDiscriminator(width=8)})
    given = batch(128)
    torch.autograd.backward(adversarial_loss(networks, given))
    discriminator: Any = networks["discriminator"]
    found = [weights.grad.clone() for weights in discriminator.parameters()]
    # What the discriminator learns does not depend on the generator being trained beside it.
    discriminator.zero_grad()
    real = discriminator(given.condition, given.clean)
    false = discriminator(given.condition, networks["generator"](given.condition).detach())
    ones, zeros = torch.ones_like(real), torch.zeros_like(false)
    cross = nn.functional.binary_cross_entropy_with_logits
    torch.autograd.backward((cross(real, ones) + cross(false, zeros)) / 2)
    for ours, alone in zip(found, discriminator.parameters(), strict=True):
        assert torch.allclose(ours, alone.grad, atol=1e-5)
    assert networks["generator"].shift.grad is not None


def test_patches_grow() -> None:
    plan = PLANS["restormer"]
    assert [plan.patches_at(share).side for share in (0.0, 0.39, 0.4, 0.9)] == [64, 64, 96, 128]
    areas = [each.count * each.side**2 for each in GROWING]
    assert max(areas) <= 1.2 * min(areas)


@pytest.mark.parametrize("which", sorted(PLANS))
def test_the_published_size_is_many_times_the_small_one(which: str) -> None:
    corpus = read_pairs(None, ("MR",), phantoms=10)
    plan = PLANS[which]
    with torch.device("meta"):
        both = [plan.part(plan.network(corpus, 0, **config)) for config in ({}, plan.published)]
    small, large = (sum(weights.numel() for weights in one.parameters()) for one in both)
    assert small < 5e6
    assert 20e6 < large < 70e6


def test_the_best_average_is_kept_and_a_training_without_gain_ends(tmp_path: Path) -> None:
    figures = iter([1.0, 3.0, *[2.0] * 100])

    def made() -> tuple[Stage, Selection]:
        torch.manual_seed(0)
        recipe = Recipe(1e-2, cosine_decay, adam)
        stage = Stage("line", nn.Linear(1, 1), 0.0, tmp_path, "cpu", recipe, max_steps=2000)
        return stage, Selection(stage, tmp_path / "best.pt", lambda network: next(figures))

    stage, best = made()
    ones = torch.ones((1, 1))
    stage.fit(lambda: (stage.model(ones) - 5).square().mean(), best.is_over)
    assert len(best.curve) == 2 + validation.PATIENCE
    assert stage.steps < 2000
    assert best.best["score"] == 3.0
    kept = {name: weights.clone() for name, weights in best.best["weights"].items()}
    _, found = made()
    found.resume()
    assert found.curve == best.curve
    for name, weights in found.chosen().state_dict().items():
        assert torch.equal(weights, kept[name])


def test_psnr_is_of_clipped_images() -> None:
    clean = torch.ones((1, 1, 4, 4))
    assert psnr(clean - 0.2, clean) == pytest.approx(20.0, abs=1e-3)
    assert psnr(clean + 5, clean) == pytest.approx(100.0)


@pytest.fixture(scope="module")
def corpus() -> PairedCorpus:
    return read_pairs(None, ("MR",), phantoms=10)


@pytest.mark.parametrize("which", sorted(PLANS))
def test_a_training_writes_a_folder_that_loads(
    which: str, corpus: PairedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "EACH", 1)
    monkeypatch.setattr(train, "VALIDATION_STEPS", 1)
    monkeypatch.setattr(train, "DEVIATION_BATCHES", 1)
    plan = PLANS[which]
    monkeypatch.setattr(plan.__class__, "patches_at", lambda self, share: Patches(0.0, 64, 2))
    result = train_restorer(which, corpus, 0.001, tmp_path, "cpu")
    assert result.steps >= 1
    facts = json.loads((tmp_path / "training.json").read_text())
    assert facts["class"] in (tmp_path / "README.md").read_text()
    assert set(result.validation) == {"MR degraded, dB", "MR restored, dB"}
    from enhancers.networks.restorers import diffusion_unet, pix2pix, restormer

    classes = {
        name: getattr(module, name)
        for module, name in (
            (restormer, "Restormer"), (pix2pix, "Pix2PixGenerator"),
            (diffusion_unet, "DiffusionUNet"),
        )
    }  # fmt: skip
    network = classes[facts["class"]].from_pretrained(tmp_path / "restorer")
    assert all(torch.isfinite(weights).all() for weights in network.parameters())
    longer = train_restorer(which, corpus, result.minutes + 0.001, tmp_path, "cpu", resume=True)
    assert longer.steps > result.steps
    onward = train_restorer(which, corpus, 0.001, tmp_path / "onward", "cpu", start=tmp_path)
    assert onward.steps > longer.steps
    assert onward.minutes > longer.minutes
