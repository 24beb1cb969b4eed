"""Noise by place: a map where noise clearly differs, none where it is even."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from enhancers.degrade import degrade
from enhancers.noise import measure_noise
from enhancers.noise_map import noise_map
from enhancers.phantoms import phantom

TRUTH = {kind: phantom(kind, size=256, seed=3).pixels for kind in ("cardiac_mr", "ct")}
ROW, COLUMN = np.meshgrid(*[np.linspace(-1, 1, 256)] * 2, indexing="ij")
RADIUS = np.hypot(ROW, COLUMN)
UNEVEN = {
    "by radius": 0.08 * np.exp(-1.1 * np.minimum(RADIUS, 1.2) ** 2),
    "toward a corner": 0.05 * np.exp(0.5 * ROW + 0.5 * COLUMN),
}


def mapped(pixels: NDArray[np.float32]) -> NDArray[np.float32] | None:
    return noise_map(pixels, measure_noise(pixels))


@pytest.mark.parametrize("kind", TRUTH)
@pytest.mark.parametrize("place", UNEVEN)
def test_uneven_noise_is_found_where_it_is(kind: str, place: str) -> None:
    truth, sigma = TRUTH[kind], UNEVEN[place]
    noise = sigma * np.random.default_rng(1).standard_normal(truth.shape)
    found = mapped(np.clip(truth + noise, 0, 1).astype(np.float32))
    assert found is not None
    body = truth > 0.1
    error = np.log(found / sigma)[body]
    assert np.sqrt(np.mean(error**2)) < 0.2
    assert abs(error.mean()) < 0.1


@pytest.mark.parametrize("kind", TRUTH)
@pytest.mark.parametrize("level", [0.0, 0.02, 0.05, 0.1])
def test_even_noise_has_no_map(kind: str, level: float) -> None:
    assert mapped(degrade(TRUTH[kind], "gaussian", level, seed=2)) is None


def test_small_and_flat_images_have_no_map() -> None:
    rng = np.random.default_rng(0)
    small = (0.5 + 0.05 * rng.standard_normal((24, 20))).astype(np.float32)
    assert mapped(small) is None
    assert mapped(np.full((64, 64), 0.5, np.float32)) is None
