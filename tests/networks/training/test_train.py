from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from enhancers.errors import NetworkMissing
from enhancers.networks.denoising_unet import DenoisingUNet
from enhancers.networks.training import train
from enhancers.networks.training.architectures import scheduler
from enhancers.networks.training.corpus import Corpus, read_corpus
from enhancers.networks.training.stage import Stage
from enhancers.networks.training.train import (
    RESTORATION,
    PixelLoss,
    PixelObjective,
    diffusion_loss,
    train_latent,
    train_pixel,
)

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return read_corpus(None, phantoms=2)


def test_the_loss_of_a_perfect_prediction_is_zero() -> None:
    signal = scheduler().alphas_cumprod
    clean = torch.zeros((4, 1, 8, 8))

    class Oracle(nn.Module):
        def forward(self, noisy: torch.Tensor, steps: torch.Tensor) -> object:
            level = (1 - signal[steps]).sqrt().view(-1, 1, 1, 1)
            return type("Output", (), {"sample": noisy / level})

    assert float(diffusion_loss(Oracle(), clean, signal)) < 1e-9


@pytest.mark.parametrize("objective", [RESTORATION, PixelObjective(0.0, 0.0, balanced=False)])
def test_the_loss_of_the_pixel_network_falls_with_its_error(objective: PixelObjective) -> None:
    signal, clean = scheduler().alphas_cumprod, torch.zeros((64, 1, 16, 16))

    class Predicts(nn.Module):
        def __init__(self, share: float) -> None:
            super().__init__()
            self.share = share

        def forward(self, noisy: torch.Tensor, steps: torch.Tensor) -> object:
            level = (1 - signal[steps]).sqrt().view(-1, 1, 1, 1)
            return type("Output", (), {"sample": self.share * noisy / level})

    losses = [
        float(PixelLoss(signal, 0, objective)(Predicts(share), clean)) for share in (0.0, 0.5, 1.0)
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[2] < 1e-3


def test_timesteps_and_clipping_follow_the_objective() -> None:
    signal = scheduler().alphas_cumprod
    found: list[tuple[int, float]] = []

    class Records(nn.Module):
        def forward(self, noisy: torch.Tensor, steps: torch.Tensor) -> object:
            images = (noisy / signal[steps].sqrt().view(-1, 1, 1, 1)).flatten(1)
            found.extend(zip(steps.tolist(), images.mean(1).tolist(), strict=True))
            return type("Output", (), {"sample": torch.zeros_like(noisy)})

    black = torch.full((200, 1, 16, 16), -1.0)
    PixelLoss(signal, 0, PixelObjective(1.0, 0.0))(Records(), black)
    sigma = [float((1 - signal[step]).sqrt() / signal[step].sqrt()) for step, _ in found]
    assert min(sigma) < 0.02
    assert 0.7 < max(sigma) < 1.05
    found.clear()
    # Restoring clipped noise gives black its mean back.
    PixelLoss(signal, 0, PixelObjective(1.0, 1.0))(Records(), black)
    assert max(abs(mean + 1) for step, mean in found if step < 100) < 0.1
    found.clear()
    PixelLoss(signal, 0, PixelObjective(0.0, 0.0))(Records(), black)
    assert sum(step > 500 for step, _ in found) > 60


def test_a_stage_learns_and_its_average_follows(tmp_path: Path) -> None:
    torch.manual_seed(0)
    stage = Stage("line", nn.Linear(1, 1), 0.0, tmp_path, "cpu", max_steps=2000)
    x = torch.linspace(-1, 1, 32)[:, None]
    stage.fit(lambda: (stage.model(x) - 3 * x).square().mean())
    assert stage.steps == 2000
    assert stage.loss < float((3 * x).square().mean())
    assert stage.path.exists()


def test_resuming_goes_on_where_it_stopped(tmp_path: Path) -> None:
    first = Stage("line", nn.Linear(1, 1), 0.005, tmp_path, "cpu")
    first.fit(lambda: first.model(torch.ones((1, 1))).square().mean())
    second = Stage("line", nn.Linear(1, 1), 0.005, tmp_path, "cpu")
    second.resume()
    assert second.steps == first.steps
    for key, value in first.average.items():
        assert torch.equal(second.average[key], value)
    second.fit(lambda: pytest.fail("the minutes were used up"))


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
def test_training_writes_folders_that_load(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers import AutoencoderKL, UNet2DModel

    monkeypatch.setattr(train, "BATCH", 2)
    monkeypatch.setattr(train, "PIXEL_BATCH", 2)
    (pixel,) = train_pixel(corpus, 0.02, tmp_path / "pixel", "cpu")
    coder, latent = train_latent(corpus, 0.05, tmp_path / "latent", "cpu")
    assert min(pixel.steps, coder.steps, latent.steps) >= 1
    facts = json.loads((tmp_path / "latent" / "training.json").read_text())
    assert [stage["stage"] for stage in facts["stages"]] == ["autoencoder", "latent-unet"]
    for kind, folder in (
        (DenoisingUNet, "pixel/unet"),
        (AutoencoderKL, "latent/vae"),
        (UNet2DModel, "latent/unet"),
    ):
        kind.from_pretrained(tmp_path / folder, local_files_only=True, low_cpu_mem_usage=False)
        weights = tmp_path / folder / WEIGHTS
        assert weights.stat().st_size <= 16 * 2**20
    longer = 0.01 + 2 * pixel.minutes
    (resumed,) = train_pixel(corpus, longer, tmp_path / "pixel", "cpu", resume=True)
    assert resumed.steps > pixel.steps


@pytest.mark.timeout(300)
@pytest.mark.exhaustive
def test_training_goes_on_from_the_folder_of_a_prior(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "BATCH", 2)
    first, second = tmp_path / "first", tmp_path / "second"
    coder, latent = train_latent(corpus, 0.03, first, "cpu")
    same_coder, further = train_latent(corpus, 0.03, second, "cpu", start=first)
    assert same_coder == coder
    assert further.steps > latent.steps
    assert further.minutes > latent.minutes
    assert set(further.validation) == {f"{name} noise error" for name in corpus.groups}
    kept = [(folder / "vae" / WEIGHTS).read_bytes() for folder in (first, second)]
    trained = [(folder / "unet" / WEIGHTS).read_bytes() for folder in (first, second)]
    assert kept[0] == kept[1]
    assert trained[0] != trained[1]


def test_a_folder_without_a_prior_cannot_be_trained_further(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(NetworkMissing, match=r"training\.json"):
        train_pixel(corpus, 0.01, tmp_path / "out", "cpu", start=tmp_path)
    (tmp_path / "training.json").write_text('{"stages": []}')
    with pytest.raises(NetworkMissing, match="no trained network"):
        train_pixel(corpus, 0.01, tmp_path / "out", "cpu", start=tmp_path)


def test_a_step_whose_gradient_explodes_is_left_out(tmp_path: Path) -> None:
    """One such step, with momentum, undid an hour of training."""
    torch.manual_seed(0)
    stage = Stage("line", nn.Linear(1, 1), 0.0, tmp_path, "cpu", max_steps=400)
    x = torch.linspace(-1, 1, 64)[:, None]
    seen: list[float] = []

    def loss() -> torch.Tensor:
        seen.append(float(stage.model.weight.detach()))
        factor = {200: 1e6, 201: float("nan")}.get(len(seen), 1.0)
        return factor * (stage.model(x) - 2 * x).square().mean()

    stage.fit(loss)
    assert stage.left_out == 2
    assert seen[200] == seen[199] == seen[201]
    assert math.isfinite(stage.loss)


def test_a_gradient_that_stays_large_becomes_usual(tmp_path: Path) -> None:
    stage = Stage("line", nn.Linear(1, 1), 0.0, tmp_path, "cpu", max_steps=400)
    x = torch.ones((8, 1))
    stage.fit(lambda: (1e3 if stage.steps > 100 else 1.0) * stage.model(x).square().mean())
    assert 0 < stage.left_out < 100
