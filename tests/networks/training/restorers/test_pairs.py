from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from enhancers.errors import ReadingRoomError
from enhancers.networks.restorers.conditions import MODALITIES
from enhancers.networks.training.restorers.pairs import (
    ACQUISITIONS,
    FIRST,
    PairedCorpus,
    Pairs,
    Split,
    degraded,
    read_pairs,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archives of sixty subjects with an image each, all of one gray level of its own."""
    made = tmp_path_factory.mktemp("archives")
    for name in ("ct", "mr", "us", "fundus"):
        images = np.repeat(np.arange(60, dtype=np.uint8)[:, None, None] + 60, 64, 1).repeat(64, 2)
        subjects = [f"s{number}" for number in range(60)]
        np.savez(made / f"{name}.npz", images=images, subject_id=subjects)
    return made


@pytest.fixture(scope="module")
def phantoms() -> PairedCorpus:
    return read_pairs(None, phantoms=10)


@pytest.fixture(scope="module")
def small(phantoms: PairedCorpus) -> PairedCorpus:
    """Phantoms of 128 x 128 pixels, for which a scanner is soon simulated."""
    images = {
        modality: Split(*([image[::2, ::2] for image in part] for part in split))
        for modality, split in phantoms.images.items()
    }
    return replace(phantoms, images=images)


def test_no_subject_is_in_two_parts(folder: Path) -> None:
    corpus = read_pairs(folder, phantoms=0)
    assert tuple(corpus.images) == MODALITIES
    for modality, split in corpus.images.items():
        of = [{int(image[0, 0]) for image in part} for part in split]
        assert not of[0] & of[1]
        assert not of[0] & of[2]
        assert not of[1] & of[2]
        assert sum(map(len, split)) == 60
        assert tuple(map(len, of)) == corpus.subjects[modality]
        assert len(split.train) > len(split.test) > 0 < len(split.validation)


def test_phantoms_are_for_training(folder: Path) -> None:
    few, many = (read_pairs(folder, ("CT",), phantoms=n).images["CT"] for n in (0, 2))
    assert len(many.train) == len(few.train) + 2
    assert len(many.test) == len(few.test)


def test_phantoms_alone_are_shared_out(phantoms: PairedCorpus) -> None:
    split = phantoms.images["US"]
    assert list(map(len, split)) == [7, 1, 2]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadingRoomError, match=r"no mr\.npz"):
        read_pairs(tmp_path, ("MR",), phantoms=0)


def test_batches_are_seeded_crops_of_modalities_in_turn(small: PairedCorpus) -> None:
    first, same, other = (Pairs(small, seed).batch(6, 64) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.degraded, same.degraded)
    assert not np.array_equal(first.clean, other.clean)
    assert sorted(first.modalities) == [0, 0, 1, 1, 2, 2]
    for images in (first.degraded, first.clean):
        assert images.shape == (6, 1, 64, 64)
        assert images.dtype == np.float32
        assert images.min() >= -1
        assert images.max() <= 1
    assert np.abs(first.degraded - first.clean).mean((1, 2, 3)).min() > 0.001


def test_crops_are_mostly_of_images_degraded_before(small: PairedCorpus) -> None:
    pairs = Pairs(small, 0, fresh=1, kept=5)
    pairs.batch(3, 64)
    before = [id(pair) for pool in pairs.pool.values() for pair in pool]
    assert len(before) == 3 * FIRST
    pairs.batch(30, 64)
    after = [id(pair) for pool in pairs.pool.values() for pair in pool]
    assert len(after) == len(before) + 1
    assert set(before) < set(after)
    for _ in range(6):
        pairs.batch(3, 64)
    assert {len(pool) for pool in pairs.pool.values()} == {5}


def test_levels_are_half_the_published_ones() -> None:
    random = np.random.default_rng(0)
    for acquisition in ACQUISITIONS.values():
        levels = np.array([acquisition.level(random) for _ in range(400)])
        assert 0.4 < (levels == acquisition.published).mean() < 0.6
        assert levels.min() >= acquisition.least
        assert levels.max() <= acquisition.most
        assert np.ptp(levels) > 0.8 * (acquisition.most - acquisition.least)


def test_a_worse_acquisition_is_further_from_the_truth(phantoms: PairedCorpus) -> None:
    gray = phantoms.images["MR"].train[0]
    image = gray.astype(np.float32) / 255
    errors = [float(np.square(degraded(image, "MR", level, 0) - image).mean()) for level in (2, 8)]
    assert errors[0] < errors[1]
