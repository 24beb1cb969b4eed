"""The benchmark of spines: figures of an image, floors, angles, the page; on tiny networks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from benchmarks.spine import measure, page, pictures, run, settings
from benchmarks.spine.floors import against_rival, failures, floors
from benchmarks.spine.found import Found
from benchmarks.spine.measure import Truth, scores
from benchmarks.spine.methods import Given, Made, Sample, Shrunk, Supervised, TrueMask, drawn
from benchmarks.spine.published import label
from benchmarks.spine.rival import trained_rival
from enhancers.evaluation.store import Measured, ResultRow
from enhancers.networks.morphology.tuner import VARIANTS, MorphologyTuner
from enhancers.networks.morphology.unet import MorphologyUNet
from enhancers.networks.training.morphology.volumes import draw
from enhancers.phantoms.spine import Curves, spine_volume
from enhancers.phantoms.spine.cohort import cohort
from enhancers.registry import get

WIDTHS, SIDE, SIZE = (16, 16, 16, 16), 64, 176


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny networks that were not trained, as a training leaves them."""
    torch.manual_seed(0)
    into = tmp_path_factory.mktemp("morphology")
    shape = {"block_out_channels": WIDTHS, "sample_size": SIDE}
    for name, part in (
        ("diffusion", MorphologyUNet(**shape)),
        ("segmentation", MorphologyUNet(out_channels=4, timed=False, **shape)),
    ):
        nn.init.normal_(part.conv_out.weight, std=0.2)
        if name == "segmentation":
            # Background: lines through a thousand specks would take long to find.
            nn.init.constant_(part.conv_out.bias[:4], 100.0)
        part.save_pretrained(into / name)
    for variant in VARIANTS:
        tuner = MorphologyTuner(WIDTHS, variant=variant)
        for layer in tuner.up:
            torch.nn.init.normal_(layer.weight, std=0.2)
        tuner.save_pretrained(into / f"tuner_{variant}")
    return into


def test_held_out_volumes_are_of_subjects_that_no_network_knows() -> None:
    seen = {scan.subject for scan in cohort() if scan.part != "test"}
    every = settings.held_out()
    assert len(every) == 181
    assert not seen & {scan.subject for scan in every}
    few = settings.held_out(30)
    assert len({scan.subject for scan in few}) == 30
    assert settings.spread_out(few, 3) == [few[0], few[14], few[29]]


def test_the_rival_learns_once_and_goes_on_for_longer(tmp_path: Path) -> None:
    scans = [scan for scan in cohort() if scan.part == "clean"][:2]
    volumes = draw(scans, SIDE)
    how = {"widths": WIDTHS}
    first = trained_rival(lambda: volumes, SIDE, 1, tmp_path, "cpu", max_steps=2, **how)
    assert first.steps == 2
    assert 0 < first.loss < 1

    def none() -> None:
        raise AssertionError("nothing is left to learn")

    again = trained_rival(none, SIDE, 1, tmp_path, "cpu", max_steps=2, **how)
    assert again.digest == first.digest
    longer = trained_rival(lambda: volumes, SIDE, 1, tmp_path, "cpu", max_steps=3, **how)
    assert longer.steps == 3
    assert longer.digest != first.digest


def test_equations_12_and_13_on_an_image_typed_in() -> None:
    volume = spine_volume(size=SIZE, seed=1)
    signal = volume.mask > 0
    rest = volume.body & ~signal
    pixels = np.zeros((SIZE, SIZE), np.float32)
    pixels[signal] = 0.2
    checks = np.indices(pixels.shape).sum(0) % 2 == 0
    pixels[rest & checks], pixels[rest & ~checks] = 0.5, 0.7
    found = scores(Made(pixels, volume.mask), volume, "mean")
    # The darkness of the signal, 0.8; the background has mean 0.6 and SD 0.1, the signal none.
    assert found["snr"] == pytest.approx(20 * math.log10(0.8 / 0.1), abs=0.01)
    assert found["cnr"] == pytest.approx(20 * math.log10(0.4 / 0.1), abs=0.05)
    assert found["dice"] == 1
    assert found["psnr"] == pytest.approx(-10 * np.log10(np.mean((pixels - volume.clean) ** 2)))
    # Compared with each depth, of which one is the best.
    best = f"psnr_{volume.optimal + 1}"
    assert found["psnr_best"] == found[best]
    assert 0 < found["ms_ssim"] < 1
    assert "psnr_1" not in scores(Made(pixels, volume.mask), volume, "srad@best")


def test_a_segmentation_is_drawn_dark_on_tissue() -> None:
    volume = spine_volume(size=SIZE, seed=1)
    image = drawn(volume.mask, volume)
    assert image[volume.mask > 0].max() < image[volume.body & (volume.mask == 0)].min()
    assert not image[~volume.body].any()


def test_two_volumes_give_a_page_and_rows_are_not_computed_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "STEPS", 1)
    # MS-SSIM of all rows takes as long as the rest.
    monkeypatch.setattr(measure, "FIDELITY", ("psnr",))
    rival = trained_rival(
        lambda: draw([cohort()[0]], SIDE), SIDE, 1, tmp_path, "cpu", max_steps=1, widths=WIDTHS
    )
    monkeypatch.setattr(run, "trained_rival", lambda *_, **__: rival)
    quick = [
        TrueMask(), Shrunk(), *map(Given, ("clean", "input@1", "input@best", "mean")), Supervised(),
        Sample("tuned", "tuned", samples=2),
    ]  # fmt: skip
    variants = [Sample(variant, variant, samples=2) for variant in ("residual", "published")]
    slow = [Sample(f"{variant}@{given}", variant, samples=2, start=start)
            for variant in settings.VARIANTS
            for given, start in (("best", "noise"), ("segmentation", "noise"),
                                 ("inversion", "inversion"))]  # fmt: skip
    monkeypatch.setattr(measure, "quick", lambda: quick)
    monkeypatch.setattr(measure, "variants", lambda: variants)
    monkeypatch.setattr(pictures, "quick", lambda: quick)
    monkeypatch.setattr(pictures, "SHOWN", ("input@best", "tuned", "clean"))
    single = [Sample(f"tuned#{seed}", "tuned", seed, samples=1) for seed in range(2)]
    monkeypatch.setattr(measure, "slow", lambda: [*slow, *single])
    scans = settings.held_out(2)
    given = (folder, scans, scans, scans[:1], 1, tmp_path, "cpu")
    found, rows = run.measured(*given, side=SIZE)
    assert not [row.error for row in rows if row.error]
    assert len(rows) == 2 * len(quick + variants) + len(slow) + len(single)
    # Another key of the same image, the same start and the same depth is no new row.
    assert sum(row.fresh for row in rows) == len(rows) - sum(
        scan.volume(SIZE).optimal == 0 for scan in scans
    )
    own = {row.candidate: row.measured for row in rows if row.case == scans[0].name}
    assert len({own[key].scores["psnr"] for key in ("tuned", "tuned#0", "tuned#1")}) == 3
    assert own["tuned"].scores["psnr"] != own["tuned@segmentation"].scores["psnr"]
    assert (own["tuned"].calls, own["tuned@inversion"].calls) == (2, 2)
    assert 20 < (own["shrunk"].scores["psnr"] or 0) < 40
    again, second = run.measured(*given, side=SIZE, picture=tmp_path / "spine.png")
    assert not any(row.fresh for row in second)
    text, repeated = (page.as_markdown(one, "COMMAND", "DATE") for one in (found, again))
    assert text == repeated
    shown = np.asarray(Image.open(tmp_path / "spine.png").convert("L"), np.float64)
    assert [scan.level for scan in scans] == ["poor", "moderate"]
    assert shown.shape == (SIZE + 8, 3 * (SIZE + 8) // 2)
    for row, scan in zip(np.split(shown, 2), reversed(scans), strict=True):
        clean = Image.fromarray(np.round(scan.volume(SIZE).clean * 255).astype(np.uint8)).reduce(2)
        assert np.abs(row[2:-2, -SIZE // 2 - 2 : -2] - np.asarray(clean)).mean() < 4
    assert "2 volumes of 2 subjects" in text
    assert "Volumes with all of them: 1." in text
    assert "| Paper: Morphology | 15.30 | 17.59 | 19.69 | 18.65 | 16.48 | 17.54 |" in text


def found_of(psnr: Mapping[str, float], errors: Mapping[str, float]) -> Found:
    """Eight volumes of four subjects with these figures, and angles that are too large by these."""
    truths, rows = {}, []
    for number in range(8):
        case, wave = f"v{number}", 0.1 * (number % 3)
        truths[case] = Truth(f"s{number // 2}", "easy", Curves(30.0, -20.0), 1)
        for key, value in psnr.items():
            figures: dict[str, float | None] = {
                "psnr": value + wave, "ms_ssim": (value + wave) / 50,
                "uca_t": 30 + errors[key] + wave, "uca_l": -20 - errors[key] - wave,
            }  # fmt: skip
            if number == 7 and key == "input@best":
                figures["uca_t"] = None
            rows.append(ResultRow("spine", case, "us", truths[case].subject, 0.0, key, key, key, 0,
                                  Measured(figures)))  # fmt: skip
    return Found(tuple(rows), truths, {}, "")


PSNR = {**{f"input@{n}": 14.0 + n / 10 for n in range(1, 6)}, "input@best": 16.0, "mean": 17.5,
        "srad@best": 17.0, "unet": 19.0, "tuned": 17.2, "published": 16.0}  # fmt: skip
ERRORS = dict.fromkeys(PSNR, 3.0) | {"tuned": 1.5, "unet": 1.0}


def test_a_missed_floor_is_said_plainly() -> None:
    found = found_of(PSNR, ERRORS)
    told = {one.sentence: one for one in floors(found)}
    assert told["Morphology above every single depth in PSNR"].verdict == "met"
    assert told["Morphology above SRAD in MS-SSIM"].verdict == "met"
    missed = told["Morphology above the weighted mean of depths in PSNR"]
    assert missed.verdict == "**MISSED**"
    assert missed.figures.startswith("17.29 against 17.59 dB (Weighted mean of depths): -0.30")
    angle = told["Morphology: a smaller error of the curve angles than on the best depth"]
    assert angle.verdict == "met"
    assert angle.figures.startswith("1.6 against 3.1°: smaller by +1.5")
    assert angle.figures.endswith("not measurable: 0 of 16 and 1 of 16")
    assert missed.sentence in list(failures(found))
    assert angle.sentence not in list(failures(found))
    without = replace(found, rows=tuple(row for row in found.rows if row.candidate != "mean"))
    verdicts = {one.sentence: one.verdict for one in floors(without)}
    assert verdicts[missed.sentence] == "not measured"


def test_the_page_says_who_wins() -> None:
    text = against_rival(found_of(PSNR, ERRORS))
    assert text.startswith(
        "The supervised U-Net wins in PSNR (-1.80 dB), MS-SSIM (-0.036), the error of the curve "
        "angles (-0.5°). Differences"
    )
    text = against_rival(found_of({**PSNR, "unet": 16.0}, ERRORS))
    assert "The supervised U-Net wins in the error of the curve angles (-0.5°). " in text
    assert "Morphology wins against the supervised U-Net in PSNR (+1.20 dB), MS-SSIM" in text


def test_a_curve_on_the_wrong_side_is_an_error() -> None:
    found = found_of({"tuned": 20.0}, {"tuned": -50.0})
    assert found.angle_error("tuned") == pytest.approx(49.9, abs=0.1)
    agreement = found.agreement("tuned", "lumbar")
    assert agreement is not None
    assert agreement.bias.value == pytest.approx(-49.91, abs=0.01)


def test_the_method_is_measured_as_it_is_by_default() -> None:
    method = get("morphology")
    assert method.parameter("steps").default == settings.STEPS
    assert method.parameter("samples").default == settings.SAMPLES
    assert method.parameter("variant").default == settings.SHIPPED


def test_names() -> None:
    assert label("tuned@segmentation") == "Morphology, best depth's segmentation"
    assert label("srad@3") == "SRAD, depth 3"
    assert label(settings.ONE) == "Morphology, one sample"
