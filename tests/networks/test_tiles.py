from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from enhancers.networks.tiles import Tiling, batches, pad

SIDES = st.integers(16, 700)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES)
def test_tiles_cover_everything_once_each(height: int, width: int) -> None:
    tiling = Tiling(height, width, 256, 128)
    assert len(set(tiling.corners)) == len(tiling.corners)
    covered = np.zeros((height, width), bool)
    tall, wide = tiling.extent
    for y, x in tiling.corners:
        assert y + tall <= height
        assert x + wide <= width
        covered[y : y + tall, x : x + wide] = True
    assert covered.all()


def test_512_takes_nine_patches() -> None:
    assert len(Tiling(512, 512, 256, 128).corners) == 9


def test_a_function_of_each_pixel_is_not_changed_by_tiling() -> None:
    x = torch.randn((1, 1, 300, 520), generator=torch.Generator().manual_seed(0))
    tiled = Tiling(300, 520, 128, 64).predict(lambda tiles, t: tiles * t, x, 3)
    torch.testing.assert_close(tiled, 3 * x)


@pytest.mark.parametrize("ratio", [0.25, 4.0])
def test_tiles_may_change_the_scale(ratio: float) -> None:
    def resize(tiles: torch.Tensor) -> torch.Tensor:
        if ratio > 1:
            return tiles.repeat_interleave(4, -1).repeat_interleave(4, -2)
        return torch.nn.functional.avg_pool2d(tiles, 4)

    x = torch.randn((1, 1, 256, 192), generator=torch.Generator().manual_seed(0))
    tiled = Tiling(256, 192, 128, 96).apply(resize, x, ratio)
    torch.testing.assert_close(tiled, resize(x))


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 90), st.integers(16, 90))
def test_padding_fits_the_network_and_crops_back(height: int, width: int) -> None:
    pixels = np.random.default_rng(0).random((height, width)).astype(np.float32)
    padded, padding = pad(pixels, multiple=16, least=64)
    assert all(side % 16 == 0 and side >= 64 for side in padded.shape)
    assert np.array_equal(padding.crop(padded), pixels)


@pytest.mark.parametrize("at_once", [1, 2, 4, 100])
def test_how_many_tiles_go_together_changes_nothing(at_once: int) -> None:
    seen = []

    def predict(tiles: torch.Tensor, t: int) -> torch.Tensor:
        seen.append(len(tiles))
        return tiles.sin()

    x = torch.randn((1, 2, 512, 512), generator=torch.Generator().manual_seed(0))
    tiled = Tiling(512, 512, 256, 128).predict(predict, x, 0, at_once)
    torch.testing.assert_close(tiled, x.sin())
    assert sum(seen) == 9
    assert max(seen) <= at_once
    assert max(seen) - min(seen) <= 1


def test_several_images_are_tiled_as_each_alone() -> None:
    x = torch.randn((3, 1, 96, 128), generator=torch.Generator().manual_seed(0))
    tiling = Tiling(96, 128, 64, 48)

    def predict(tiles: torch.Tensor, t: int) -> torch.Tensor:
        return tiles * tiles.shape[-1] + torch.linspace(0, 1, 64)

    alone = torch.cat([tiling.predict(predict, image[None], 0) for image in x])
    torch.testing.assert_close(tiling.predict(predict, x, 0, 2), alone)


def test_the_feathers_are_made_once() -> None:
    from enhancers.networks.tiles import blending_weights

    x = torch.zeros((1, 1, 96, 112))
    before = blending_weights.cache_info().misses
    for _ in range(3):
        Tiling(96, 112, 64, 48).predict(lambda tiles, t: tiles, x, 0)
    assert blending_weights.cache_info().misses == before + 1


def test_parts_are_as_few_and_as_equal_as_can_be() -> None:
    assert [len(part) for part in batches(torch.zeros(9, 1), 8)] == [5, 4]
    assert [len(part) for part in batches(torch.zeros(9, 1), 9)] == [9]
