from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from enhancers.errors import NetworkMissing
from enhancers.networks import load, priors
from enhancers.networks.catalog import NETWORKS
from enhancers.networks.entry import Embedded, NetworkEntry
from enhancers.networks.lookup import network_entry
from enhancers.phantoms import phantom
from enhancers.registry import METHODS
from enhancers.settings import get_settings


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("READINGROOM_PRIORS_DIR", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    get_settings.cache_clear()


EMBEDDED = [entry for entry in NETWORKS if isinstance(entry.source, Embedded)]


@pytest.mark.parametrize("entry", EMBEDDED, ids=lambda entry: entry.key)
def test_the_embedded_priors_ship(entry: NetworkEntry) -> None:
    assert entry.present
    assert all(path.stat().st_size <= 16 * 2**20 for path in entry.files)


@pytest.mark.parametrize("entry", EMBEDDED, ids=lambda entry: entry.key)
def test_the_sources_of_the_training_images_are_attributed(entry: NetworkEntry) -> None:
    facts = json.loads((entry.folder / "training.json").read_text(encoding="utf-8"))
    attribution = (entry.folder.parent / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for group in facts["images"]:
        drawn = group == "phantom" or entry.kind == "morphology"
        assert drawn or group.lower() in attribution


def test_every_network_of_the_registry_is_catalogued_and_of_its_kind() -> None:
    for method in METHODS:
        if method.prior:
            assert network_entry(str(method.parameter("prior").default), method.prior).present


def test_the_pixel_prior_knows_noise_when_it_sees_it() -> None:
    network = load.pixel_prior("cpu")
    noise = torch.randn((1, 1, 64, 64), generator=torch.Generator().manual_seed(0))
    predicted = network.predict(noise, 990)
    assert float((predicted - noise).square().mean()) < 0.1


def test_the_latent_prior_brings_an_image_back() -> None:
    network = load.latent_prior("cpu")
    ramp = torch.linspace(-0.8, 0.8, 64).expand(1, 1, 64, 64)
    latent = network.encode(ramp)
    assert latent.shape[-2:] == (64 // network.factor, 64 // network.factor)
    assert float((network.decode(latent) - ramp).abs().mean()) < 0.1


def test_loading_twice_is_loading_once() -> None:
    assert load.pixel_prior("cpu") is load.pixel_prior("cpu")


def test_the_identity_names_the_weights() -> None:
    name, _, digest = load.identity("pixel").partition(":")
    assert name == "pixel"
    assert len(digest) == 64
    assert load.pixel_prior("cpu").identity == load.identity("pixel")


def test_a_missing_prior_says_how_to_get_it(empty_folder: Path) -> None:
    assert not network_entry("pixel").present
    with pytest.raises(NetworkMissing, match="networks train --which pixel"):
        load.pixel_prior("cpu")


def test_a_truncated_prior_is_said(empty_folder: Path) -> None:
    for path in network_entry("pixel").files:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"not a safetensors file")
    with pytest.raises(NetworkMissing, match="cannot be read"):
        load.pixel_prior("cpu")


def test_the_refined_latent_decodes_closer_to_the_image() -> None:
    network = load.latent_prior("cpu")
    image = torch.from_numpy(phantom("ct", size=64, seed=3).pixels)[None, None] * 2 - 1
    with torch.inference_mode():
        plain = network.vae.encode(image).latent_dist.mode() * network.scale
    refined = network.encode(image)
    errors = [float((network.decode(z) - image).square().mean()) for z in (plain, refined)]
    assert errors[1] < errors[0]


def test_an_image_above_the_limit_gets_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    network = load.latent_prior("cpu")
    monkeypatch.setattr(priors, "REFINED_PIXELS", 32 * 32)
    image = torch.zeros((1, 1, 64, 64))
    with torch.inference_mode():
        plain = network.vae.encode(image).latent_dist.mode() * network.scale
    assert torch.equal(network.encode(image), plain)
