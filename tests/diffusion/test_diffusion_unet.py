"""Diffusion-UNet with an untrained network: sampling, averaging, calls, data consistency."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from enhancers.degrade import degrade_image
from enhancers.diffusion import diffusion_unet
from enhancers.image import MedicalImage, from_array
from enhancers.method import Modality
from enhancers.method_interface import Result
from enhancers.networks.restorers.diffusion_unet import DiffusionUNet
from tests.support.restorer_folders import add_restorer, stirred

SIDE = 128
PARAMS = {
    "as_modality": "from the image", "steps": 10, "guidance": 1.0, "sampler": "ddim", "samples": 1,
    "consistency": 0.0, "preview_every": 5, "prior": "sampler",
}  # fmt: skip


@pytest.fixture(autouse=True)
def sampler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = stirred(DiffusionUNet(block_out_channels=(32, 32), residual_deviations=(0.3,) * 3))
    add_restorer("sampler", network, tmp_path, monkeypatch)


def disc(modality: str) -> MedicalImage:
    y, x = np.mgrid[:SIDE, :SIDE] / (SIDE - 1) * 2 - 1
    gray = 0.4 * (x**2 + y**2 < 0.6) + 0.3 * (x**2 + (y - 0.2) ** 2 < 0.1)
    return from_array(gray.astype(np.float32), Modality(modality))


def run(image: MedicalImage, seed: int = 0, **changed: Any) -> Result:
    *_, last = diffusion_unet.run(image, PARAMS | changed, seed=seed, device="cpu")
    assert last.result is not None
    return last.result


def test_the_mean_of_samples_is_that_of_single_ones() -> None:
    image = disc("US")
    single = run(image)
    assert single.calls == 10
    assert np.array_equal(run(image).pixels, single.pixels)
    assert not np.array_equal(run(image, seed=1).pixels, single.pixels)
    both = run(image, samples=2)
    assert both.calls == 20
    second = 2 * both.pixels - single.pixels
    # Pixels are clipped to [0, 1] before they are averaged here, and after it there.
    inside = (both.pixels > 0.05) & (both.pixels < 0.95)
    assert inside.any()
    assert np.abs(second - single.pixels)[inside].max() > 1e-3


def test_calls_and_planned_work_agree() -> None:
    image = disc("MR")
    for changed, calls in (({}, 10), ({"guidance": 2.0}, 20), ({"sampler": "ancestral"}, 10)):
        assert run(image, **changed).calls == calls
        work = diffusion_unet.work(image, PARAMS | changed)
        assert work == pytest.approx(calls * SIDE**2 / 256**2)


def test_samples_of_k_space_are_kept() -> None:
    scan = degrade_image(disc("MR"), "kspace", 4.0, seed=0)
    assert scan.measured is not None
    spectrum = scan.measured.spectrum
    assert spectrum is not None

    def left(result: Result) -> float:
        found = np.fft.fft2(scan.window.to_source(result.pixels), norm="ortho")
        return float(np.abs((found - spectrum.samples)[spectrum.sampled]).mean())

    # Not exactly: values outside the window are clipped.
    assert left(run(scan, consistency=1.0)) < 0.3 * left(run(scan))


def test_without_measurement_consistency_says_what_to_do() -> None:
    image = disc("US")
    found = run(image, consistency=1.0)
    assert np.array_equal(found.pixels, run(image).pixels)
    assert any("ct_dose or mr_undersample" in note for note in found.notes)
    projected = degrade_image(disc("CT"), "ct_dose", 1.0, seed=0)
    assert diffusion_unet.work(projected, PARAMS | {"consistency": 1.0}) > diffusion_unet.work(
        projected, PARAMS
    )
