from __future__ import annotations

import importlib

import numpy as np
import pytest

from benchmarks.performance.floors import Floor, as_markdown
from benchmarks.performance.scores import ScoreTable, score, validation_cases
from enhancers.evaluation.measures import fit
from enhancers.evaluation.problem import TestImage
from enhancers.method import Modality


def test_phantoms_stand_for_a_corpus() -> None:
    cases = validation_cases(None, 1)
    assert [case.group for case in cases] == ["mr", "ct", "us", "xr"]
    assert all(case.truth.shape == (256, 256) for case in cases)
    assert [case.seed for case in cases] == [0, 0, 0, 0]


def test_a_table_weighs_groups_alike() -> None:
    truth = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    table = ScoreTable()
    for group, offset in (("mr", 0.1), ("mr", 0.1), ("ct", 0.01)):
        table.add(
            "x", TestImage("k", Modality.OTHER, truth, group=group), truth + offset * (1 - truth)
        )
    psnr = {group: found[0] for group, found in table.by_group("x").items()}
    assert table.mean("x")[0] == pytest.approx((psnr["mr"] + psnr["ct"]) / 2)
    assert table.best("x")[0] == table.mean("x")[0]


def test_a_fit_undoes_gain_and_offset() -> None:
    truth = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    psnr, ssim = score(fit(0.3 * truth + np.float32(0.2), truth).pixels, truth)
    assert psnr > 60
    assert ssim > 0.999


def test_floors_that_are_missed_are_said() -> None:
    table = ScoreTable()
    truth = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    table.add("DDNM", TestImage("k", Modality.MR, truth, group="mr"), truth * 0.9)
    found = [("denoise", table, [Floor("a", 0.4, 0.5, "x"), Floor("b", 0.6, 0.5, "y")])]
    text = as_markdown(found, 1)
    assert "| a | 0.4 | 0.5 | MISSED | x |" in text
    assert "| b | 0.6 | 0.5 | met | y |" in text
    assert "| DDNM |" in text


def test_stages_are_measured_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    # The package has a function of the same name.
    room = importlib.import_module("benchmarks.performance.floors")
    stages = {
        name: lambda cases, device, tick: (ScoreTable(), []) for name in ("one", "two", "three")
    }
    monkeypatch.setattr(room, "STAGES", stages)
    assert [name for name, _, _ in room.floors([], "cpu")] == ["one", "two", "three"]
    assert [name for name, _, _ in room.floors([], "cpu", ("three", "one"))] == ["one", "three"]
