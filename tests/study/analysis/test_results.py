"""The complete analysis: exclusions, reproducibility, blinding and empty studies."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from study.analysis import analyse
from study.analysis.blinding import blinding
from study.analysis.dataset import Dataset
from study.analysis.results import default_seed
from study.domain.protocol import Protocol
from study.stats.estimate import to_json
from tests.support.simulated_datasets import SMALL, dataset, unblind

NAMES = {"M1": "Median filter", "M2": "Restormer", "M3": "Guided diffusion"}
GROUPS = {"M1": "filter", "M2": "neural network", "M3": "neural network"}


def test_excluded_rows_are_in_no_result(data: Dataset) -> None:
    without = tuple(
        seen._replace(excluded="wrong_display") if seen.reader == "R02" else seen
        for seen in data.observations
    )
    excluded = replace(
        data,
        observations=without,
        readers=tuple(
            replace(one, state="excluded") if one.code == "R02" else one for one in data.readers
        ),
    )
    removed = replace(
        excluded,
        observations=tuple(seen for seen in data.observations if seen.reader != "R02"),
    )
    left = analyse(excluded, resamples=20)
    right = analyse(removed, resamples=20)
    assert left.criteria == right.criteria
    assert left.preferences == right.preferences
    assert left.conduct == right.conduct


def test_the_same_data_and_seed_give_the_same_bytes(data: Dataset) -> None:
    first = to_json(analyse(data, resamples=60))
    shuffled = replace(data, observations=tuple(reversed(data.observations)))
    assert first == to_json(analyse(shuffled, resamples=60))
    assert first != to_json(analyse(data, resamples=60, seed=99))


def test_the_seed_comes_from_the_protocol(data: Dataset) -> None:
    assert analyse(data, resamples=20).options.seed == default_seed(data.protocol.digest)
    other = data.protocol.with_(title="Another")
    assert default_seed(other.digest) != default_seed(data.protocol.digest)


def test_results_do_not_know_names_and_do_not_depend_on_them(data: Dataset) -> None:
    named = unblind(data, NAMES, GROUPS)
    text = to_json(analyse(named, resamples=20))
    assert not any(name in text for name in NAMES.values())
    assert analyse(named, resamples=20).criteria == analyse(data, resamples=20).criteria
    assert json.loads(text)["data_sha256"] == replace(named, methods=data.methods).digest


def test_the_digest_changes_with_an_answer(data: Dataset) -> None:
    first, *others = data.observations
    changed = first._replace(value=2 if first.value != 2 else 3, missing="")
    assert replace(data, observations=(changed, *others)).digest != data.digest


def test_blinding_is_computed_after_unblinding_only(data: Dataset) -> None:
    assert blinding(data) is None
    found = blinding(unblind(data, NAMES, GROUPS))
    assert found is not None
    assert found.readers == 4
    assert sum(sum(row) for row in found.index.counts) == 4 * 3
    assert found.chance == pytest.approx(1 / 3)


def test_a_study_in_which_nobody_read_is_analysed() -> None:
    empty = dataset(read={f"R{n:02d}": 0 for n in range(1, 5)})
    found = analyse(empty, resamples=20)
    assert all(one.scores.n == 0 and one.scores.mean is None for one in found.criteria[0].summaries)
    assert found.criteria[0].comparison.comparisons is None
    assert found.criteria[0].agreement[0].fleiss.value is None


def test_a_study_without_preferences_and_repeats_is_analysed() -> None:
    bare = dataset(
        Protocol(
            readers=2, training=0, dummies=0, repeats=0, nulls=0, ask_blinding=False,
            questions=SMALL.questions[:1],
        ),
        cases=4,
    )  # fmt: skip
    found = analyse(bare, resamples=20)
    assert found.preferences is None
    assert found.preference_repeats == ()
    assert found.criteria[0].repeats == ()
    assert found.conduct.left_preferred is None
