from __future__ import annotations

import numpy as np
import pytest
import torch

from enhancers.degrade import degrade
from enhancers.diffusion.degradation_fit import DegradationFit, foreground
from enhancers.diffusion.schedule import timesteps
from enhancers.diffusion.unimie import Lighting, cell_means, paper_step
from enhancers.image import Pixels, from_array
from enhancers.method import Modality
from enhancers.method_interface import load_method
from enhancers.networks.training.architectures import scheduler
from enhancers.phantoms import phantom
from enhancers.registry import resolve

CLEAN = phantom("cardiac_mr", size=128, seed=5).pixels
DARK = degrade(CLEAN, "under_exposure", 0.3, seed=1)


def run(pixels: Pixels, **given: object) -> Pixels:
    image = from_array(pixels, Modality.MR)
    params = resolve("unimie", Modality.MR, {"steps": 8, **given})  # type: ignore[arg-type]
    result = list(load_method("unimie").run(image, params, seed=0, device="cpu"))[-1].result
    assert result is not None
    return result.pixels


@pytest.mark.parametrize("variant", ["paper", "reference"])
def test_a_dark_image_becomes_brighter(variant: str) -> None:
    assert run(DARK, variant=variant).mean() > 1.5 * DARK.mean()


def test_the_exposure_is_a_dial() -> None:
    body = foreground(DARK)
    means = [float((run(DARK, exposure=e) * body).sum() / body.sum()) for e in (0.2, 0.35, 0.5)]
    assert means[0] < means[1] < means[2]
    assert means[1] == pytest.approx(0.35, abs=0.08)


def test_the_anatomy_is_kept() -> None:
    result = run(DARK)
    assert np.corrcoef(result.ravel(), CLEAN.ravel())[0, 1] > 0.97


def test_a_black_background_stays_black() -> None:
    background = foreground(DARK) < 0.01
    assert run(DARK)[background].mean() < 0.12


def test_gain_and_mask_are_found_when_the_image_is_known() -> None:
    u = torch.from_numpy(CLEAN)[None, None]
    ramp = torch.linspace(0.0, 0.06, 128).expand(1, 1, 128, 128)
    model = DegradationFit(0.3 * u + ramp, gain=0.4, smoothness=0.001)
    for _ in range(60):
        model.fit(u)
    assert float(model.gain.detach()) == pytest.approx(0.3, abs=0.02)
    assert float((model.mask() - ramp).abs().mean().detach()) < 0.01


@pytest.mark.parametrize("size", [(128, 128), (500, 304), (20, 33)])
def test_the_mask_is_its_grid_enlarged_bicubically(size: tuple[int, int]) -> None:
    model = DegradationFit(torch.zeros((1, 1, *size)), 0.5, 0.01)
    model.grid.data.normal_(generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.interpolate(
        model.grid, size=size, mode="bicubic", align_corners=True
    )
    torch.testing.assert_close(model.mask(), expected, rtol=1e-4, atol=1e-5)


def test_cell_means_keep_the_size_and_the_mean() -> None:
    u = torch.rand((1, 1, 48, 40), generator=torch.Generator().manual_seed(0))
    means = cell_means(u, 16)
    assert means.shape == u.shape
    torch.testing.assert_close(means[0, 0, 5, 7], u[0, 0, :16, :16].mean())


def test_512_takes_nine_patches_a_step() -> None:
    module = load_method("unimie")
    image = from_array(np.zeros((512, 512), np.float32), Modality.CT)
    assert module.work(image, resolve("unimie", Modality.CT, {"steps": 10})) == 90  # type: ignore[attr-defined]


def test_no_step_waits_for_the_device() -> None:
    """On the meta device reading any value back is an error."""
    y, x = (torch.zeros((1, channels, 64, 64), device="meta") for channels in (1, 3))
    light = Lighting.read(resolve("unimie", Modality.CT))
    model = DegradationFit(y, 0.5, 0.01)
    for moment in timesteps(scheduler().alphas_cumprod, 3):
        x, u = paper_step(moment, x, x, model, y, 0.4, light)
    assert u.shape == (1, 3, 64, 64)
