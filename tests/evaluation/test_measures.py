from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.morphology import dilation, disk

from enhancers import metrics
from enhancers.errors import MetricUnavailable
from enhancers.evaluation import measures
from enhancers.evaluation.cases import read_cases
from enhancers.evaluation.conditions import cropped
from enhancers.evaluation.measures import MEASURES, Score, fit, regions, score
from enhancers.evaluation.problem import TestImage
from enhancers.image import Pixels
from enhancers.method import Modality
from enhancers.phantoms import phantom


def picture(seed: int = 0, side: int = 64) -> Pixels:
    field = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 2.0)
    return (0.5 + field / (3 * np.abs(field).max())).astype(np.float32)


def block(side: int = 64, at: int = 24, size: int = 12) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[at : at + size, at : at + size] = True
    return mask


def case(
    truth: Pixels, mask: np.ndarray | None = None, modality: Modality = Modality.US
) -> TestImage:
    return TestImage("one", modality, truth, mask)


def sector(side: int = 128) -> np.ndarray:
    """A fan below its apex at the upper edge."""
    y, x = np.mgrid[0:side, 0:side] / (side - 1)
    depth, angle = np.hypot(x - 0.5, y + 0.02), np.arctan2(x - 0.5, y + 0.02)
    return (depth < 0.96) & (depth > 0.06) & (np.abs(angle) < 0.7)


def head(side: int = 128) -> tuple[Pixels, np.ndarray]:
    """An ellipse with a dark hole in noisy air, and the ellipse as a mask."""
    y, x = np.mgrid[0:side, 0:side] / (side - 1)
    inside = np.hypot((x - 0.5) / 0.3, (y - 0.5) / 0.4) < 1
    hole = np.hypot(x - 0.5, y - 0.5) < 0.08
    noise = 0.02 * np.abs(np.random.default_rng(3).standard_normal((side, side)))
    return (np.where(inside & ~hole, 0.55, 0.0) + noise).astype(np.float32), inside


def framed(pixels: np.ndarray, width: int = 64) -> np.ndarray:
    return np.pad(pixels, width)


def value(pixels: Pixels, where: TestImage, key: str, **others: Pixels) -> float:
    [found] = score(pixels, where, [key], **others)
    assert found.value is not None, found.reason
    return found.value


def reason(pixels: Pixels, where: TestImage, key: str, **others: Pixels) -> str:
    [found] = score(pixels, where, [key], **others)
    assert found.value is None
    return found.reason


def test_every_measure_of_the_metrics_and_of_the_papers_is_there():
    assert {metric.key for metric in metrics.METRICS} < set(MEASURES)
    own = {"psnr_fitted", "ssim_fitted", "snr", "cnr", *(f"snr_{r}" for r in (1, 3, 5, 7, 9))}
    assert own < set(MEASURES)
    for key, one in MEASURES.items():
        assert (key, one.direction in ("up", "down", "none")) == (one.key, True)
        assert one.definition
    assert measures.measure("psnr_fitted").label == "PSNR fitted (dB)"
    assert measures.measure("ssim_fitted").label == "SSIM fitted"


def test_an_unknown_measure_names_the_nearest():
    with pytest.raises(MetricUnavailable, match="psnr_fitted"):
        measures.measure("psnr_fited")
    with pytest.raises(MetricUnavailable):
        score(picture(), case(picture()), ["snr_2x"])


def test_the_metrics_are_those_of_the_metrics_room():
    truth, result = picture(0), picture(1)
    keys = ["psnr", "ssim", "vif", "piqe", "entropy"]
    found = score(result, case(truth), keys)
    expected = metrics.score(result, reference=truth, keys=keys)
    assert found == tuple(Score(one.key, one.value, one.reason) for one in expected)


def test_loe_compares_with_what_was_given():
    truth = picture()
    dark = (truth * np.float32(0.3)).astype(np.float32)
    assert "before enhancement" in reason(truth, case(truth), "loe")
    assert value(dark, case(truth), "loe", degraded=dark) == 0.0
    assert value(1 - dark, case(truth), "loe", degraded=dark) > 100


def test_a_gain_and_an_offset_do_not_count_after_the_fit():
    truth = picture()
    faded = (np.float32(0.25) + np.float32(0.4) * truth).astype(np.float32)
    assert value(faded, case(truth), "psnr") < 25
    assert value(faded, case(truth), "psnr_fitted") > 90
    assert value(faded, case(truth), "ssim_fitted") > 0.999
    found = fit(faded, truth)
    assert found.gain == pytest.approx(2.5, rel=1e-4)
    assert found.offset == pytest.approx(-0.625, abs=1e-4)


def test_the_fit_is_least_squares():
    truth = picture(0)
    result = ((truth + picture(1)) / 2).astype(np.float32)
    gain, offset = np.polyfit(result.ravel().astype(float), truth.ravel().astype(float), 1)
    found = fit(result, truth)
    assert gain > 0
    assert (found.gain, found.offset) == pytest.approx((gain, offset), rel=1e-6)


def test_an_inverted_or_constant_result_earns_the_mean_and_no_more():
    truth = picture()
    for result in (1 - truth, np.full_like(truth, 0.7)):
        found = fit(result, truth)
        assert found.gain == 0.0
        assert np.allclose(found.pixels, truth.mean(), atol=1e-5)


def test_the_fit_needs_equal_sizes_and_says_so():
    assert "truth" in reason(picture(side=32), case(picture()), "psnr_fitted")


@pytest.mark.parametrize("radius", [1, 3, 5, 7, 9])
def test_the_ring_is_a_dilation_by_a_disc_without_the_structure(radius: int):
    mask = block()
    mask[5, 50] = True
    expected = dilation(mask, disk(radius)) & ~mask
    assert np.array_equal(regions.ring(mask, radius), expected)


def test_snr_around_a_structure_by_hand():
    mask = block()
    pixels = np.where(mask, 0.8, 0.2).astype(np.float32)
    pixels[::2] += np.where(mask[::2], 0, 0.1).astype(np.float32)
    ring = regions.ring(mask, 5)
    expected = 20 * math.log10(0.8 / pixels[ring].astype(float).std())
    assert value(pixels, case(pixels, mask), "snr_5") == pytest.approx(expected, abs=1e-4)
    far = pixels.copy()
    far[:5] = 1.0
    assert value(far, case(pixels, mask), "snr_5") == value(pixels, case(pixels, mask), "snr_5")


def test_snr_and_cnr_of_ultrasound_by_hand():
    mask = block()
    rng = np.random.default_rng(0)
    pixels = np.where(mask, 0.2, 0.6) + 0.05 * rng.standard_normal(mask.shape)
    pixels = pixels.clip(0, 1).astype(np.float32)
    inside, outside = pixels[mask].astype(float), pixels[~mask].astype(float)
    snr = 20 * math.log10((1 - inside.mean()) / outside.std())
    cnr = 20 * math.log10(
        abs(inside.mean() - outside.mean()) / math.sqrt(inside.var() + outside.var())
    )
    found = score(pixels, case(pixels, mask), ["snr", "cnr"])
    assert [one.value for one in found] == pytest.approx([snr, cnr], abs=1e-4)


KINDS = {Modality.US: "echo", Modality.MR: "cardiac_mr"}


@pytest.mark.parametrize("modality", KINDS)
def test_black_padding_changes_no_ratio(modality: Modality):
    drawn = phantom(KINDS[modality], size=128, seed=10_000)
    assert drawn.labels is not None
    truth, mask = drawn.pixels, drawn.labels == 1
    result = np.clip(truth + np.float32(0.05) * picture(side=128), 0, 1).astype(np.float32)
    keys = ["snr", "cnr", "snr_1", "snr_9"]
    found = score(result, case(truth, mask, modality), keys)
    padded = score(framed(result), case(framed(truth), framed(mask), modality), keys)
    assert all(one.value is not None for one in found)
    assert found == padded


def test_the_background_is_tissue_inside_the_sector():
    mask, fan = block(128, 60, 16), sector()
    pixels = np.where(fan, 0.5 + 0.3 * (picture(side=128) - 0.5), 0)
    pixels = np.where(mask, 0.1, pixels).astype(np.float32)
    outside = pixels[fan & ~mask].astype(float)
    expected = 20 * math.log10(abs(0.1 - outside.mean()) / outside.std())
    assert value(pixels, case(pixels, mask), "cnr") == pytest.approx(expected, abs=1e-4)
    assert value(pixels, case(pixels, mask), "snr") == pytest.approx(
        20 * math.log10(0.9 / outside.std()), abs=1e-4
    )


def test_tissue_that_is_known_is_the_background():
    drawn = phantom("echo", size=128, seed=10_000)
    assert drawn.labels is not None
    muscle = drawn.labels == 2
    one = replace(case(drawn.pixels, drawn.labels == 1), background=muscle)
    inside, around = (drawn.pixels[where].astype(float) for where in (one.mask, muscle))
    difference = abs(inside.mean() - around.mean())
    expected = 20 * math.log10(difference / math.hypot(inside.std(), around.std()))
    assert value(drawn.pixels, one, "cnr") == pytest.approx(expected, abs=1e-4)
    [read] = read_cases("phantoms", ["us"], limit=1, side=128)
    assert value(read.truth, read, "cnr") > 3
    smaller = cropped(read, 5)
    assert smaller.background is not None
    assert smaller.background.shape == smaller.truth.shape == (125, 125)


def test_the_sector_and_the_body_are_found():
    fan = sector()
    shown = np.where(fan, 0.3, 0).astype(np.float32)
    shown[60:70, 60:70] = 0.0
    shown[4:8, 4:8] = 1.0
    assert np.array_equal(measures.body(shown, Modality.US), fan)
    slice_, inside = head()
    found = measures.body(slice_, Modality.MR)
    assert not (inside & ~found).any()
    # Specks of noise on its edge count as the body.
    assert (found & ~inside).mean() < 0.002
    assert np.array_equal(measures.body(framed(slice_), Modality.MR), framed(found))
    everything = measures.body(np.full((64, 64), 0.5, np.float32), Modality.CT)
    assert everything.all()
    assert not measures.body(np.zeros((64, 64), np.float32), Modality.MR).any()


@pytest.mark.parametrize("key", ["snr", "cnr", "snr_3"])
def test_what_has_no_ratio_says_why(key: str):
    flat = np.full((64, 64), 0.5, np.float32)
    assert reason(flat, case(flat), key) == "needs a mask"
    assert reason(flat, case(flat, block()), key)
    assert "no structure" in reason(picture(), case(picture(), np.zeros((64, 64), bool)), key)
    assert "no structure" in reason(picture(), case(picture(), np.ones((64, 64), bool)), key)
    assert "the mask is 64x64" in reason(picture(side=32), case(picture(), block()), key)


def test_black_and_white_structures_have_no_snr():
    mask, noisy = block(), picture()
    assert "black" in reason(np.where(mask, 0, noisy), case(noisy, mask), "snr_3")
    white = np.where(mask, 1, noisy).astype(np.float32)
    assert "white" in reason(white, case(noisy, mask), "snr")


def test_the_structure_of_colour_is_read_from_the_luminance():
    mask, gray = block(), picture()
    gray = np.where(mask, gray * np.float32(0.3), gray).astype(np.float32)
    colour = np.repeat(gray[..., None], 3, axis=2)
    for key in ("snr", "cnr", "snr_9"):
        alone = value(gray, case(gray, mask), key)
        assert value(colour, case(gray, mask), key) == pytest.approx(alone, abs=1e-3)


def test_what_needs_a_download_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    told = f"needs the file niqe_modelparameters.mat in {tmp_path}/hub/pyiqa; python -m enhancers "
    assert measures.available("niqe").startswith(told)
    assert measures.available("snr_3") == ""
    missing = reason(picture(side=128), case(picture(side=128)), "brisque")
    assert missing.startswith("needs the file brisque_svm_weights.pth in ")


def test_pixels_that_are_no_image_are_refused():
    with pytest.raises(ValueError, match="finite"):
        score(np.full((64, 64), np.nan, np.float32), case(picture()), ["psnr"])
