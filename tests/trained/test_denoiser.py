"""The network denoiser: what it removes, what it leaves, and its eight orientations."""

from __future__ import annotations

import numpy as np
import pytest

from enhancers.compare import enhance
from enhancers.degrade import degrade
from enhancers.image import Pixels, from_array
from enhancers.method import Modality
from enhancers.phantoms import abdomen_ct


def error(a: Pixels, b: Pixels) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))


@pytest.fixture(scope="module")
def truth() -> Pixels:
    return np.ascontiguousarray(abdomen_ct(seed=3, size=128).pixels)


@pytest.mark.parametrize("kind", ["gaussian", "rician"])
def test_it_is_closer_to_the_truth_than_non_local_means(truth: Pixels, kind: str) -> None:
    noisy = from_array(degrade(truth, kind, 0.1, seed=1), Modality.CT)
    results = {
        key: enhance(noisy, key, params={"sigma": 0.1, "noise": kind}) for key in ("denoiser", "nlm")
    }
    assert error(results["denoiser"].pixels, truth) < 0.9 * error(results["nlm"].pixels, truth)
    assert results["denoiser"].calls == 1
