from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from enhancers.degrade import degrade
from enhancers.diffusion.guidance import Guidance, image_noise, regional_weight
from enhancers.diffusion.pseudo_label import (
    compose,
    guided_step,
    latent_noise,
    raised,
    sample,
)
from enhancers.image import Pixels, from_array
from enhancers.method import Modality, ParameterValue
from enhancers.method_interface import Result, load_method
from enhancers.networks.timesteps import timesteps
from enhancers.networks.training.architectures import scheduler
from enhancers.noise_spectrum import NoiseSpectrum
from enhancers.phantoms import phantom
from enhancers.registry import resolve

SIGNAL = scheduler().alphas_cumprod
CLEAN = phantom("echo", size=128, seed=5).pixels
SPECKLED = degrade(CLEAN, "speckle", 0.2, seed=1)
PART = SPECKLED[32:96, 32:96]
"""For what does not depend on the image."""


def run(
    key: str,
    pixels: Pixels = SPECKLED,
    seed: int = 0,
    modality: Modality = Modality.US,
    **given: object,
) -> Result:
    params = resolve(key, modality, given)  # type: ignore[arg-type]
    return run_once(key, pixels.tobytes(), pixels.shape, seed, modality, tuple(params.items()))


@cache
def run_once(
    key: str,
    pixels: bytes,
    shape: tuple[int, ...],
    seed: int,
    modality: Modality,
    params: tuple[tuple[str, ParameterValue], ...],
) -> Result:
    """The same run is computed once for all tests of this module."""
    image = from_array(np.frombuffer(pixels, np.float32).reshape(shape), modality)
    result = list(load_method(key).run(image, dict(params), seed=seed, device="cpu"))[-1].result
    assert result is not None
    return result


def mse(first: Pixels, second: Pixels) -> float:
    return float(np.mean((first - second) ** 2))


def test_full_guidance_ends_at_the_pseudo_label() -> None:
    target = torch.randn((1, 8, 8, 8), generator=torch.Generator().manual_seed(0))
    z = torch.randn((1, 8, 8, 8), generator=torch.Generator().manual_seed(1))
    for moment in timesteps(SIGNAL, 10):
        z, _ = guided_step(moment, z, torch.randn_like(z), target, 1.0)
    torch.testing.assert_close(z, target)


def test_the_noise_is_kept_through_a_step() -> None:
    """The published update: the estimate is moved, ε is not computed again."""
    moment = timesteps(SIGNAL, 10)[3]
    z, noise, target = (torch.full((1, 1, 2, 2), v) for v in (0.7, -0.4, 0.1))
    after, guided = guided_step(moment, z, noise, target, 0.586)
    torch.testing.assert_close(guided, 0.414 * moment.clean(z, noise) + 0.586 * target)
    torch.testing.assert_close(after, moment.a * guided + moment.s * noise)


def test_the_papers_lambda_is_shown() -> None:
    found = run("pseudo_label", PART, steps=2, strength=1.0).figures
    figures = {figure.name: figure.value for figure in found}
    assert figures["guidance"] == pytest.approx(0.586)
    assert figures["lambda"] == pytest.approx(1200, abs=1)
    assert figures["round_trip"] > 15


def test_the_residual_leaves_out_the_autoencoder() -> None:
    decoded, round_trip, label = (torch.rand((1, 1, 16, 16)) for _ in range(3))
    torch.testing.assert_close(compose(decoded, decoded, label, "residual"), label)
    torch.testing.assert_close(compose(decoded, round_trip, label, "full"), decoded)
    smooth = torch.full((1, 1, 16, 16), 0.2)
    torch.testing.assert_close(
        compose(round_trip + smooth, round_trip, label, "fine residual"), label
    )


def test_the_pseudo_label_is_trusted_where_there_is_only_noise() -> None:
    rng = np.random.default_rng(0)
    gray = np.full((96, 96), 0.3, np.float32)
    gray[:, 48:] = np.where(np.arange(48) // 4 % 2, 0.7, 0.2)
    gray += 0.05 * rng.standard_normal(gray.shape).astype(np.float32)
    image = torch.from_numpy(gray)[None, None]
    weight = regional_weight(image, 0.05, (0.4, 0.9))[0, 0]
    assert weight[:, :36].mean() > 0.8
    assert weight[:, 60:].mean() < 0.45
    assert weight.min() >= 0.4
    assert weight.max() <= 0.9
    torch.testing.assert_close(
        regional_weight(image, 0.05, (0.2, 0.2)), torch.full_like(image, 0.2)
    )
    exact = regional_weight(image, 0.0, (0.4, 0.9))
    torch.testing.assert_close(exact, torch.full_like(image, 0.4))


@pytest.mark.parametrize(
    ("modality", "given", "weights"),
    [
        (Modality.US, {"preset": "two-call denoiser"}, (0.2, 0.2)),
        (Modality.MR, {"preset": "two-call denoiser"}, (0.488, 0.488)),
        (Modality.MR, {"preset": "from the image"}, (0.148, 0.148)),
        (Modality.MR, {"preset": "from the image", "steps": 10}, (0.077, 0.077)),
        (Modality.MR, {"preset": "published"}, (0.488, 0.488)),
        (Modality.MR, {"regions": True}, (0.185, 0.602)),
        (Modality.MR, {"regions": True, "preset": "two-call denoiser"}, (0.4, 0.9)),
        (Modality.MR, {"regions": True, "strength": 1.0}, (0.488, 0.488)),
        (Modality.US, {"regions": True, "guidance": 0.3}, (0.3, 0.3)),
        (Modality.CT, {"preset": "two-call denoiser"}, (0.5, 0.5)),
        (Modality.OTHER, {"strength": 1.0}, (0.5, 0.5)),
        (Modality.US, {"strength": 1.0}, (0.586, 0.586)),
        (Modality.MR, {"strength": 0.4}, (0.488, 0.488)),
        (Modality.MR, {"guidance": 0.3}, (0.3, 0.3)),
    ],
)
def test_the_weights_that_are_taken(
    modality: Modality, given: dict[str, ParameterValue], weights: tuple[float, float]
) -> None:
    read = Guidance.read(resolve("pseudo_label", modality, given), modality)
    assert read.weights == pytest.approx(weights, abs=1e-3)
    assert read.regional == (weights[0] != weights[1])


def test_by_region_no_lambda_of_the_paper_is_claimed() -> None:
    given = {"regions": True, "preset": "two-call denoiser"}
    found = run("pseudo_label", PART, modality=Modality.MR, **given).figures
    figures = {one.name: one.value for one in found}
    assert 0.4 < figures["guidance"] < 0.9
    assert "lambda" not in figures


@pytest.mark.parametrize(
    ("modality", "pixels"),
    [
        pytest.param(
            Modality.US,
            np.stack([PART, PART**1.2, PART**1.5], axis=-1),
            marks=pytest.mark.exhaustive,
        ),
        (Modality.MR, PART),
        pytest.param(Modality.CT, PART, marks=pytest.mark.exhaustive),
    ],
    ids=["US in colour", "MR", "CT"],
)
def test_the_contrast_step_comes_last(modality: Modality, pixels: Pixels) -> None:
    limit = resolve("pseudo_label", modality)["clip_limit"]
    quick = {"preset": "two-call denoiser"}
    plain = run("pseudo_label", pixels, modality=modality, contrast=False, **quick).pixels
    final = run("pseudo_label", pixels, modality=modality, **quick).pixels
    own = run("clahe", plain, modality=modality, clip_limit=limit).pixels
    np.testing.assert_array_equal(final, own)


def test_the_bias_field_stays_corrected() -> None:
    truth = phantom("cardiac_mr", size=128, seed=7).pixels
    field = np.linspace(0.25, 1.0, 128, dtype=np.float32)[None, :]
    noisy = degrade(truth * field, "rician", 0.02, seed=1)
    label = run("classical", noisy, modality=Modality.MR, contrast=False).pixels
    plain = run("pseudo_label", noisy, modality=Modality.MR, contrast=False).pixels
    inside = gaussian_filter((truth > 0.15).astype(np.float32), 8) > 0.7

    def from_label(pixels: Pixels) -> float:
        """How far the slow part of the brightness inside the body is from the pseudo-label's."""
        return float(np.sqrt(np.mean(gaussian_filter(pixels - label, 8)[inside] ** 2)))

    # Sampling from the image as it was measured would bring 0.28 of the field back.
    assert from_label(plain) < 0.1 * from_label(noisy)


@pytest.mark.parametrize("strength", [None, 1.0, 0.4])
def test_it_stays_near_its_pseudo_label(strength: float | None) -> None:
    label = run("classical", contrast=False).pixels
    result = run("pseudo_label", contrast=False, strength=strength).pixels
    assert np.sqrt(np.mean((result - label) ** 2)) < 0.06
    assert not np.array_equal(result, label)


def test_strength_saves_calls() -> None:
    assert run("pseudo_label", PART, steps=10, strength=0.3).calls == 3


def test_another_seed_gives_another_sample() -> None:
    given = {"steps": 4, "strength": 1.0}
    first, second = (run("pseudo_label", PART, seed=seed, **given).pixels for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("modality", "kind", "level"), [(Modality.US, "speckle", 0.2), (Modality.MR, "rician", 0.03)]
)
def test_from_the_images_own_noise_it_is_better_than_its_pseudo_label(
    modality: Modality, kind: str, level: float
) -> None:
    truth = phantom("echo" if modality is Modality.US else "cardiac_mr", size=128, seed=5).pixels
    noisy = degrade(truth, kind, level, seed=1)
    label = run("classical", noisy, modality=modality, contrast=False)
    given = {"contrast": False, "preset": "two-call denoiser"}
    result = run("pseudo_label", noisy, modality=modality, **given)
    assert result.calls == 2
    assert mse(result.pixels, truth) < mse(label.pixels, truth)
    assert mse(result.pixels, truth) < mse(noisy, truth)


@pytest.mark.parametrize(
    ("modality", "kind", "level", "spread"),
    [
        (Modality.MR, "rician", 0.04, 0.04),
        (Modality.CT, "gaussian", 0.05, 0.05),
        (Modality.US, "speckle", 0.2, 0.05),
    ],
)
def test_the_noise_that_the_start_is_matched_to(
    modality: Modality, kind: str, level: float, spread: float
) -> None:
    flat = np.full((96, 96), 0.25, np.float32)
    flat[:32] = 0.3
    noisy = degrade(flat, kind, level, seed=0)
    assert image_noise(noisy, modality, None).sigma == pytest.approx(spread, rel=0.25)
    assert image_noise(noisy, modality, level).sigma == pytest.approx(spread, rel=0.1)
    assert image_noise(np.zeros((64, 64), np.float32), Modality.US, None).sigma == 0.0


def test_published_is_pure_noise_ten_steps_and_a_full_decode() -> None:
    read = Guidance.read(resolve("pseudo_label", Modality.US, {"preset": "published"}), Modality.US)
    assert (read.strength, read.calls, read.output) == (1.0, 10, "full")


def test_from_the_image_seed_and_steps_are_real() -> None:
    given = {"preset": "from the image", "contrast": False}
    first, second = (run("pseudo_label", seed=seed, **given) for seed in (0, 1))
    figures = {one.name: one.value for one in first.figures}
    assert first.calls == 5
    assert figures["start_level"] == pytest.approx(figures["latent_noise"], rel=0.1)
    assert figures["network_rms"] > 1.0
    assert 255 * np.sqrt(mse(first.pixels, second.pixels)) > 0.2
    label = run("classical", contrast=False).pixels
    change = 255 * np.sqrt(mse(first.pixels, label))
    assert figures["network_rms"] == pytest.approx(change, rel=0.05)
    for steps, calls, notes in ((8, 8, 0), (3, 5, 1)):
        params = resolve("pseudo_label", Modality.US, given | {"steps": steps})
        read = Guidance.read(params, Modality.US)
        assert (read.calls, len(read.notes)) == (calls, notes)


def test_under_one_gray_level_it_says_that_it_is_the_classical_pipeline() -> None:
    given = {"preset": "two-call denoiser", "guidance": 0.99, "steps": 7}
    notes = " ".join(run("pseudo_label", PART, **given).notes)
    assert "less than one gray level" in notes
    assert "7 steps have no effect" in notes


class Gains:
    """An autoencoder whose latent is the image, times a gain for each channel."""

    def __init__(self, gains: list[float]) -> None:
        self.gains = torch.tensor(gains)[None, :, None, None]

    def encode(self, gray: torch.Tensor) -> torch.Tensor:
        return gray * self.gains


def test_the_noise_of_the_latent_is_measured_by_channel_and_raised_to_one_level() -> None:
    label = torch.full((1, 1, 192, 64), 0.5)
    label[..., :64, :] = 0.0
    network, white = Gains([0.5, 2.0]), NoiseSpectrum.white(0.05)
    spread = latent_noise(network, label, white, Modality.CT, seed=0)  # type: ignore[arg-type]
    torch.testing.assert_close(spread, torch.tensor([0.025, 0.1]), rtol=0.05, atol=0)
    coarse = NoiseSpectrum((0.0, 0.1, 0.2), (0.2, 0.2, 0.0))
    seen = latent_noise(network, label, coarse, Modality.CT, seed=0)  # type: ignore[arg-type]
    torch.testing.assert_close(seen / coarse.sigma, torch.tensor([0.5, 2.0]), rtol=0.1, atol=0)
    usual = latent_noise(network, label, white, Modality.US, seed=0)  # type: ignore[arg-type]
    speckle = (label.square().mean() / 0.25).sqrt() * spread
    torch.testing.assert_close(usual, speckle, rtol=0.1, atol=0)
    first = timesteps(SIGNAL, 10)[-2]
    level = ((1 - first.signal) / first.signal) ** 0.5
    found = raised(torch.zeros((1, 2, 64, 64)), spread, first, seed=0).std((0, 2, 3))
    torch.testing.assert_close(
        (found**2 + spread**2).sqrt(), torch.full((2,), level), rtol=0.05, atol=0
    )


def test_no_step_waits_for_the_device() -> None:
    """On the meta device reading any value back is an error."""
    target = torch.zeros((1, 4, 8, 8), device="meta")
    steps = list(sample(lambda z, t: z, timesteps(SIGNAL, 5), 0.5, target, seed=0, start=target))
    assert [call for call, _ in steps] == [1, 2, 3, 4, 5]
