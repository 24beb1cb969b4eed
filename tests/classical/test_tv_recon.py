"""TV reconstruction: it minimises what it says, from every kind of measurement."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from skimage.restoration import denoise_tv_chambolle

from enhancers import registry
from enhancers.classical import tv_recon
from enhancers.compare.classical_costs import seconds
from enhancers.degrade import degrade_image
from enhancers.image import MedicalImage, Window, from_array
from enhancers.method import Modality
from enhancers.method_interface import Result, Step, load_method
from enhancers.phantoms import phantom
from tests.support.classical_images import last, noisy, photograph, psnr

SIDE = 96


@cache
def ct() -> MedicalImage:
    """A CT slice in HU, air around it."""
    unit = phantom("ct", size=SIDE, seed=1).pixels
    hu = np.interp(unit, [0.0, 0.1, 1.0], [-1000.0, -120.0, 240.0]).astype(np.float32)
    window = Window(-160.0, 240.0)
    return MedicalImage(
        pixels=window.to_unit(hu), window=window, source=hu, units="HU", modality=Modality.CT,
        spacing=(3.0, 3.0),
    )  # fmt: skip


@cache
def mr() -> MedicalImage:
    return from_array(phantom("cardiac_mr", size=SIDE, seed=1).pixels, Modality.MR)


def steps(image: MedicalImage, **given: float | str) -> Iterator[Step]:
    params = registry.resolve("tv_recon", image.modality, given)
    return load_method("tv_recon").run(image, params, seed=0, device="cpu")


def result(image: MedicalImage, **given: float | str) -> Result:
    return last(steps(image, **given))


def figure(found: Result, name: str) -> float:
    return next(one.value for one in found.figures if one.name == name)


def objective(problem: tv_recon.Problem, x: torch.Tensor, weight: float) -> float:
    slopes = tv_recon.differences(x).abs().square().sum(0).sqrt().sum()
    return float(problem.residual(x).abs().square().sum() / 2 + weight * slopes)


def test_the_adjoint_of_differences_is_exact() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn((2, 1, 9, 7), generator=generator, dtype=torch.float64)
    slopes = torch.randn((2, 2, 1, 9, 7), generator=generator, dtype=torch.float64)
    left = (tv_recon.differences(x) * slopes).sum()
    torch.testing.assert_close(left, (x * tv_recon.differences_adjoint(slopes)).sum())


def test_an_image_without_measurements_is_denoised_as_by_tv() -> None:
    pixels = noisy(photograph(SIDE), 0.08)
    found = result(from_array(pixels, Modality.US), weight=0.06, iterations=1000)
    expected = denoise_tv_chambolle(pixels, weight=0.06, eps=1e-9, max_num_iter=3000)
    assert np.sqrt(np.mean((found.pixels - np.clip(expected, 0, 1)) ** 2)) < 6e-3
    assert psnr(found.pixels, np.clip(expected, 0, 1)) > psnr(found.pixels, pixels) + 15.0
    assert any("Neither projections nor k-space" in note for note in found.notes)


@pytest.mark.parametrize("beam", ["parallel", "fan"])
def test_projections_give_more_than_their_back_projection(beam: str) -> None:
    scan = degrade_image(ct(), "ct_dose", 0.25, seed=0, settings={"beam": beam, "views": 120})
    found = result(scan)
    assert psnr(found.pixels, ct().pixels) > psnr(scan.pixels, ct().pixels) + 2.0
    assert figure(found, "change") < tv_recon.TOLERANCE
    assert figure(found, "iterations") < 150


def test_the_preconditioner_changes_the_way_and_not_the_end() -> None:
    scan = degrade_image(ct(), "ct_dose", 1.0, seed=0, settings={"views": 120})
    assert scan.measured is not None
    assert scan.measured.projections is not None
    problem = tv_recon.of_projections(scan.measured.projections)
    plain = replace(problem, response=None)
    ends = {}
    for name, one, most in (("filtered", problem, 100), ("plain", plain, 3000)):
        *_, end = tv_recon.iterations(one, 2e-3, most)
        ends[name] = objective(problem, end.x, 2e-3)
    assert ends["filtered"] == pytest.approx(ends["plain"], rel=0.01)
    *_, early = tv_recon.iterations(plain, 2e-3, 100)
    assert objective(problem, early.x, 2e-3) > ends["filtered"]


@pytest.mark.parametrize(("coils", "gain"), [(1, 2.0), (8, 5.0)])
def test_k_space_gives_more_than_zeros(coils: int, gain: float) -> None:
    scan = degrade_image(mr(), "mr_undersample", 4, seed=0, settings={"coils": coils})
    found = result(scan)
    assert psnr(found.pixels, mr().pixels) > psnr(scan.pixels, mr().pixels) + gain


def test_a_smooth_phase_makes_up_for_lines() -> None:
    clean = from_array(phantom("cardiac_mr", size=256, seed=1).pixels, Modality.MR)
    scan = degrade_image(clean, "mr_undersample", 6, seed=0)
    free, smooth = (
        psnr(result(scan, phase=one).pixels, clean.pixels) for one in ("free", "smooth")
    )
    assert smooth > free + 1.0


@pytest.mark.parametrize("phase", ["free", "smooth"])
def test_real_images_in_source_units_stay_in_their_window(phase: str) -> None:
    window = Window(-160.0, 240.0)
    image = replace(mr(), window=window, source=window.to_source(mr().pixels).astype(np.float32))
    scan = degrade_image(image, "kspace", 3, seed=0)
    found = result(scan, phase=phase)
    assert psnr(found.pixels, mr().pixels) > psnr(scan.pixels, mr().pixels) + 1.0


def test_the_automatic_weight_follows_the_dose() -> None:
    scans = [
        degrade_image(ct(), "ct_dose", dose, seed=0, settings={"electronic": 0})
        for dose in (0.1, 0.025)
    ]
    weights = [figure(result(scan, iterations=10), "weight") for scan in scans]
    assert weights[1] / weights[0] == pytest.approx(2.0, rel=0.25)


def test_the_noise_of_projections_is_measured() -> None:
    rng = np.random.default_rng(0)
    chords = np.sqrt(np.maximum(1 - np.linspace(-1.2, 1.2, 201) ** 2, 0)) * 4
    values = (chords + 0.05 * rng.standard_normal((360, 201))).astype(np.float32)
    assert tv_recon.projection_noise(values) == pytest.approx(0.05, rel=0.15)


def test_too_few_iterations_are_said() -> None:
    scan = degrade_image(ct(), "ct_dose", 0.25, seed=0)
    assert any("not converged after 10" in note for note in result(scan, iterations=10).notes)


def test_a_run_stops_between_iterations() -> None:
    scan = degrade_image(mr(), "mr_undersample", 4, seed=0)
    run = steps(scan)
    assert isinstance(run, Generator)
    assert [next(run).note for _ in range(3)][1:] == ["iteration 1 of 150", "iteration 2 of 150"]
    run.close()
    assert next(run, None) is None


def test_the_cost_follows_what_was_measured() -> None:
    params = registry.resolve("tv_recon", Modality.MR)
    scans = [
        degrade_image(mr(), "mr_undersample", 4, seed=0, settings={"coils": c}) for c in (1, 8)
    ]
    one, eight = (seconds(scan, "tv_recon", params) for scan in scans)
    assert one < eight
    assert seconds(mr(), "tv_recon", params) < one
    assert seconds(scans[0], "tv_recon", {**params, "phase": "smooth"}) > 1.5 * one
