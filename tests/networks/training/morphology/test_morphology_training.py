from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from enhancers.networks.morphology.tuner import MorphologyTuner, depth_weights
from enhancers.networks.morphology.unet import MorphologyUNet
from enhancers.networks.training.morphology import train
from enhancers.networks.training.morphology.objectives import noise_loss, tuner_loss
from enhancers.networks.training.morphology.train import train_morphology
from enhancers.networks.training.morphology.validation import dice
from enhancers.networks.training.morphology.volumes import (
    Batches,
    SpineCorpus,
    Volumes,
    draw,
    spine_corpus,
)
from enhancers.phantoms.spine.cohort import cohort

SIDE = 64
WIDTHS = (16, 16, 24, 32)
TEN = {"diffusion": 10, "segmentation": 10, "tuner": 10}
PARTS = ("diffusion", "segmentation", "tuner_published", "tuner_residual")


@pytest.fixture(scope="module")
def corpus() -> SpineCorpus:
    return spine_corpus(SIDE, most=4)


def test_the_corpus_is_of_the_cohort_and_has_no_test_volume(corpus: SpineCorpus) -> None:
    scans = cohort()
    assert [len(part) for part in corpus] == [4, 8, 4]
    for part in corpus:
        assert part.depths.shape[1:] == (5, SIDE, SIDE)
    first = scans[0].volume(SIDE)
    np.testing.assert_array_equal(corpus.clean.clean[0], np.round(first.clean * 255))
    np.testing.assert_array_equal(corpus.clean.best[0], np.round(first.depths[first.optimal] * 255))
    tuning = draw([scan for scan in scans if scan.part == "tuning"][:4], SIDE)
    np.testing.assert_array_equal(corpus.tuning.depths[4:], tuning.depths)
    assert len(corpus.digest) == 64


def test_batches_are_mirrored_with_their_masks(corpus: SpineCorpus) -> None:
    one = Volumes(*(value[:1] for value in (corpus.clean.depths, corpus.clean.clean,
                    corpus.clean.classes, corpus.clean.optimal)), 1)  # fmt: skip
    batch = Batches(one, 0, "cpu").batch(16)
    plain, mirrored = (
        torch.from_numpy(one.classes).long(),
        torch.from_numpy(one.classes).long().flip(-1),
    )
    clean = torch.from_numpy(one.clean).float() / 127.5 - 1
    seen = set()
    for classes, image, depths in zip(batch.classes, batch.clean, batch.depths, strict=True):
        is_plain = torch.equal(classes[None], plain)
        assert is_plain or torch.equal(classes[None], mirrored)
        torch.testing.assert_close(image, clean if is_plain else clean.flip(-1))
        assert depths.shape == (5, SIDE, SIDE)
        seen.add(is_plain)
    assert seen == {True, False}


class Known(nn.Module):
    """Predicts no noise at all."""

    def forward(self, state: Tensor, steps: Tensor, skip: object = None) -> Tensor:
        return torch.zeros_like(state)


def test_the_image_term_counts_at_most_as_much_as_the_noise() -> None:
    clean = torch.zeros(4000, 1, 1, 1)
    for abar, weight in ((1e-6, 2.0), (0.5, 2.0), (0.8, 1.25)):
        torch.manual_seed(0)
        loss = noise_loss(Known(), clean, torch.full((10,), abar), image_term=True)
        # The equation itself: min(SNR, 1) times the squared error of the clean estimate.
        snr = abar / (1 - abar)
        assert 1 + min(snr, 1) / snr == pytest.approx(weight, rel=1e-3)
        assert float(loss) == pytest.approx(weight, rel=0.1)


def test_only_the_tuner_has_gradients(corpus: SpineCorpus) -> None:
    network = MorphologyUNet(block_out_channels=WIDTHS).requires_grad_(False)
    nn.init.normal_(network.conv_out.weight)
    extractor = MorphologyUNet(out_channels=4, block_out_channels=WIDTHS, timed=False)
    tuner = MorphologyTuner(WIDTHS)
    given = Batches(corpus.tuning, 0, "cpu").batch(2)
    loss = tuner_loss(tuner, network, extractor.requires_grad_(False), given,
                      torch.full((10,), 0.5), depth_weights(5))  # fmt: skip
    loss.backward()
    assert all(
        parameter.grad is None for part in (network, extractor) for parameter in part.parameters()
    )
    assert all(float(layer.weight.grad.abs().sum()) > 0 for layer in tuner.up)


def test_ten_steps_of_each_stage_make_networks_record_and_card(
    corpus: SpineCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "BATCH", 2)
    results = train_morphology(corpus, 1, tmp_path, "cpu", steps=TEN)
    assert [(result.stage, result.steps) for result in results] == [(name, 10) for name in PARTS]
    facts = json.loads((tmp_path / "training.json").read_text())
    assert [stage["steps"] for stage in facts["stages"]] == [10] * 4
    assert facts["images"] == {"clean": 4, "tuning": 8, "validation": 4}
    assert facts["bytes"] < 16 * 2**20
    card = (tmp_path / "README.md").read_text()
    for name in PARTS:
        kind = MorphologyTuner if name.startswith("tuner") else MorphologyUNet
        loaded = kind.from_pretrained(tmp_path / name)
        assert next(loaded.parameters()).isfinite().all()
        assert f'{name} = {kind.__name__}.from_pretrained(".", subfolder="{name}")' in card
    assert MorphologyTuner.from_pretrained(tmp_path / "tuner_residual").config.variant == "residual"
    # Resumed with the same number of steps nothing is trained further, and the weights are kept.
    before = (tmp_path / "diffusion.pt").stat().st_size
    trained: list[str] = []
    monkeypatch.setattr(train, "noise_loss", lambda *_, **__: trained.append("again"))
    again = train_morphology(corpus, 1, tmp_path, "cpu", resume=True, steps=TEN)
    assert not trained
    assert [result.validation for result in again] == [result.validation for result in results]
    assert (tmp_path / "diffusion.pt").stat().st_size == before


def test_dice() -> None:
    one, other = torch.zeros(4, 4, dtype=torch.bool), torch.zeros(4, 4, dtype=torch.bool)
    assert dice(one, other) == 1.0
    one[0], other[:, 0] = True, True
    assert dice(one, other) == 0.25
