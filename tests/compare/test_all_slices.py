"""All slices of a volume through a method: progress, stopping, seeds, memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from enhancers.compare import Request, enhance, runs
from enhancers.compare.all_slices import enhance_slices, slices_seconds
from enhancers.compare.seeds import slice_seed
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage, from_array
from enhancers.load import load
from enhancers.method_interface import Step, final_step
from enhancers.save.result_files import VolumeTarget

COUNT = 4


def read(index: int) -> MedicalImage:
    image = from_array(np.random.default_rng(index).random((24, 32), np.float32))
    return replace(image, slice_index=index, slice_count=COUNT)


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every method adds noise that its seed decides, in three steps."""

    def run(
        image: MedicalImage, params: Mapping[str, object], *, seed: int, device: str
    ) -> Iterator[Step]:
        yield Step(0.3, None, 2.0, "step 1")
        yield Step(0.6, None, 1.0, "step 2")
        drawn = np.random.default_rng(seed).random(image.shape, np.float32)
        yield final_step((image.pixels + drawn) / 2)

    monkeypatch.setattr(runs, "load_method", lambda key: SimpleNamespace(run=run))


@pytest.mark.usefixtures("noise")
def test_a_slice_alone_is_that_of_the_volume_and_no_two_have_one_noise(tmp_path: Path) -> None:
    path = tmp_path / "out.mha"
    for _ in enhance_slices(read, COUNT, Request("tv"), VolumeTarget(path, "mha"), seed=5):
        pass
    drawn = []
    for index in range(COUNT):
        alone = enhance(read(index), "tv", seed=5).pixels
        assert np.array_equal(load(path, slice_index=index).source, alone)
        drawn.append(2 * alone - read(index).pixels)
    assert all(np.abs(one - two).max() > 0.1 for one, two in itertools.pairwise(drawn))


def test_the_seed_of_an_image_by_itself_is_as_asked() -> None:
    assert slice_seed(7, from_array(np.zeros((16, 16), np.float32))) == 7
    assert len({slice_seed(seed, read(index)) for seed in range(9) for index in range(4)}) == 36


@pytest.mark.usefixtures("noise")
def test_progress_and_stop(tmp_path: Path) -> None:
    target = VolumeTarget(tmp_path / "out.nii", "nii")
    with closing(enhance_slices(read, COUNT, Request("tv"), target)) as steps:
        events = list(steps)
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.3 / COUNT, 1.0)
    assert [event.done for event in events if event.outcome] == [1, 2, 3, 4]
    assert events[0].seconds_left == pytest.approx(2.0 + 2.0 / 0.7 * (COUNT - 1))
    assert all(event.seconds_left is not None for event in events)
    assert events[0].note == "slice 1 of 4, step 1"
    assert target.path.exists()
    target.path.unlink()
    with closing(enhance_slices(read, COUNT, Request("tv"), target)) as steps:
        for event in steps:
            if event.done == 2:
                assert len(list(tmp_path.iterdir())) == 1
                break
    assert list(tmp_path.iterdir()) == []


def test_a_slice_of_another_size_is_named(tmp_path: Path) -> None:
    def odd(index: int) -> MedicalImage:
        return read(index) if index < 2 else from_array(np.eye(20, dtype=np.float32))

    with pytest.raises(ReadingRoomError, match=r"Slice 3 has 20 x 20 pixels .* 32 x 24"):
        list(enhance_slices(odd, COUNT, Request("tv"), VolumeTarget(tmp_path / "x.nii", "nii")))
    assert list(tmp_path.iterdir()) == []


def test_an_error_names_its_slice(tmp_path: Path) -> None:
    target = VolumeTarget(tmp_path / "x.nii", "nii")
    with pytest.raises(ReadingRoomError, match=r"^Slice 1 of \d+: .*weight"):
        list(enhance_slices(read, COUNT, Request("tv", {"weight": -1}), target))


def test_the_estimate_is_that_of_a_slice_times_the_slices() -> None:
    one = slices_seconds(read(0), 1, Request("nlm"))
    assert one is not None
    assert slices_seconds(read(0), 300, Request("nlm")) == pytest.approx(300 * one)
