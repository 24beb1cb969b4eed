"""The network denoiser: what it removes, what it leaves, and its eight orientations."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from enhancers.compare import enhance
from enhancers.degrade import degrade
from enhancers.image import from_array
from enhancers.method import Modality
from enhancers.phantoms import phantom

TRUTH = phantom("chest_xray", size=128, seed=3).pixels


def denoised(key: str, noisy: NDArray[np.float32], **params: object) -> NDArray[np.float32]:
    return enhance(from_array(noisy, Modality.XR), key, params=params, seed=2).pixels


def error(pixels: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean((pixels - TRUTH) ** 2)))


@pytest.mark.parametrize("kind", ["gaussian", "rician"])
@pytest.mark.parametrize("sigma", [None, 0.1])
def test_it_is_closer_to_the_truth_than_non_local_means(kind: str, sigma: float | None) -> None:
    noisy = degrade(TRUTH, kind, 0.1, seed=1)
    ours, theirs = (denoised(key, noisy, sigma=sigma, noise=kind) for key in ("denoiser", "nlm"))
    assert error(ours) < 0.95 * error(theirs)


def test_clipped_noise_is_restored_unless_it_shall_not_be() -> None:
    noisy = degrade(TRUTH, "gaussian", 0.1, seed=1)
    restored, left = (denoised("denoiser", noisy, sigma=0.1, unclip=u) for u in (True, False))
    assert error(restored) < 0.9 * error(left)


def test_the_mean_of_eight_orientations_turns_with_the_image() -> None:
    noisy = degrade(TRUTH[:64, :64], "gaussian", 0.1, seed=1) * 0.8 + 0.1
    image = from_array(noisy, Modality.XR)
    given = {"sigma": 0.08, "flips": True}
    result = enhance(image, "denoiser", params=given)
    assert result.calls == 8
    for turn in (np.rot90, lambda a: a[:, ::-1]):
        turned = from_array(np.ascontiguousarray(turn(noisy)), Modality.XR)
        again = enhance(turned, "denoiser", params=given)
        assert np.allclose(again.pixels, turn(result.pixels), atol=2e-5)
    once = enhance(image, "denoiser", params=given | {"flips": False})
    assert once.calls == 1
    assert not np.allclose(once.pixels, result.pixels, atol=1e-3)


def test_the_network_gets_the_padded_size_of_any_image() -> None:
    noisy = degrade(TRUTH, "gaussian", 0.1, seed=1)[:57, :91]
    assert denoised("denoiser", noisy).shape == (57, 91)


def test_noise_that_grows_toward_a_corner_is_removed_by_place() -> None:
    truth = phantom("chest_xray", size=256, seed=3).pixels
    row, column = np.meshgrid(*[np.linspace(-1, 1, 256)] * 2, indexing="ij")
    sigma = 0.05 * np.exp(0.7 * row + 0.7 * column)
    noise = sigma * np.random.default_rng(1).standard_normal(truth.shape)
    image = from_array(np.clip(truth + noise, 0, 1).astype(np.float32), Modality.XR)
    by_place = enhance(image, "denoiser")
    shown = {figure.name: figure.value for figure in by_place.figures}
    assert shown["sigma_high"] > 2 * shown["sigma_low"]
    assert "σ is largest at the bottom right and least at the top left" in by_place.notes[1]
    assert by_place.calls == 1
    told = enhance(image, "denoiser", params={"sigma": shown["sigma"]})
    errors = [float(np.mean((one.pixels - truth) ** 2)) for one in (by_place, told)]
    assert errors[0] < 0.95 * errors[1]
