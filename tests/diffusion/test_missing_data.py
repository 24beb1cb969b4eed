"""DDNM's tasks inpaint and kspace: what was measured is kept, and the rest is filled in."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from enhancers.compare import enhance
from enhancers.degrade import degrade_image, kspace_mask
from enhancers.diffusion.missing_data import interpolated
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Pixels, Window, from_array
from enhancers.measured import Measured, SampledSpectrum
from enhancers.method import Modality
from enhancers.method_interface import UNCHANGED, Result
from enhancers.operators import Cropped, KSpace, Operator
from enhancers.phantoms import phantom

TRUTH = phantom("cardiac_mr", size=64, seed=3).pixels
IMAGE = from_array(TRUTH, Modality.MR)
FEW = {"steps": 5}


def _filled(image: MedicalImage, task: str, **params: Any) -> Result:
    return enhance(image, "null_space", params={"task": task, **params})


def _figures(result: Result) -> dict[str, float]:
    return {figure.name: figure.value for figure in result.figures}


def _psnr(pixels: Pixels) -> float:
    return -10 * math.log10(float(np.mean((pixels - TRUTH) ** 2)))


def _known(image: MedicalImage) -> np.ndarray[Any, np.dtype[np.bool_]]:
    assert image.measured is not None
    assert image.measured.known is not None
    return image.measured.known


def test_known_pixels_stay_bit_for_bit_and_the_others_become_much_better() -> None:
    image = degrade_image(IMAGE, "missing", 0.6, seed=1)
    result = _filled(image, "inpaint")
    known = _known(image)
    np.testing.assert_array_equal(result.pixels[known], TRUTH[known])
    assert _psnr(result.pixels) > _psnr(image.pixels) + 10
    assert (result.calls, _figures(result)["consistency"]) == (20, 0.0)
    assert _figures(result)["share"] == pytest.approx(100 * known.mean())


def test_what_is_refined_is_closer_to_the_truth_than_interpolation_and_samples() -> None:
    image = degrade_image(IMAGE, "missing", 0.6, seed=1)
    refined, sampled, other = (
        _filled(image, "inpaint", filling="refined").pixels,
        _filled(image, "inpaint", filling="sampled").pixels,
        enhance(image, "null_space", params={"task": "inpaint", **FEW}, seed=1).pixels,
    )
    simple = interpolated(image.pixels, _known(image))
    assert _psnr(refined) > max(_psnr(simple), _psnr(sampled)) + 2
    assert np.array_equal(other, _filled(image, "inpaint", **FEW).pixels), "something was drawn"
    lines = degrade_image(IMAGE, "kspace", 3, seed=1)
    refined = _filled(lines, "kspace").pixels
    assert _psnr(refined) > _psnr(_filled(lines, "kspace", filling="sampled").pixels) + 1


def test_an_interpolation_reaches_into_large_holes() -> None:
    ramp = np.add.outer(np.linspace(0, 0.4, 40), np.linspace(0, 0.5, 50)).astype(np.float32)
    known = np.zeros(ramp.shape, np.bool_)
    known[2, 3] = known[-1] = True
    filled = interpolated(ramp, known)
    assert np.array_equal(filled[known], ramp[known])
    assert 0 <= filled.min() <= filled.max() <= ramp.max()
    assert abs(filled[20, 25] - ramp[20, 25]) < 0.3


def test_the_lines_that_were_sampled_stay_and_the_image_becomes_better() -> None:
    image = degrade_image(IMAGE, "kspace", 3, seed=1)
    result = _filled(image, "kspace")
    sampled = kspace_mask(64, 3, np.random.default_rng(1))
    spectra = [np.fft.fft2(pixels, norm="ortho")[sampled] for pixels in (result.pixels, TRUTH)]
    # The result is clipped to [0, 1], which the lines allow to this accuracy.
    np.testing.assert_allclose(spectra[0], spectra[1], atol=2e-3)
    assert _figures(result)["consistency"] < 2e-3
    assert _figures(result)["share"] == pytest.approx(100 * sampled.mean())
    assert _psnr(result.pixels) > _psnr(image.pixels) + 3.7


def test_a_scan_with_a_phase_keeps_its_samples_too() -> None:
    row, column = np.meshgrid(*[np.linspace(-1, 1, 64)] * 2, indexing="ij")
    object_ = 200 * TRUTH * np.exp(1j * (0.5 + 0.8 * row - column**2))
    complete = SampledSpectrum(
        np.fft.fft2(object_, norm="ortho").astype(np.complex64), np.ones((64, 64), np.bool_)
    )
    window = Window(0.0, 200.0)
    scan = replace(
        IMAGE, window=window, source=200 * TRUTH, measured=Measured(spectrum=complete)
    )  # fmt: skip
    sparse = degrade_image(scan, "kspace", 3, seed=1)
    assert sparse.measured is not None
    assert sparse.measured.spectrum is not None
    assert not sparse.measured.spectrum.real
    result = _filled(sparse, "kspace")
    assert _psnr(result.pixels) > _psnr(sparse.pixels) + 2
    assert _figures(result)["consistency"] < 1e-4
    assert "phase" in result.notes[0]


@pytest.mark.parametrize("shape", [(12, 9), (16, 16)])
@pytest.mark.parametrize("acceleration", [2.0, 4.0])
def test_k_space_inverts_the_mask_of_the_degradation(
    shape: tuple[int, int], acceleration: float
) -> None:
    lines = kspace_mask(shape[0], acceleration, np.random.default_rng(0))
    mask = torch.from_numpy(lines[:, None] * np.ones(shape))
    assert not torch.equal(mask, mask.flip(0).roll(1, 0))
    x = torch.randn((1, 1, *shape), generator=torch.Generator().manual_seed(0)).double()
    padded = torch.nn.functional.pad(x, (0, 2, 0, 3), value=1.0)
    cropped = Cropped(KSpace(mask), *shape, below=3, right=2)
    operators: tuple[tuple[Operator, torch.Tensor], ...] = ((KSpace(mask), x), (cropped, padded))
    for operator, image in operators:
        y = operator.forward(image)
        torch.testing.assert_close(operator.forward(operator.pinv(y)), y)
        back = operator.pinv(y)
        torch.testing.assert_close(operator.pinv(operator.forward(back)), back)


def test_sides_that_the_network_does_not_take_are_padded() -> None:
    cut = from_array(TRUTH[3:40, 5:58], Modality.MR)
    for kind, level, task in (("missing", 0.5, "inpaint"), ("kspace", 2, "kspace")):
        image = degrade_image(cut, kind, level, seed=0)
        result = _filled(image, task, **FEW)
        assert result.pixels.shape == (37, 53)
        assert _figures(result)["consistency"] < 2e-3


def test_colours_come_from_the_neighbourhood() -> None:
    colour = np.stack([0.8 * TRUTH, 0.5 * TRUTH, 0.2 * TRUTH], -1)
    colour[20:30, 20:30] = (0.0, 0.0, 1.0)
    known = np.ones((64, 64), np.bool_)
    known[20:30, 20:30] = False
    image = from_array(colour, Modality.ENDOSCOPY).with_known(known)
    result = _filled(image, "inpaint", **FEW).pixels
    np.testing.assert_array_equal(result[known], image.pixels[known])
    filled = result[~known]
    assert (filled[:, 0] >= filled[:, 2] - 1e-6).all()


def test_saturated_pixels_are_missing_where_asked() -> None:
    bright = np.clip(3 * (TRUTH - 0.1), 0, 1)
    image = from_array(bright, Modality.MR)
    for missing, kept in (
        ("white", bright < 1), ("black", bright > 0), ("both", (bright > 0) & (bright < 1)),
    ):  # fmt: skip
        result = _filled(image, "inpaint", missing=missing, **FEW)
        np.testing.assert_array_equal(result.pixels[kept], bright[kept])
        assert _figures(result)["share"] == pytest.approx(100 * kept.mean())
        assert (result.pixels[~kept] != bright[~kept]).any()


def test_degrading_first_hides_the_same_part_for_every_seed() -> None:
    results = [
        enhance(
            IMAGE,
            "null_space",
            params={"task": "inpaint", "degrade_first": True, "hidden": 0.5, **FEW},
            seed=seed,
        ).pixels
        for seed in (0, 1)
    ]
    same = [result == TRUTH for result in results]
    np.testing.assert_array_equal(*same)
    assert 0.4 < same[0].mean() < 0.6
    lines = _filled(IMAGE, "kspace", degrade_first=True, acceleration=2, **FEW)
    assert _figures(lines)["share"] == 50


def test_with_noise_the_measurement_is_not_copied() -> None:
    image = degrade_image(
        degrade_image(IMAGE, "gaussian", 0.1, seed=0), "missing", 0.3, seed=1
    )  # fmt: skip
    result = _filled(image, "inpaint", sigma=0.1, steps=20)
    known = _known(image)
    before, after = (
        float(np.mean((pixels - TRUTH)[known] ** 2)) for pixels in (image.pixels, result.pixels)
    )
    assert after < before / 1.5


@pytest.mark.parametrize(
    ("image", "params", "said"),
    [
        (IMAGE, {"task": "inpaint"}, "give a mask, from a file or painted on the page"),
        (IMAGE, {"task": "kspace"}, "complex NIfTI file or complex NumPy file"),
        (IMAGE.with_known(np.zeros((64, 64), np.bool_)), {"task": "inpaint"}, "Every pixel"),
        (from_array(np.stack([TRUTH] * 3, -1)), {"task": "kspace", "degrade_first": True},
         "a colour image"),
        (IMAGE, {"task": "inpaint", "output": "one call"}, "output=one call is for denoising"),
        (IMAGE, {"task": "kspace", "output": "mean of samples"}, "is for filling=sampled"),
    ],
)  # fmt: skip
def test_what_is_needed_is_said(image: MedicalImage, params: Any, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        enhance(image, "null_space", params=params)


def test_nothing_missing_is_said() -> None:
    complete = IMAGE.with_known(np.ones((64, 64), np.bool_))
    for result in (
        _filled(complete, "inpaint"),
        _filled(complete, "inpaint", missing="white"),
        _filled(degrade_image(IMAGE, "kspace", 1, seed=0), "kspace"),
    ):
        assert UNCHANGED in result.notes
        assert "nothing was filled in" in result.notes[0]
        assert result.calls == 0
