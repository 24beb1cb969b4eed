"""Networks on images that a user brings: converted checkpoints and diffusers folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler, UNet2DModel
from safetensors.torch import save_file
from torch import Tensor

from enhancers.errors import NetworkMissing
from enhancers.networks import digests, load
from enhancers.networks.config_checks import multiple_of
from enhancers.networks.entry import Checkpoint, FromUser, NetworkEntry, Schedule
from enhancers.networks.guided_diffusion import convert, save_folder
from enhancers.settings import get_settings
from tests.support import tiny_pipeline
from tests.support.plain_unet import Shape, random_unet


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("READINGROOM_MODELS_DIR", str(tmp_path / "models"))
    get_settings.cache_clear()
    yield tmp_path / "models"
    monkeypatch.undo()
    get_settings.cache_clear()


def _entry(folder: Path, **changes: Any) -> NetworkEntry:
    facts: dict[str, Any] = {
        "key": "mine",
        "label": "My network",
        "summary": "",
        "kind": "pixel",
        "parts": ("unet",),
        "licence": "",
        "source": FromUser("mine.pt", ""),
        "channels": 3,
        "native": 250,
        "place": folder,
    }
    return NetworkEntry(**{**facts, **changes})


def _unet(folder: Path, **changes: Any) -> UNet2DModel:
    torch.manual_seed(3)
    settings: dict[str, Any] = {
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": (32, 32, 64),
        "down_block_types": ("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
    }
    network = UNet2DModel(**{**settings, **changes}).eval().requires_grad_(False)
    network.save_pretrained(folder / "unet")
    return network


def _state(channels: int = 3) -> Tensor:
    return torch.randn((2, channels, 16, 24), generator=torch.Generator().manual_seed(5))


def test_a_converted_checkpoint_predicts_what_the_plain_network_does(tmp_path: Path) -> None:
    plain = random_unet(Shape(widths=(32, 64), outputs=6, updown=True))
    save_folder(convert(plain.state_dict(), Checkpoint(16)), Schedule(), tmp_path)
    prior = load.load_pixel_prior(_entry(tmp_path), "cpu")
    x = _state()
    predicted = prior.predict(x, 700)
    assert predicted.shape == x.shape
    assert predicted.is_contiguous()
    assert torch.allclose(predicted, plain(x, 700)[:, :3], atol=1e-5)
    assert (prior.channels, prior.multiple, prior.tile, prior.native) == (3, 2, 250, 250)


def test_any_diffusers_network_with_its_own_betas(tmp_path: Path) -> None:
    network = _unet(tmp_path)
    DDPMScheduler(beta_schedule="squaredcos_cap_v2", num_train_timesteps=500).save_pretrained(
        tmp_path / "scheduler"
    )
    prior = load.load_pixel_prior(_entry(tmp_path), "cpu")
    x = _state()
    assert torch.allclose(prior.predict(x, 9), network(x, 9).sample, atol=1e-5)
    assert torch.allclose(
        prior.signal, DDPMScheduler(beta_schedule="squaredcos_cap_v2",
                                    num_train_timesteps=500).alphas_cumprod,
    )  # fmt: skip
    assert (prior.multiple, prior.tile) == (4, 252)


def test_without_a_scheduler_the_catalogue_has_the_betas(tmp_path: Path) -> None:
    _unet(tmp_path)
    prior = load.load_pixel_prior(
        _entry(tmp_path, schedule=Schedule("linear", 1e-4, 0.01, 100)), "cpu"
    )
    assert torch.allclose(prior.signal, (1 - torch.linspace(1e-4, 0.01, 100)).cumprod(0))


def test_velocity_becomes_noise(tmp_path: Path) -> None:
    network = _unet(tmp_path)
    DDPMScheduler(prediction_type="v_prediction").save_pretrained(tmp_path / "scheduler")
    prior = load.load_pixel_prior(_entry(tmp_path), "cpu")
    x, signal = _state(), prior.signal[400]
    wanted = signal.sqrt() * network(x, 400).sample + (1 - signal).sqrt() * x
    assert torch.allclose(prior.predict(x, 400), wanted, atol=1e-5)


def test_half_precision_is_inside_the_network_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = _unet(tmp_path)
    monkeypatch.setenv("READINGROOM_PRECISION", "half")
    get_settings.cache_clear()
    prior = load.load_pixel_prior(_entry(tmp_path), "cpu")
    x = _state()
    predicted, wanted = prior.predict(x, 400), network(x, 400).sample
    assert prior.unet.dtype == torch.bfloat16
    assert predicted.dtype == torch.float32
    assert 0 < float((predicted - wanted).abs().max()) < 0.05 * float(wanted.abs().max())
    tiny_pipeline.write(tmp_path / "pipeline")
    latent = load.load_latent_prior(tiny_pipeline.latent_entry(tmp_path / "pipeline"), "cpu")
    assert (latent.unet.dtype, latent.vae.dtype) == (torch.bfloat16, torch.float32)
    assert latent.predict(torch.ones(1, 4, 8, 8), 400).dtype == torch.float32


def test_a_network_for_whole_images_has_no_tiles(tmp_path: Path) -> None:
    _unet(tmp_path)
    assert load.load_pixel_prior(_entry(tmp_path, tiles=False), "cpu").tile is None


def test_the_embedded_networks_say_what_they_take() -> None:
    pixel, latent = load.pixel_prior("cpu"), load.latent_prior("cpu")
    assert (pixel.channels, pixel.tile) == (1, 256)
    assert pixel.multiple == multiple_of(pixel.unet.config)
    assert (latent.channels, latent.multiple, latent.refines) == (1, 16, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"in_channels": 4, "out_channels": 4}, "images of 4 channels; only 1 or 3"),
        ({"in_channels": 6}, "takes 6 channels and gives 3"),
        ({"num_class_embeds": 10}, r"needs conditions \(num_class_embeds\)"),
        ({"time_embedding_type": "fourier"}, "not that of a diffusion in discrete steps"),
    ],
)
def test_networks_of_another_kind_are_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    _unet(tmp_path, **changes)
    with pytest.raises(NetworkMissing, match=words):
        load.load_pixel_prior(_entry(tmp_path), "cpu")


def test_what_differs_is_said(tmp_path: Path) -> None:
    network = _unet(tmp_path)
    path = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    whole = dict(network.state_dict())
    save_file({**whole, "surplus": torch.ones(1)}, path)
    with pytest.raises(NetworkMissing, match=r"1 tensors are unexpected \(surplus\)"):
        load.load_pixel_prior(_entry(tmp_path), "cpu")
    whole.pop("conv_in.weight")
    save_file(whole, path)
    with pytest.raises(NetworkMissing, match=r"1 tensors are missing \(conv_in.weight\)"):
        load.load_pixel_prior(_entry(tmp_path), "cpu")
    for content in (b"", b"junk", path.read_bytes()[:-50]):
        path.write_bytes(content)
        with pytest.raises(NetworkMissing, match="damaged or of another network") as caught:
            load.load_pixel_prior(_entry(tmp_path), "cpu")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"\xff\xfe", b"[" * 100_000])
def test_a_configuration_that_is_none(content: bytes, tmp_path: Path) -> None:
    _unet(tmp_path)
    (tmp_path / "unet" / "config.json").write_bytes(content)
    with pytest.raises(
        NetworkMissing, match=r"unet/config\.json (cannot be read|is not a configuration)"
    ):
        load.load_pixel_prior(_entry(tmp_path), "cpu")


def test_the_identity_tells_weights_and_schedule(tmp_path: Path) -> None:
    _unet(tmp_path)
    DDPMScheduler().save_pretrained(tmp_path / "scheduler")
    first = load.identity_of(_entry(tmp_path))
    assert load.identity_of(_entry(tmp_path)) == first
    tiny_pipeline.edit(tmp_path / "scheduler" / "scheduler_config.json", {"beta_end": 0.5})
    assert load.identity_of(_entry(tmp_path)) != first


def test_large_weights_are_hashed_once(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "REMEMBERED", 10)
    path = tmp_path / "weights"
    path.write_bytes(b"a" * 100)
    first = digests.digest(path)
    digests.remembered_digest.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(digests, "sha256_of", lambda _path: "not asked")
        assert digests.digest(path) == first
    (note,) = models.glob(".cache/*.sha256")
    digests.remembered_digest.cache_clear()
    note.write_bytes(b"half")
    assert digests.digest(path) == first
    path.write_bytes(b"b" * 100)
    os.utime(path, ns=(1, 1))
    assert digests.digest(path) != first
