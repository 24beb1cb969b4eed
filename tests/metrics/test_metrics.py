from __future__ import annotations

import csv
import io
import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from enhancers import metrics
from enhancers.errors import MetricUnavailable
from enhancers.image import Pixels
from enhancers.metrics import METRICS, catalog, numpy_metrics, pyiqa_metrics

NIQE_FILE = pyiqa_metrics.files_folder() / "niqe_modelparameters.mat"


def picture(height: int, width: int | None = None, *, noise: float = 0.03, seed: int = 0) -> Pixels:
    width = width or height
    y, x = np.mgrid[0:height, 0:width]
    clean = 0.5 + 0.25 * np.sin(x / 7) * np.cos(y / 5) + 0.15 * (((x // 24) + (y // 24)) % 2)
    noisy = clean + noise * np.random.default_rng(seed).standard_normal(clean.shape)
    return noisy.clip(0, 1).astype(np.float32)


def colour(height: int) -> Pixels:
    return np.stack([picture(height, seed=seed) ** (1 + seed / 3) for seed in range(3)], axis=2)


def value(pixels: Pixels, key: str, **others: Pixels) -> float:
    [score] = metrics.score(pixels, keys=[key], **others)
    assert score.value is not None, score.reason
    return score.value


def reason(pixels: Pixels, key: str, **others: Pixels) -> str:
    [score] = metrics.score(pixels, keys=[key], **others)
    assert score.value is None
    return score.reason


@pytest.fixture
def torch_home(tmp_path, monkeypatch) -> Path:
    """An empty torch home, and the folder in it where pyiqa's files belong."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    pyiqa_metrics.create_metric.cache_clear()
    folder = tmp_path / "hub" / "pyiqa"
    folder.mkdir(parents=True)
    return folder


def test_psnr_and_nmse_of_a_known_error():
    truth = picture(32, noise=0) * np.float32(0.8)
    shifted = (truth + np.float32(0.1)).astype(np.float32)
    assert value(shifted, "psnr", reference=truth) == pytest.approx(20.0, abs=1e-4)
    expected = 0.01 * truth.size / float(np.sum(truth.astype(float) ** 2))
    assert value(shifted, "nmse", reference=truth) == pytest.approx(expected, rel=1e-5)


def test_psnr_above_eighty_decibels_is_not_capped():
    truth = np.full((32, 32), 0.5, np.float32)
    nearly = truth + np.float32(2.0**-17)
    assert value(nearly, "psnr", reference=truth) == pytest.approx(20 * math.log10(2**17))


def test_psnr_counts_every_channel_of_a_colour_image():
    truth = np.full((32, 32, 3), 0.5, np.float32)
    blue_off = truth.copy()
    blue_off[:, :, 2] += np.float32(0.1)
    assert value(blue_off, "psnr", reference=truth) == pytest.approx(
        10 * math.log10(3 / 0.01), abs=1e-3
    )


@pytest.mark.parametrize("shape", [(16, 16), (33, 70), (128, 96)])
def test_ssim_agrees_with_scikit_image(shape):
    from skimage.metrics import structural_similarity

    truth, noisy = picture(*shape, noise=0), picture(*shape, noise=0.04)
    expected = structural_similarity(
        truth.astype(float),
        noisy.astype(float),
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert value(noisy, "ssim", reference=truth) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("key", ["ssim", "ms_ssim"])
def test_ssim_of_whole_gray_levels_agrees_with_pyiqas_metric(key):
    import pyiqa
    import torch

    truth, noisy = (np.rint(picture(170, noise=n) * 255) / 255 for n in (0.0, 0.1))
    one, other = (torch.from_numpy(image[None, None]).float() for image in (noisy, truth))
    expected = float(pyiqa.create_metric(key, device=torch.device("cpu"))(one, other))
    measured = value(noisy.astype(np.float32), key, reference=truth.astype(np.float32))
    assert measured == pytest.approx(expected, abs=1e-4)


def test_similarities_are_one_for_identical_images_and_psnr_is_infinite():
    image = picture(176)
    for key in ("ssim", "ms_ssim", "vif"):
        assert value(image, key, reference=image) == pytest.approx(1.0, abs=1e-5)
    assert value(image, "nmse", reference=image) == 0.0
    assert value(image, "psnr", reference=image) == math.inf


@pytest.mark.parametrize(
    "metric", [m for m in METRICS if m.reference == "full"], ids=lambda m: m.key
)
def test_more_noise_is_worse_in_the_stated_direction(metric):
    truth = picture(176, noise=0)
    little, much = (
        value(picture(176, noise=noise), metric.key, reference=truth) for noise in (0.02, 0.1)
    )
    assert (little > much) == (metric.direction == "up")


@pytest.mark.parametrize(
    "metric", [m for m in METRICS if m.reference == "full"], ids=lambda m: m.key
)
def test_the_order_of_result_and_truth_matters_where_it_should(metric):
    dull, truth = picture(176) * np.float32(0.5), picture(176)
    forth = value(dull, metric.key, reference=truth)
    back = value(truth, metric.key, reference=dull)
    if metric.key == "vif":
        assert forth < 1 < back
    elif metric.key == "nmse":
        assert back == pytest.approx(4 * forth, rel=1e-4)
    else:
        assert forth == pytest.approx(back, rel=1e-5)


def test_entropy_is_pyiqas_and_has_the_known_values():
    import pyiqa
    import torch

    levels = np.tile(np.arange(256, dtype=np.float32) / 255, (16, 1))
    assert value(levels, "entropy") == pytest.approx(8.0)
    assert value(np.full((16, 16), 0.3, np.float32), "entropy") == 0.0
    image = colour(40)
    tensor = torch.from_numpy(image.transpose(2, 0, 1)[None].copy())
    expected = float(pyiqa.create_metric("entropy", device=torch.device("cpu"))(tensor))
    assert value(image, "entropy") == pytest.approx(expected, abs=2e-3)


def loe_by_definition(pixels: Pixels, source: Pixels) -> float:
    before = np.rint(source * 255).max(axis=2).ravel()
    after = np.rint(pixels * 255).max(axis=2).ravel()
    total = 0
    for x in range(before.size):
        for y in range(before.size):
            total += (before[x] >= before[y]) != (after[x] >= after[y])
    return total / before.size


def test_loe_is_its_definition_where_every_pixel_is_sampled():
    before, after = colour(16), colour(16)[::-1].copy()
    expected = loe_by_definition(after, before)
    assert expected > 10
    assert value(after, "loe", source=before) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(16, 16), (200, 90), (64, 512)])
def test_loe_ignores_a_monotone_change_and_sees_an_inversion(shape):
    image = (np.rint(picture(*shape) * 20) / 40).astype(np.float32)
    assert value(np.sqrt(image), "loe", source=image) == 0.0
    inverted = value(1 - image, "loe", source=image)
    samples = math.prod(numpy_metrics.loe_grid(*shape))
    assert samples <= 5000
    assert 0.8 * samples < inverted < samples


def test_loe_compares_images_of_different_size():
    image = picture(40)
    enlarged = np.kron(image, np.ones((4, 4), np.float32))
    assert value(enlarged, "loe", source=image) == 0.0


def test_piqe_prefers_a_photograph_to_its_noisy_copy_and_is_pyiqas():
    import pyiqa
    import torch
    from skimage.data import camera

    clean = (camera()[::2, ::2] / 255).astype(np.float32)
    noise = 0.1 * np.random.default_rng(0).standard_normal(clean.shape)
    noisy = (clean + noise).clip(0, 1).astype(np.float32)
    assert 0 <= value(clean, "piqe") < value(noisy, "piqe") <= 100
    metric = pyiqa.create_metric("piqe", device=torch.device("cpu"))
    expected = float(metric(torch.from_numpy(noisy[None, None])))
    assert value(noisy, "piqe") == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("side", [16, 17, 31, 33, 50, 96, 161])
@pytest.mark.parametrize("make", [picture, colour])
def test_every_metric_has_a_finite_value_or_a_reason_at_any_size(side, make, torch_home):
    image, truth = make(side), np.sqrt(make(side))
    for score in metrics.score(image, reference=truth, source=truth):
        assert (score.value is None) == bool(score.reason)
        if score.value is None:
            small = side < score.metric.smallest or score.metric.needs_download
            assert small, f"{score.key}: {score.reason}"
        else:
            assert math.isfinite(score.value)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_constant_images_give_values_or_reasons(level):
    flat = np.full((176, 176), level, np.float32)
    scores = {s.key: s for s in metrics.score(flat, reference=flat, source=flat)}
    assert scores["piqe"].reason == "the image is constant"
    assert scores["vif"].reason == "the truth is constant"
    assert scores["entropy"].value == 0.0
    assert (scores["nmse"].reason == "the truth is black") == (level == 0.0)
    assert scores["ssim"].value == pytest.approx(1.0)


def test_reasons_say_what_is_missing_or_does_not_fit():
    image = picture(100, 120)
    assert reason(image, "psnr") == "needs a truth to compare with"
    assert reason(image, "loe") == "needs the image before enhancement"
    assert reason(image, "ms_ssim", reference=image) == (
        "needs 161 pixels a side, the image is 120x100"
    )
    assert reason(image, "psnr", reference=image[::2, ::2].copy()) == (
        "the image is 120x100 gray but the truth is 60x50 gray"
    )
    assert "colour" in reason(image, "ssim", reference=np.stack([image] * 3, axis=2))
    huge = np.zeros((2049, 2049), np.float32)
    assert "megapixels" in reason(huge, "vif", reference=huge)
    assert "megapixels" in reason(huge, "niqe")


def test_an_unknown_key_is_an_error_that_names_the_nearest():
    with pytest.raises(MetricUnavailable, match="did you mean psnr"):
        metrics.score(picture(16), keys=["pnsr"])


def test_images_outside_the_unit_range_are_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        metrics.score(picture(16) * np.float32(255))


@pytest.mark.parametrize("key", ["niqe", "brisque"])
def test_a_missing_file_is_a_reason_and_no_download(key, torch_home, monkeypatch):
    import torch.hub

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a download was started")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr("pyiqa.utils.download_util.download_url_to_file", refuse)
    told, file = metrics.available(key), metrics.get(key).file
    assert file is not None
    assert told == (
        f"needs the file {file.name} in {torch_home}; python -m enhancers metrics fetch {key} gets "
        f"it from {catalog.WEIGHTS}"
    )
    assert reason(picture(192), key) == told
    (torch_home / file.name).touch()
    assert reason(picture(192), key) == told
    assert list(torch_home.iterdir()) == [torch_home / file.name]


def test_metrics_without_a_file_are_always_available(torch_home):
    assert all(not metrics.available(m.key) for m in METRICS if not m.needs_download)


@pytest.mark.parametrize("key", ["niqe", "brisque"])
def test_the_file_names_are_those_pyiqa_asks_for(key):
    import importlib

    urls = importlib.import_module(f"pyiqa.archs.{key}_arch").default_model_urls
    file = metrics.get(key).file
    assert file is not None
    assert urls["url"] == file.address


def test_the_folder_is_where_pyiqa_looks(torch_home):
    import torch.hub

    assert str(pyiqa_metrics.files_folder()) == str(Path(torch.hub.get_dir()) / "pyiqa")


def test_niqe_runs_with_a_file_of_its_format(torch_home):
    import scipy.io

    model = {"mu_prisparam": np.zeros((1, 36)), "cov_prisparam": np.eye(36)}
    scipy.io.savemat(torch_home / "niqe_modelparameters.mat", model)
    assert metrics.available("niqe") == ""
    assert value(picture(200), "niqe") > 0


def test_brisque_runs_with_a_safe_file_and_refuses_a_pickled_program(torch_home):
    import torch

    path = torch_home / "brisque_svm_weights.pth"
    torch.save((torch.full((5,), 2.0), torch.zeros(5, 36)), path)
    assert math.isfinite(value(picture(64), "brisque"))
    pyiqa_metrics.create_metric.cache_clear()
    torch.save(Path("anything"), path)
    assert "not safe to load" in reason(picture(64), "brisque")
    path.write_bytes(b"no weights")
    assert "damaged" in reason(picture(64), "brisque")


@pytest.mark.skipif(not NIQE_FILE.is_file(), reason="the published NIQE model is not here")
def test_niqe_with_the_published_model_prefers_a_photograph_to_noise(torch_home):
    from skimage.data import camera

    shutil.copy(NIQE_FILE, torch_home)
    photograph = (camera()[::2, ::2] / 255).astype(np.float32)
    noise = np.random.default_rng(0).random((256, 256), np.float32)
    assert 0 < value(photograph, "niqe") < 10 < value(noise, "niqe")


def test_score_rows_measure_the_input_and_each_result_once():
    truth = picture(64)
    noisy = (truth + np.random.default_rng(0).normal(0, 0.05, truth.shape)).clip(0, 1)
    noisy = noisy.astype(np.float32)
    known: dict[str, metrics.ScoreRow] = {}
    keys = ["psnr", "loe"]
    rows = metrics.score_rows(noisy, {"tv": truth}, truth=truth, keys=keys, known=known)
    assert [row.name for row in rows] == [metrics.INPUT_ROW, "tv"]
    assert rows[0].scores == metrics.score(noisy, reference=truth, source=noisy, keys=keys)
    assert rows[1].scores == metrics.score(truth, reference=truth, source=noisy, keys=keys)
    assert rows[0].scores[1].value == 0.0
    assert rows[1].scores[1].value is not None
    again = metrics.score_rows(noisy, {"tv": truth, "nlm": noisy}, keys=keys, known=known)
    assert again[:2] == rows
    assert list(known) == [metrics.INPUT_ROW, "tv", "nlm"]


def test_csv_has_a_line_a_number_with_everything_beside_it():
    image = picture(32)
    row = metrics.ScoreRow("clahe", metrics.score(image, reference=image, source=image))
    lines = list(csv.DictReader(io.StringIO(metrics.to_csv([row, replace(row, name="tv")]))))
    assert len(lines) == 2 * len(METRICS)
    by_metric = {line["metric"]: line for line in lines if line["image"] == "clahe"}
    assert by_metric["PSNR (dB)"]["value"] == "inf"
    assert by_metric["PSNR (dB)"]["better"] == "higher"
    assert by_metric["LOE"]["value"] == "0.0"
    assert by_metric["Entropy (bit)"]["better"] == "neither"
    assert by_metric["MS-SSIM"]["value"] == ""
    assert "161" in by_metric["MS-SSIM"]["reason"]
    assert all(line["implementation"] and line["data range"] for line in lines)


def test_every_plain_value_is_valid_json():
    image = picture(32)
    scores = metrics.score(image, reference=image, source=image)
    values = {score.key: score.plain_value() for score in scores}
    assert json.loads(json.dumps(values, allow_nan=False))["psnr"] == "inf"


def test_the_catalog_is_complete_and_imports_nothing_heavy():
    assert [m.key for m in METRICS] == [
        "psnr", "ssim", "ms_ssim", "vif", "nmse", "piqe", "entropy", "loe", "niqe", "niqe_open",
        "brisque",
    ]  # fmt: skip
    assert all(m.implementation and m.data_range and m.note for m in METRICS)
    code = "import sys, enhancers.metrics; print({'torch', 'pyiqa', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
