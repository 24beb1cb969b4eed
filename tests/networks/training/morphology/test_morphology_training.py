from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from enhancers.cli.networks import Stage
from enhancers.depths import depth_weights
from enhancers.errors import ParameterError
from enhancers.networks.morphology.tuner import MorphologyTuner, features_of
from enhancers.networks.morphology.unet import MorphologyUNet
from enhancers.networks.training.morphology import train
from enhancers.networks.training.morphology.fused import FusedVolumes
from enhancers.networks.training.morphology.objectives import tuner_loss, velocity_loss
from enhancers.networks.training.morphology.train import train_morphology
from enhancers.networks.training.morphology.validation import dice
from enhancers.networks.training.morphology.volumes import (
    SpineCorpus,
    batch_of,
    draw,
    moved,
    moved_batches,
    spine_corpus,
)
from enhancers.phantoms.spine.cohort import cohort

SIDE = 64
WIDTHS = (16, 16, 24, 32)
FEW = {"diffusion": 3, "segmentation": 3, "tuner": 3}
PARTS = ("diffusion", "segmentation", "tuner_published", "tuner_residual", "tuner_tuned")


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


def test_further_cohorts_are_learned_from_and_the_known_volumes_stay(corpus: SpineCorpus) -> None:
    more = spine_corpus(SIDE, most=2, cohorts=2)
    assert more.cohorts == 2
    assert [len(part) for part in more] == [4, 8, 2]
    assert [part.subjects for part in more] == [2, 4, 1]
    first = cohort(1)[0].volume(SIDE)
    np.testing.assert_array_equal(more.clean.clean[2], np.round(first.clean * 255))
    np.testing.assert_array_equal(more.clean.clean[:2], corpus.clean.clean[:2])
    np.testing.assert_array_equal(more.validation.depths, corpus.validation.depths[:2])


def test_all_images_of_a_batch_move_together_and_masks_keep_their_classes(
    corpus: SpineCorpus,
) -> None:
    draw_batch = moved_batches(corpus.clean, "cpu")
    batch = draw_batch(8, np.random.default_rng(0))
    assert set(batch.classes.unique().tolist()) == {0, 1, 2, 3}
    # In artefact-free images structures are darker than what surrounds them.
    for classes, image in zip(batch.classes, batch.clean[:, 0], strict=True):
        body = image > -0.9
        marked = classes > 0
        assert image[marked].median() < image[body & ~marked].median() - 0.1
    still = draw_batch(8, np.random.default_rng(0))
    torch.testing.assert_close(still.clean, batch.clean)
    assert not torch.equal(batch.clean[0], batch.clean[1])


def test_a_half_turn_twice_is_no_move(corpus: SpineCorpus) -> None:
    given = batch_of(corpus.validation, np.arange(2), "cpu")
    half = torch.tensor([[-1.0, 0, 0], [0, -1, 0]]).repeat(2, 1, 1)
    turned = moved(given, half)
    torch.testing.assert_close(turned.clean, given.clean.flip(-1, -2), atol=1e-5, rtol=0)
    torch.testing.assert_close(turned.depths, given.depths.flip(-1, -2), atol=1e-5, rtol=0)
    assert torch.equal(turned.classes, given.classes.flip(-1, -2))


class Known(nn.Module):
    """Answers as if there were no noise and the image were black."""

    def forward(self, state: Tensor, steps: Tensor, skip: object = None) -> Tensor:
        return torch.zeros_like(state)


@pytest.mark.parametrize("abar", [1e-6, 0.5, 0.8, 1.0])
def test_the_loss_is_the_sum_of_both_terms_of_equation_9(abar: float) -> None:
    torch.manual_seed(0)
    clean = torch.rand(16, 1, 8, 8) * 2 - 1
    loss = velocity_loss(Known(), clean, torch.full((10,), abar))
    # The same draws again; from velocity 0 follow the estimates of image and noise.
    torch.manual_seed(0)
    clean = torch.rand(16, 1, 8, 8) * 2 - 1
    torch.randint(10, (16,))
    noise = torch.randn_like(clean)
    kept, lost = abar**0.5, (1 - abar) ** 0.5
    state = kept * clean + lost * noise
    terms = (noise - lost * state).square().mean() + (clean - kept * state).square().mean()
    assert float(loss) == pytest.approx(float(terms), rel=1e-4)


def test_only_the_tuner_has_gradients(corpus: SpineCorpus) -> None:
    network = MorphologyUNet(block_out_channels=WIDTHS).requires_grad_(False)
    nn.init.normal_(network.conv_out.weight)
    extractor = MorphologyUNet(out_channels=4, block_out_channels=WIDTHS, timed=False)
    tuner = MorphologyTuner(WIDTHS)
    fused = FusedVolumes(corpus.tuning, extractor.requires_grad_(False), depth_weights(5), "cpu")
    optimal, features = fused.batch(fused.optimal, 2, np.random.default_rng(0))
    loss = tuner_loss(tuner, network, optimal, features, torch.full((10,), 0.5))
    loss.backward()
    assert all(
        parameter.grad is None for part in (network, extractor) for parameter in part.parameters()
    )
    assert all(float(layer.weight.grad.abs().sum()) > 0 for layer in tuner.up)


def test_features_of_volumes_and_their_mirror_images_are_kept(corpus: SpineCorpus) -> None:
    extractor = MorphologyUNet(out_channels=4, block_out_channels=WIDTHS, timed=False)
    fused = FusedVolumes(corpus.tuning, extractor, depth_weights(5), "cpu")
    assert len(fused.optimal) == 2 * len(corpus.tuning)
    given = batch_of(corpus.tuning, np.arange(len(corpus.tuning)), "cpu")
    with torch.no_grad():
        wanted = features_of(extractor, given.depths.flip(-1), depth_weights(5))
    torch.testing.assert_close(fused.optimal[-8:], given.optimal.flip(-1))
    for kept, level in zip(fused.features.decoder, wanted.decoder, strict=True):
        torch.testing.assert_close(kept[-8:].float(), level, atol=2e-3, rtol=2e-3)


def test_a_few_steps_of_each_stage_make_networks_record_and_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = spine_corpus(SIDE, most=2)
    monkeypatch.setattr(train, "BATCH", 2)
    results = train_morphology(corpus, 1, tmp_path, "cpu", steps=FEW)
    assert [(result.stage, result.steps) for result in results] == [(name, 3) for name in PARTS]
    facts = json.loads((tmp_path / "training.json").read_text())
    assert [stage["steps"] for stage in facts["stages"]] == [3] * 5
    assert facts["images"] == {"clean": 2, "tuning": 4, "validation": 2}
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
    monkeypatch.setattr(train, "velocity_loss", lambda *_, **__: trained.append("again"))
    again = train_morphology(corpus, 1, tmp_path, "cpu", resume=True, steps=FEW)
    assert not trained
    assert [result.validation for result in again] == [result.validation for result in results]
    assert (tmp_path / "diffusion.pt").stat().st_size == before
    monkeypatch.undo()
    more = train_morphology(corpus, 1e-4, tmp_path, "cpu", only=("tuner_residual",))
    assert [result.steps for result in more] == [3, 3, 3, 4, 3]
    (tmp_path / "segmentation.pt").unlink()
    with pytest.raises(ParameterError, match="no checkpoint of segmentation"):
        train_morphology(corpus, 1e-4, tmp_path, "cpu", only=("tuner_residual",))


def test_the_command_knows_every_stage() -> None:
    assert tuple(Stage) == train.STAGES == PARTS


def test_dice() -> None:
    one, other = torch.zeros(4, 4, dtype=torch.bool), torch.zeros(4, 4, dtype=torch.bool)
    assert dice(one, other) == 1.0
    one[0], other[:, 0] = True, True
    assert dice(one, other) == 0.25
