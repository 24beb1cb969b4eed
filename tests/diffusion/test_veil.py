from __future__ import annotations

import math

import numpy as np
import pytest

from enhancers.colour import luminance
from enhancers.degrade import degrade
from enhancers.diffusion.lighting import Degradation, Usual, find_degradation, foreground
from enhancers.diffusion.veil import find_veil
from enhancers.evaluation.measures import fit
from enhancers.image import Pixels
from enhancers.phantoms import phantom


def anatomy(kind: str = "cardiac_mr", seed: int = 2) -> Pixels:
    return luminance(phantom(kind, size=256, seed=seed).pixels)


@pytest.mark.parametrize("kind", ["cardiac_mr", "ct"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_veil_over_a_black_background_is_found(kind: str, seed: int) -> None:
    truth = anatomy(kind, seed)
    dark = degrade(truth, "under_exposure", 0.3, seed=seed).astype(np.float32)
    added = dark - np.float32(0.3) * truth
    veil = find_veil(dark, 0.0)
    assert veil is not None
    assert veil.dtype == np.float32
    assert veil.min() >= 0.0
    assert np.abs(veil - added).mean() < 0.15 * added.max()
    left, before = (
        float(np.square(fit(pixels, truth).pixels - truth).mean()) for pixels in (dark - veil, dark)
    )
    assert left < 0.6 * before


def test_an_image_without_a_veil_keeps_its_values() -> None:
    for kind in ("cardiac_mr", "ct", "echo", "chest_xray", "fundus", "endoscopy"):
        veil = find_veil(anatomy(kind), 0.0)
        assert veil is None or veil.max() < 1.5 / 255, kind


def test_where_black_cannot_be_told_from_dark_anatomy_no_veil_is_found() -> None:
    dark = degrade(anatomy(), "under_exposure", 0.3, seed=1).astype(np.float32)
    assert find_veil(dark, 0.0) is not None
    assert find_veil(dark, 0.02) is None
    # Nothing is black in it.
    assert find_veil(dark[96:160, 96:160], 0.0) is None
    for shape in ((8, 300), (300, 1), (1, 1)):
        assert find_veil(np.zeros(shape, np.float32), 0.0) is None


def test_a_veil_is_looked_for_where_no_lamp_lights_the_image() -> None:
    dark = degrade(anatomy(), "under_exposure", 0.3, seed=1).astype(np.float32)
    body = foreground(dark)
    found, lit = (
        find_degradation(dark, body, None, None, usual, 0.0)
        for usual in (Usual(variation=math.inf), Usual())
    )
    assert found.veil is not None
    assert lit.veil is None


def test_a_degradation_is_undone_by_its_own_fields() -> None:
    truth = anatomy()
    gain = np.full(truth.shape, 0.4, np.float32)
    veil = np.linspace(0, 0.05, truth.size, dtype=np.float32).reshape(truth.shape)
    found = Degradation(gain, 0.4, 1.0, veil)
    assert np.allclose(found.undone(0.4 * truth + veil), truth, atol=1e-6)
    colour = np.stack([truth, truth / 2, truth], axis=-1)
    assert np.allclose(found.undone(0.4 * colour + veil[..., None]), colour, atol=1e-6)
    plain = Degradation(gain, 0.4, 1.0)
    assert np.allclose(plain.undone(0.4 * truth), truth, atol=1e-6)
