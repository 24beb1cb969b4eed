from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from enhancers.curve_angle import CLASSES
from enhancers.errors import NetworkMissing, ParameterError
from enhancers.networks.morphology.enhance import (
    Enhanced,
    MorphologyNetworks,
    enhance,
    structure_kept,
)
from enhancers.networks.morphology.tuner import MorphologyTuner
from enhancers.networks.morphology.unet import MorphologyUNet
from enhancers.phantoms.spine import Curves, spine_volume

WIDTHS = (16, 16, 24, 32)
SIDE = 64


@pytest.fixture(scope="module")
def networks() -> MorphologyNetworks:
    torch.manual_seed(0)
    diffusion = MorphologyUNet(block_out_channels=WIDTHS, sample_size=SIDE)
    extractor = MorphologyUNet(block_out_channels=WIDTHS, out_channels=4, timed=False)
    for part in (diffusion, extractor):
        nn.init.normal_(part.conv_out.weight, std=0.2)
    tuner = MorphologyTuner(WIDTHS)
    for layer in tuner.up:
        nn.init.normal_(layer.weight, std=0.2)
    return MorphologyNetworks(diffusion.eval(), extractor.eval(), tuner.eval())


@pytest.fixture(scope="module")
def depths() -> np.ndarray:
    return spine_volume(size=SIZE, seed=1).depths


SIZE = 96


def last(*given: object, **how: object) -> Enhanced:
    *steps, found = enhance(*given, **how)
    assert isinstance(found, Enhanced)
    assert all(isinstance(step, np.ndarray) for step in steps)
    np.testing.assert_array_equal(steps[-1], found.pixels)
    return found


def test_the_result_depends_on_start_and_on_every_depth(
    networks: MorphologyNetworks, depths: np.ndarray
) -> None:
    how = {"steps": 4, "seed": 3}
    one, same = (last(networks, depths, **how) for _ in range(2))
    np.testing.assert_array_equal(one.pixels, same.pixels)
    assert one.pixels.shape == one.classes.shape == (SIZE, SIZE)
    assert one.pixels.min() >= 0
    assert one.pixels.max() <= 1
    assert one.classes.max() < len(CLASSES)
    assert 0 <= one.kept <= 1
    assert np.abs(one.pixels - last(networks, depths, steps=4, seed=4).pixels).max() > 0.01
    for place in range(len(depths)):
        other = depths.copy()
        other[place] = 1 - other[place]
        assert np.abs(one.pixels - last(networks, other, **how).pixels).max() > 1e-4
    fewer = last(networks, depths, weights=(0, 0, 1, 0, 0), **how)
    alone = last(networks, depths[2:3], **how)
    np.testing.assert_allclose(fewer.pixels, alone.pixels, atol=1e-3)


def test_samples_are_averaged(networks: MorphologyNetworks) -> None:
    depths = spine_volume(size=SIDE, seed=1).depths
    one, two, three = (
        last(networks, depths, steps=4, seed=3, count=count).pixels for count in (1, 2, 3)
    )
    second, third = 2 * two - one, 3 * three - 2 * two
    for sample in (second, third):
        assert -1e-5 < sample.min() < sample.max() < 1 + 1e-5
    assert min(np.abs(second - one).max(), np.abs(third - second).max()) > 0.01
    assert len(last(networks, depths, steps=1, seed=3, count=3).each) == 3


def test_an_inverted_start_has_no_noise(networks: MorphologyNetworks, depths: np.ndarray) -> None:
    one, other = (
        last(networks, depths, steps=4, seed=seed, count=2, start="inversion") for seed in (0, 1)
    )
    assert len(one.each) == 1
    np.testing.assert_array_equal(one.pixels, other.pixels)


class Painted(nn.Module):
    """Answers as if it saw these classes, or this image, whatever it is given."""

    def __init__(self, wanted: Tensor) -> None:
        super().__init__()
        self.wanted = nn.Parameter(wanted)

    def forward(self, images: Tensor, *_: object) -> Tensor:
        return self.wanted.expand(len(images), -1, -1, -1)


def test_angles_are_measured_in_the_segmentation_of_the_result(
    networks: MorphologyNetworks, depths: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = spine_volume(Curves(35, -30), size=128, seed=2)
    classes = torch.from_numpy(volume.mask).long()
    painted = Painted(20 * nn.functional.one_hot(classes, 4).permute(2, 0, 1)[None].float())
    monkeypatch.setattr(networks.extractor, "forward", painted.forward)
    monkeypatch.setattr(MorphologyNetworks, "side", 128)
    found = last(networks, volume.depths, steps=1, seed=0)
    np.testing.assert_array_equal(found.classes, volume.mask)
    assert found.kept == 1
    assert found.angle("thoracic") == pytest.approx(35, abs=2)
    assert found.angle("lumbar") == pytest.approx(-30, abs=2)


def test_tall_images_keep_their_shape(networks: MorphologyNetworks) -> None:
    tall = np.random.default_rng(0).random((3, 130, 45), np.float32)
    found = last(networks, tall, steps=2, seed=0)
    assert found.pixels.shape == found.classes.shape == (130, 45)


@pytest.mark.parametrize("shape", [(10, 64, 64), (0, 64, 64), (2, 1, 64)])
def test_other_inputs_are_refused(networks: MorphologyNetworks, shape: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError):
        next(enhance(networks, np.zeros(shape, np.float32), steps=2, seed=0))


def test_structure_kept() -> None:
    one = np.array([[0, 1, 2], [3, 0, 0]], np.uint8)
    assert structure_kept(one, one) == 1
    assert structure_kept(one, 0 * one) == 0
    assert structure_kept(0 * one, 0 * one) == 1
    # Another class in a place is no structure that was kept.
    assert structure_kept(one, np.array([[0, 1, 1], [3, 0, 3]], np.uint8)) == pytest.approx(4 / 7)


def test_networks_are_loaded_from_a_training(networks: MorphologyNetworks, tmp_path: Path) -> None:
    with pytest.raises(NetworkMissing, match="networks train --which morphology"):
        MorphologyNetworks.load(tmp_path, "published")
    for name in ("diffusion", "extractor", "tuner"):
        stored = {"extractor": "segmentation", "tuner": "tuner_published"}.get(name, name)
        getattr(networks, name).save_pretrained(tmp_path / stored)
    loaded = MorphologyNetworks.load(tmp_path, "published")
    assert loaded.side == SIDE
    image = np.random.default_rng(1).random((2, SIDE, SIDE), np.float32)
    ours, theirs = (last(each, image, steps=2, seed=0).pixels for each in (networks, loaded))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
