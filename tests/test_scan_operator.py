"""The phase of an image that was scanned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from enhancers.degrade import degrade_image
from enhancers.degrade.mr import smooth_phase as drawn_phase
from enhancers.image import from_array
from enhancers.method import Modality
from enhancers.phantoms import phantom
from enhancers.scan_operator import PHASE_ROUNDS, scan_operator, smooth_phase, with_phase

SIDE = 96


def phased(magnitude: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
    phase = np.exp(1j * drawn_phase(magnitude.shape, np.random.default_rng(2)))
    return torch.from_numpy((magnitude * phase).astype(np.complex64))[None, None], phase


def test_a_smooth_phase_is_found_up_to_the_edges() -> None:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    image, phase = phased(0.6 + 0.3 * np.sin(9 * x) * np.cos(7 * y))
    found = smooth_phase(image, rounds=PHASE_ROUNDS)[0, 0].numpy()
    np.testing.assert_allclose(np.abs(found), 1, atol=1e-5)
    once = smooth_phase(image)[0, 0].numpy()
    errors = [float(np.abs(np.angle(one * phase.conj())).max()) for one in (found, once)]
    assert errors[0] < 0.3
    assert errors[0] < 0.5 * errors[1]
    again = smooth_phase(image, torch.from_numpy(once)[None, None], PHASE_ROUNDS - 1)
    np.testing.assert_allclose(again[0, 0].numpy(), found, atol=1e-4)


@pytest.mark.parametrize("coils", [1, 4])
def test_the_operator_makes_the_samples_of_the_image(coils: int) -> None:
    clean = from_array(phantom("cardiac_mr", size=SIDE).pixels, Modality.MR)
    settings = {"snr": 60.0, "coils": coils}
    scan = degrade_image(clean, "mr_undersample", 2.0, seed=2, settings=settings)
    assert scan.measured is not None
    samples = scan.measured.coils or scan.measured.spectrum
    assert samples is not None
    operator, data = scan_operator(samples)
    image, phase = phased(clean.pixels)
    assert data.shape == (1, coils, SIDE, SIDE)
    torch.testing.assert_close(operator.forward(image), data, atol=5e-3, rtol=0)
    real = with_phase(operator, torch.from_numpy(phase.astype(np.complex64)))
    magnitude = torch.from_numpy(clean.pixels)[None, None]
    torch.testing.assert_close(real.forward(magnitude), data, atol=5e-3, rtol=0)
    assert not real.adjoint(data).is_complex()
