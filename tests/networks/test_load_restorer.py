"""Restorers from their folders, on images of any size and with little memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from enhancers.errors import NetworkMissing, ParameterError
from enhancers.networks.load_restorer import Restorer, TiledRestorer, planned_patches, restorer
from enhancers.networks.restorers.conditions import with_modality
from enhancers.networks.restorers.diffusion_unet import DiffusionUNet
from enhancers.networks.restorers.restormer import Restormer
from tests.support.restorer_folders import add_restorer, stirred

SMALL = {"width": 8, "blocks": (1, 1), "heads": (1, 2), "refinement": 1}


def planes(height: int, width: int) -> torch.Tensor:
    torch.manual_seed(0)
    return with_modality(torch.rand(1, 1, height, width) * 2 - 1, torch.tensor([1]))


@pytest.fixture
def untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TiledRestorer:
    """An untrained Restormer, which returns the image."""
    add_restorer("untouched", Restormer(**SMALL), tmp_path, monkeypatch)
    return TiledRestorer("untouched", "cpu")


def test_tiles_cover_the_image_and_add_up_to_it(untouched: TiledRestorer) -> None:
    image = planes(560, 1040)
    found = list(untouched.by_tile(image))
    assert len(found) == untouched.tiles(image) == 2 * 3
    assert torch.allclose(found[-1], image[:, :1], atol=1e-5)
    assert planned_patches(560, 1040) == pytest.approx(6 * 512 * 512 / 256**2)


def test_where_memory_runs_out_tiles_become_smaller(
    untouched: TiledRestorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, sizes = Restorer.__call__, []

    def limited(self: Restorer, part: torch.Tensor, t: int | None = None) -> torch.Tensor:
        sizes.append(part.shape[-1])
        if part.shape[-1] > 128:
            raise MemoryError
        return whole(self, part, t)

    monkeypatch.setattr(Restorer, "__call__", limited)
    image = planes(300, 300)
    assert torch.allclose(untouched(image), image[:, :1], atol=1e-5)
    assert set(sizes) == {300, 256, 128}
    assert "tiles of 128 pixels" in untouched.fallback.notes[0]


def test_a_diffusion_network_gets_state_time_and_condition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = stirred(DiffusionUNet(block_out_channels=(32, 32)))
    add_restorer("sampler", network, tmp_path, monkeypatch)
    image, state = planes(64, 64), torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        expected = network(state, torch.tensor([300]), image)
    found = restorer("cpu", "sampler")(torch.cat([state, image], dim=1), 300)
    assert torch.allclose(found, expected, atol=1e-4)
    assert len(restorer("cpu", "sampler").signal) == 1000


def test_what_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = add_restorer("foreign", Restormer(**SMALL), tmp_path, monkeypatch)
    with pytest.raises(ParameterError, match="is a pixel network"):
        restorer("cpu", "pixel")
    config = entry.folder / "restorer" / "config.json"
    facts = json.loads(config.read_text())
    config.write_text(json.dumps(facts | {"_class_name": "UNet2DModel"}))
    with pytest.raises(NetworkMissing, match="UNet2DModel, and only Restormer"):
        restorer("cpu", "foreign")
    entry.weights("restorer").unlink()
    with pytest.raises(NetworkMissing, match="networks train --which foreign"):
        restorer("cpu", "foreign")
