from __future__ import annotations

import numpy as np
import pytest

from enhancers.diffusion.restore_clipped import restore_clipped

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("level", [0.0, 0.03, 0.5, 1.0])
def test_the_noise_is_gaussian_again(level: float, sigma: float) -> None:
    noisy = np.clip(level + sigma * RANDOM.standard_normal((256, 256)), 0, 1).astype(np.float32)
    restored = restore_clipped(noisy, sigma, seed=1)
    assert restored.mean() == pytest.approx(level, abs=0.06 * sigma + 2e-3)
    assert restored.std() == pytest.approx(sigma, rel=0.08)


def test_what_was_not_clipped_is_untouched() -> None:
    noisy = np.clip(0.1 + 0.1 * RANDOM.standard_normal((64, 64)), 0, 1).astype(np.float32)
    restored = restore_clipped(noisy, 0.1, seed=1)
    inside = (noisy > 0) & (noisy < 1)
    assert np.array_equal(restored[inside], noisy[inside])
    assert (restored[noisy == 0] <= 0).all()


def test_same_seed_same_bytes() -> None:
    noisy = np.zeros((32, 32), np.float32)
    assert (
        restore_clipped(noisy, 0.1, seed=3).tobytes()
        == restore_clipped(noisy, 0.1, seed=3).tobytes()
    )
    assert (
        restore_clipped(noisy, 0.1, seed=3).tobytes()
        != restore_clipped(noisy, 0.1, seed=4).tobytes()
    )


def test_no_noise_changes_nothing() -> None:
    image = np.zeros((16, 16), np.float32)
    assert restore_clipped(image, 0.0, seed=0) is image
