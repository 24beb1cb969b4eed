"""The data term for noise with a covariance that is diagonal in frequency."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from enhancers.classical.nlm import nlm
from enhancers.degrade import degrade
from enhancers.diffusion.null_space import read_task
from enhancers.diffusion.null_space_steps import (
    coloured_step,
    denoise_step,
    filtered,
)
from enhancers.image import from_array
from enhancers.method import Modality, ParameterValue
from enhancers.method_interface import Result, load_method
from enhancers.networks.coloured_noise import missing_noise
from enhancers.networks.timesteps import TimestepPair, timesteps
from enhancers.networks.training.architectures import scheduler
from enhancers.noise_spectrum import NoiseSpectrum
from enhancers.phantoms import phantom
from enhancers.registry import resolve

SIDE = 64
PAIRS = timesteps(scheduler().alphas_cumprod, 20)
SPECTRUM = NoiseSpectrum((0.05, 0.5), (0.6, 0.06))


def drawn(seed: int) -> Tensor:
    return torch.randn((1, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(seed))


def amplitude(spectrum: NoiseSpectrum) -> Tensor:
    return torch.from_numpy(spectrum.amplitude((SIDE, SIDE))).float()


def at_level(level: float) -> TimestepPair:
    """The first step after which noise is less than ``level``."""
    return next(pair for pair in PAIRS if pair.s < level * pair.a)


@pytest.mark.parametrize("level", [0.1, 0.4, 1.5])
def test_a_white_spectrum_is_the_step_for_white_noise(level: float) -> None:
    x0, y, z = drawn(1), drawn(2), drawn(3)
    pair = at_level(level)
    white = amplitude(NoiseSpectrum.white(0.4))
    expected = denoise_step(pair, x0, y, z, sigma=0.4, eta=0.3)
    found = coloured_step(pair, x0, y, z, spectrum=white, eta=0.3)
    assert torch.allclose(found, expected, atol=1e-5)


def test_what_is_kept_of_the_measurement_gets_white_noise() -> None:
    noise = filtered(drawn(4), amplitude(SPECTRUM))
    pair = at_level(2.0)
    state = coloured_step(pair, drawn(5), noise, drawn(6), spectrum=amplitude(SPECTRUM), eta=0.3)
    power = torch.fft.rfft2(state).abs().square() / SIDE**2
    low, high = power[..., :8, :8].mean(), power[..., 24:40, 24:].mean()
    assert float(low) == pytest.approx(pair.s**2, rel=0.3)
    assert float(high) == pytest.approx(pair.s**2, rel=0.3)


def test_missing_noise_fills_a_measurement_up_to_the_noise_of_the_step() -> None:
    pair = at_level(2.0)
    spectrum = amplitude(SPECTRUM)
    total = pair.signal * spectrum**2 + missing_noise(pair, spectrum) ** 2
    assert torch.allclose(total, torch.full_like(total, 1.0 - pair.signal), atol=1e-5)


def enhanced(pixels: np.ndarray, **given: ParameterValue) -> Result:
    params = resolve("null_space", Modality.CT, given)
    image = from_array(pixels, Modality.CT)
    last = list(load_method("null_space").run(image, params, seed=0, device="cpu"))[-1]
    assert last.result is not None
    return last.result


def loss(found: np.ndarray, clean: np.ndarray) -> float:
    return -10 * math.log10(np.mean((found - clean) ** 2))


def test_the_data_term_takes_the_spectrum_that_was_measured() -> None:
    noise = filtered(drawn(7), amplitude(SPECTRUM))[0, 0].numpy()
    noisy = (0.5 + 0.05 * noise / noise.std()).astype(np.float32)
    found = read_task(resolve("null_space", Modality.CT, {}), noisy)
    assert found.coloured is not None
    assert found.coloured.correlation > 0.4
    assert found.peak > 1.5 * found.sigma
    assert found.sigma == pytest.approx(0.05, rel=0.3)
    # A given σ is that of white noise.
    given = read_task(resolve("null_space", Modality.CT, {"sigma": 0.05}), noisy)
    assert given.coloured is None
    assert given.peak == given.sigma == 0.05


@pytest.mark.exhaustive
def test_low_dose_ct_is_denoised_better_than_by_nlm_that_knows_its_noise() -> None:
    clean = phantom("ct", size=256, seed=22).pixels
    noisy = degrade(clean, "low_dose", 0.25, seed=1)
    inside = (noisy > 0) & (noisy < 1)
    known = float((noisy - clean)[inside].std())
    rival = nlm(noisy, sigma=known, beta=1.2, noise="gaussian", patch=5, search=11)
    result = enhanced(noisy)
    assert loss(result.pixels, clean) > loss(rival, clean) + 0.2
    figures = {figure.name: figure.value for figure in result.figures}
    assert figures["sigma"] == pytest.approx(known, rel=0.3)
    assert figures["noise_correlation"] > 0.4
    white = enhanced(noisy, sigma=figures["sigma"])
    assert "noise_correlation" not in {figure.name for figure in white.figures}
    assert loss(result.pixels, clean) > loss(white.pixels, clean) + 0.2
