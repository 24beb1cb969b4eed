from __future__ import annotations

import pytest
import torch

from benchmarks.zero_dce import train
from enhancers.evaluation.baselines.zero_dce import CurveNetwork, enhanced, loss
from enhancers.networks.training.corpus import read_corpus


def test_training_lowers_the_loss_and_depends_on_the_seed_alone() -> None:
    corpus = read_corpus(None, phantoms=2)
    curves = []
    for _ in range(2):
        torch.manual_seed(0)
        network = CurveNetwork()
        first, *_, last = train(network, corpus, 6, every=2)
        assert last.done == 6
        assert last.loss < first.loss
        curves.append(network(torch.full((1, 1, 16, 16), 0.2)).detach())
    assert torch.equal(*curves)


def test_the_loss_is_of_exposure_structure_and_smooth_curves() -> None:
    dark = torch.full((1, 1, 32, 32), 0.2)
    none = torch.zeros((1, 8, 32, 32))
    rough = torch.where(torch.arange(32) % 2 == 0, 0.4, -0.4).expand(1, 8, 32, 32)
    assert float(loss(dark, none)) == pytest.approx(0.4, abs=1e-5)
    assert float(loss(dark, torch.full_like(none, 0.5))) < 0.4
    assert float(loss(dark, rough)) > 1.0
    assert enhanced(dark, torch.ones_like(none)).max() <= 1.0
