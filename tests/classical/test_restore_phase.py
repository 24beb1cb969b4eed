"""The part of a magnitude in phase with its signal."""

import numpy as np
import pytest

from enhancers.classical.restore_phase import restore_phase
from tests.support.classical_images import rician


@pytest.mark.parametrize("level", [0.0, 0.05, 0.3])
def test_noise_becomes_gaussian_and_loses_its_bias(level: float) -> None:
    signal = np.full((128, 128), level, np.float32)
    restored = restore_phase(rician(signal, 0.05), signal, 0.05, seed=1)
    noise = (restored - signal).astype(np.float64)
    assert restored.dtype == np.float32
    assert abs(noise.mean()) < 2e-3
    assert noise.std() == pytest.approx(0.05, rel=0.03)
    # 3 for Gaussian noise, 3.2 for the Rayleigh noise that it comes from; skewed by 0.63.
    standard = noise / noise.std()
    assert (standard**4).mean() == pytest.approx(3.0, abs=0.15)
    assert abs((standard**3).mean()) < 0.1


def test_no_noise_changes_nothing() -> None:
    pixels = rician(np.full((8, 8), 0.2, np.float32), 0.05)
    assert restore_phase(pixels, pixels, 0.0, seed=0) is pixels


def test_the_same_seed_draws_the_same() -> None:
    pixels = rician(np.full((8, 8), 0.2, np.float32), 0.05)
    first, again, other = (restore_phase(pixels, pixels, 0.05, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (np.abs(first) <= pixels + 1e-7).all()
