"""The tables of the reader-study paper: images, distances, floors, the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.reconstruction import features, page, settings, tables
from benchmarks.reconstruction.distances import frechet, kernel_distance, spectral_distance
from benchmarks.reconstruction.floors import floors
from benchmarks.reconstruction.measure import (
    Distances,
    Latency,
    distances,
    image_distances,
)
from benchmarks.reconstruction.tables import Found
from enhancers.errors import ImagesAbsent
from enhancers.evaluation import pictures
from enhancers.evaluation.conditions import degraded_case
from enhancers.evaluation.problem import Degraded
from enhancers.evaluation.store import Measured, ResultRow
from enhancers.networks.training.restorers.pairs import read_pairs

RANDOM = np.random.default_rng(0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Images of 30 subjects of ultrasound and MR, each with a pattern of its modality."""
    y, x = np.mgrid[:96, :96]
    for name, pattern in (("us", np.sin(y / 3)), ("mr", np.sin(x / 9) * np.cos(y / 9))):
        noise = RANDOM.normal(0, 10, (60, 96, 96))
        images = (120 + 80 * pattern + noise).clip(1, 255).astype(np.uint8)
        subjects = np.array([f"s{i // 2}" for i in range(60)])
        np.savez(tmp_path / f"{name}.npz", images=images, subject_id=subjects)
    return tmp_path


def test_the_images_are_those_that_no_restorer_was_trained_or_chosen_on(data: Path) -> None:
    cases = settings.read_cases(data)
    corpus = read_pairs(data, ["MR", "US"], phantoms=0)
    for group, modality in (("mr", "MR"), ("us", "US")):
        own = [case for case in cases if case.group == group]
        split = corpus.images[modality]
        test = [image.tobytes() for image in split.test]
        seen = {image.tobytes() for image in (*split.train, *split.validation)}
        ours = [np.round(case.truth * 255).astype(np.uint8).tobytes() for case in own]
        assert ours == test
        assert not seen & set(ours)
        assert len({case.subject for case in own}) == corpus.subjects[modality][2]
    few = settings.read_cases(data, limit=3)
    assert [case.group for case in few] == ["mr"] * 3 + ["us"] * 3
    with pytest.raises(ImagesAbsent, match=r"has none of ct\.npz, mr\.npz, us\.npz"):
        settings.read_cases(data / "..")


def test_each_modality_is_degraded_as_in_the_paper(data: Path) -> None:
    (case,) = [case for case in settings.read_cases(data, limit=1) if case.group == "mr"]
    (condition,) = [one for one in settings.protocol().conditions if one.groups == ("mr",)]
    _, degraded = degraded_case(case, condition)
    assert (degraded.kind, degraded.level) == ("mr_undersample", 6.0)
    assert degraded.measured is not None
    assert {one.groups[0]: one.low for one in settings.protocol().conditions} == {
        "ct": 0.25, "mr": 6.0, "us": -6.0,
    }  # fmt: skip


def test_the_frechet_distance_of_gaussians_is_that_of_the_formula() -> None:
    spread = np.array([1.0, 2.0, 0.5])
    first = RANDOM.normal(0, 1, (40_000, 3))
    second = RANDOM.normal(0, 1, (40_000, 3)) * spread + [1.0, 0.0, 0.0]
    expected = 1.0 + float(((1 - spread) ** 2).sum())
    assert frechet(first, second) == pytest.approx(expected, rel=0.03)
    assert frechet(first, first) == pytest.approx(0.0, abs=1e-9)
    few = [frechet(first[:count], second[:count]) for count in (40, 40_000)]
    assert few[0] > few[1]


def test_the_kernel_distance_is_near_zero_for_the_same_distribution_only() -> None:
    first, same, other = (RANDOM.normal(at, 1, (2_000, 8)) for at in (0.0, 0.0, 0.7))
    near, sd = kernel_distance(first, same)
    assert abs(near) < 3 * sd
    far, sd = kernel_distance(first, other)
    assert far > 10 * sd


def test_smooth_and_noisy_results_are_both_far_from_the_spectrum() -> None:
    truth = RANDOM.random((2, 96, 96)).astype(np.float32)
    assert spectral_distance(list(truth), list(truth)) == pytest.approx(0.0, abs=1e-6)
    for gain in (0.5, 2.0):
        assert spectral_distance(list(truth * np.float32(gain)), list(truth)) == pytest.approx(
            6.02, abs=0.01
        )


def test_the_classifier_tells_modalities_apart_and_is_trained_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "STEPS", 25)
    network, accuracy = features.classifier(data, tmp_path / "work")
    assert accuracy > 0.9
    monkeypatch.setattr(features, "_train", None)
    again, _ = features.classifier(data, tmp_path / "work")
    patches = [case.truth[:64, :64] for case in settings.read_cases(data, limit=2)]
    first, second = (features.features_of(each, patches) for each in (network, again))
    assert np.array_equal(first, second)
    assert first.shape == (4, features.FEATURES)


def row(group: str, number: int, candidate: str, psnr: float) -> ResultRow:
    scores = {"psnr": psnr, "ssim": psnr / 50, "nmse": 10 ** (-psnr / 10)}
    return ResultRow(
        group, f"{group}-{number}", group, f"{group}:{number // 2}", 0.0, candidate, candidate,
        candidate, 0, Measured(scores, (), 20, 0.5),
    )  # fmt: skip


PSNR = {
    "input": 20.0, "tv_recon": 25.0, "pix2pix": 24.0, "pix2pix@consistency=no": 23.5,
    "restormer": 26.5, "restormer@consistency=no": 26.0, "diffusion_unet": 25.5,
}  # fmt: skip
OF_SCANS = {"tv_recon@phase=smooth": 27.5, "diffusion_unet@consistency=1": 26.0}
"""Of MR alone."""


@pytest.fixture
def found() -> Found:
    rows = tuple(
        row(group, number, key, psnr + 0.1 * number + (number % 3) * 0.01 * len(key))
        for group in ("ct", "mr", "us")
        for key, psnr in {**PSNR, **(OF_SCANS if group == "mr" else {})}.items()
        for number in range(8)
    )
    fids = (9.0, 5.0, 3.0, 3.5, 4.0, 4.5, 2.0, 6.0, 4.2)
    far = {
        key: Distances(fid, fid + 1, fid / 10, 0.01, fid)
        for key, fid in zip({**PSNR, **OF_SCANS}, fids, strict=True)
    }
    return Found(
        rows, {(group, key): one for group in ("ct", "mr", "us") for key, one in far.items()},
        {"tv_recon": Latency((2.0, 2.1, 2.2), 0), "pix2pix": Latency((0.1, 0.11, 0.12), 1)},
        {10: rows[-2:], 1000: rows[-1:]}, 0.97, 2000,
    )  # fmt: skip


def test_a_missed_floor_is_said_plainly_and_so_is_one_without_figures(found: Found) -> None:
    verdicts = {one.sentence: one.verdict for one in floors(found)}
    above = "above the degraded image and TV-Recon in PSNR"
    assert verdicts[f"CT: Pix2Pix {above}"] == "**MISSED**"
    assert verdicts[f"CT: Restormer {above}"] == "met"
    assert verdicts[f"CT: Diffusion-UNet, mean of 8 {above}"] == "not measured"
    assert verdicts["MR: Restormer at least 1 dB above TV-Recon"] == "met"
    assert "US: Restormer at least 1 dB above TV-Recon" not in verdicts
    lower = "US: Diffusion-UNet, one sample, has a lower FID than Pix2Pix and Restormer"
    assert verdicts[lower] == "met"
    consistent = "MR: Diffusion-UNet, one sample, data consistency"
    assert verdicts[f"{consistent} {above}"] == "met"
    assert verdicts[f"{consistent}, has a lower FID than Pix2Pix and Restormer"] == "**MISSED**"
    assert verdicts[f"MR: Diffusion-UNet, mean of 8, data consistency {above}"] == "not measured"
    missed = list(page.failures(found))
    assert f"CT: Pix2Pix {above}" in missed
    assert lower not in missed


def test_the_page_has_ours_and_the_papers_figures_and_says_where_the_order_differs(
    found: Found,
) -> None:
    text = page.as_markdown(found, "COMMAND", "2026-01-01")
    assert "24 images of 12 subjects" in text
    assert "| TV-Recon | 25.42 ± " in text
    assert "34.7 dB, 0.842, 6.1, 158.4" in text
    assert "Pix2Pix, TV-Recon, Diffusion-UNet, Restormer. The paper's: TV-Recon" in text
    assert "The paper's order does not hold here." in text
    assert "with half of the patches it is Degraded image 10.000" in text
    assert "slope -0.0160 points" in text
    assert "r = -0.987, p = .013" in text
    assert "Welch's ANOVA" in text
    assert "| 1000 | " in text
    assert "| Pix2Pix | 110 ± 10 | 1 | — |" in text
    assert "smooth phase: 28.03 dB, Restormer 26.93 dB** (-1.1" in text
    (scans,) = [one for one in text.splitlines() if one.startswith("| TV-Recon, smooth phase |")]
    assert scans.count("| — ") == 6
    line = next(one for one in text.splitlines() if one.startswith("| TV-Recon | PSNR"))
    assert "+0.5" in line
    assert "< .001" in line


def test_results_on_disk_are_compared_with_their_truths(data: Path, tmp_path: Path) -> None:
    cases = settings.read_cases(data, limit=2)
    rows = []
    for case in cases:
        noise = RANDOM.normal(0, 0.2, case.truth.shape)
        noisy = np.clip(case.truth + noise, 0, 1).astype(np.float32)
        for key, pixels in (("truth", case.truth), ("noisy", noisy)):
            one = ResultRow(case.group, case.key, case.group, case.subject, 0.0, key, key, key, 0)
            rows.append(one)
            pictures.store(tmp_path, one, case, Degraded(noisy, case.modality), pixels)
    network = features.Classifier().eval()
    known = distances(rows, cases, tmp_path, network, 100)
    for group in ("mr", "us"):
        assert known[group, "truth"].fid == pytest.approx(0.0, abs=1e-4)
        assert known[group, "noisy"].fid > 10 * known[group, "truth"].fid
        assert known[group, "noisy"].spectrum > 3
    each = image_distances(rows, cases, tmp_path, network)
    for row, distance in zip(rows, each, strict=True):
        assert distance == pytest.approx(0.0, abs=1e-4) or row.candidate == "noisy"
    assert min(each[1::2]) > 100 * max(each[::2])
    assert tables.p_text(0.0004) == "< .001"
