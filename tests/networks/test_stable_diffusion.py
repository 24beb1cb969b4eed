from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from enhancers.errors import NetworkMissing
from enhancers.networks import empty_prompt, load, parts
from enhancers.settings import get_settings
from tests.support import tiny_pipeline


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("READINGROOM_MODELS_DIR", str(tmp_path / "models"))
    get_settings.cache_clear()
    yield tmp_path / "models"
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pipeline"


def _load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> load.LatentPrior:
    monkeypatch.setattr(
        load, "network_entry", lambda _key, _kind=None: tiny_pipeline.latent_entry(folder)
    )
    return load.latent_prior("cpu", "tiny")


def _latent() -> Tensor:
    return torch.randn((2, 4, 8, 16), generator=torch.Generator().manual_seed(1))


def _prompt(pipeline: tiny_pipeline.Tiny, padding: int = tiny_pipeline.END) -> Tensor:
    tokens = torch.tensor(
        [[tiny_pipeline.BEGIN, tiny_pipeline.END] + [padding] * (tiny_pipeline.TOKENS - 2)]
    )
    return pipeline.text_encoder(tokens).last_hidden_state


def test_the_pipeline_is_used_as_it_was_saved(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = tiny_pipeline.write(folder)
    prior = _load(folder, monkeypatch)
    z = _latent()
    for t in (1, 500, 990):
        given = _prompt(pipeline).expand(2, -1, -1)
        wanted = pipeline.unet(z, t, encoder_hidden_states=given).sample
        assert torch.allclose(prior.predict(z, t), wanted, atol=1e-5)
    images = torch.rand((1, 3, 64, 96)) * 2 - 1
    encoded = pipeline.vae.encode(images).latent_dist.mode() * 0.3
    assert prior.encode(images).shape == (1, 4, 16, 24)
    assert torch.allclose(prior.decode(z), pipeline.vae.decode(z / 0.3).sample, atol=1e-5)
    assert (prior.factor, prior.multiple, prior.channels, prior.scale) == (4, 8, 3, 0.3)
    monkeypatch.setattr(load, "REFINED_WEIGHTS", 1000)
    assert torch.allclose(
        load.load_latent_prior(tiny_pipeline.latent_entry(folder), "cpu").encode(images),
        encoded,
        atol=1e-5,
    )


def test_the_betas_are_the_schedulers_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_pipeline.write(folder)
    signal = _load(folder, monkeypatch).signal
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    assert torch.allclose(signal, (1 - betas).cumprod(0))
    assert float(signal[500]) == pytest.approx(0.276, abs=1e-3)


def test_a_prediction_of_velocity_becomes_noise(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = tiny_pipeline.write(folder)
    tiny_pipeline.write_schedule(folder, prediction_type="v_prediction")
    prior = _load(folder, monkeypatch)
    z, signal = _latent(), prior.signal[300]
    given = _prompt(pipeline).expand(2, -1, -1)
    velocity = pipeline.unet(z, 300, encoder_hidden_states=given).sample
    noise = prior.predict(z, 300)
    clean = (z - (1 - signal).sqrt() * noise) / signal.sqrt()
    assert torch.allclose(signal.sqrt() * noise - (1 - signal).sqrt() * clean, velocity, atol=1e-4)


@pytest.mark.parametrize("pad", ["<|endoftext|>", "a"])
def test_the_empty_prompt_is_padded_as_the_tokenizer_says(folder: Path, pad: str) -> None:
    pipeline = tiny_pipeline.write(folder, pad=pad)
    kept = empty_prompt.empty_prompt(tiny_pipeline.latent_entry(folder), tiny_pipeline.WIDTH)
    padding = tiny_pipeline.END if pad != "a" else tiny_pipeline.VOCABULARY["a"]
    assert torch.allclose(kept, _prompt(pipeline, padding), atol=1e-6)


def test_the_empty_prompt_is_encoded_once(folder: Path, models: Path) -> None:
    tiny_pipeline.write(folder)
    entry = tiny_pipeline.latent_entry(folder)
    first = empty_prompt.empty_prompt(entry, tiny_pipeline.WIDTH)
    (note,) = models.glob(".cache/prompt-*.safetensors")
    save_file({"prompt": first + 1}, note)
    assert torch.equal(empty_prompt.empty_prompt(entry, tiny_pipeline.WIDTH), first + 1)
    for damage in (b"", b"no tensors", note.read_bytes()[:-7]):
        note.write_bytes(damage)
        assert torch.equal(empty_prompt.empty_prompt(entry, tiny_pipeline.WIDTH), first)
    assert torch.equal(load_file(note)["prompt"], first)
    tiny_pipeline.write_tokenizer(folder / "other")
    (folder / "other" / "vocab.json").replace(folder / "tokenizer" / "more.json")
    empty_prompt.empty_prompt(entry, tiny_pipeline.WIDTH)
    assert len(list(models.glob(".cache/prompt-*.safetensors"))) == 2


def test_where_nothing_can_be_kept_the_prompt_is_encoded_again(folder: Path, models: Path) -> None:
    tiny_pipeline.write(folder)
    models.write_bytes(b"a file where the folder would be")
    kept = empty_prompt.empty_prompt(tiny_pipeline.latent_entry(folder), tiny_pipeline.WIDTH)
    assert kept.shape == (1, tiny_pipeline.TOKENS, tiny_pipeline.WIDTH)


def test_a_half_precision_variant_computes_in_single(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = tiny_pipeline.write(folder, variant="fp16")
    assert (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").is_file()
    prior = _load(folder, monkeypatch)
    z = _latent()
    given = _prompt(pipeline).expand(2, -1, -1)
    wanted = pipeline.unet(z, 500, encoder_hidden_states=given).sample
    assert torch.allclose(prior.predict(z, 500), wanted, atol=1e-5)


def test_the_autoencoder_may_have_the_names_of_old(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = tiny_pipeline.write(folder)
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    old = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}
    renamed = {}
    for name, tensor in load_file(path).items():
        pairs = [(new, former) for new, former in old.items() if new in name]
        renamed[name.replace(*pairs[0]) if pairs else name] = tensor
    assert any(".proj_attn." in name for name in renamed)
    save_file(renamed, path)
    z = _latent()
    wanted = pipeline.vae.decode(z / 0.3).sample
    assert torch.allclose(_load(folder, monkeypatch).decode(z), wanted, atol=1e-5)


def test_the_text_encoder_may_have_the_names_of_old(folder: Path) -> None:
    pipeline = tiny_pipeline.write(folder)
    path = folder / "text_encoder" / "model.safetensors"
    published = {f"text_model.{name}": tensor for name, tensor in load_file(path).items()}
    published["text_model.embeddings.position_ids"] = torch.arange(tiny_pipeline.TOKENS)[None]
    save_file(published, path, metadata={"format": "pt"})
    kept = empty_prompt.empty_prompt(tiny_pipeline.latent_entry(folder), tiny_pipeline.WIDTH)
    assert torch.allclose(kept, _prompt(pipeline), atol=1e-6)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _without_first(path: Path) -> None:
    tensors = load_file(path)
    tensors.pop(next(iter(sorted(tensors))))
    save_file(tensors, path)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "inpainting": (
        lambda f: tiny_pipeline.conditional_unet(in_channels=9).save_pretrained(f / "unet"),
        "takes 9 channels, not 4; one for inpainting",
    ),
    "larger relative": (
        lambda f: tiny_pipeline.conditional_unet(
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=32,
        ).save_pretrained(f / "unet"),
        "needs conditions",
    ),
    "classes": (
        lambda f: tiny_pipeline.conditional_unet(num_class_embeds=3).save_pretrained(f / "unet"),
        "needs conditions",
    ),
    "flow": (
        lambda f: (f / "scheduler" / "scheduler_config.json").write_text(
            '{"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000}'
        ),
        "no betas of a diffusion",
    ),
    "sample": (
        lambda f: tiny_pipeline.write_schedule(f, prediction_type="sample"),
        "The network predicts 'sample'",
    ),
    "betas of nonsense": (
        lambda f: tiny_pipeline.write_schedule(f, beta_end=7.0),
        "betas do not take",
    ),
    "no betas at all": (
        lambda f: tiny_pipeline.write_schedule(f, num_train_timesteps=0),
        "tiny|betas",
    ),
    "no schedule": (
        lambda f: (f / "scheduler" / "scheduler_config.json").write_bytes(b"{"),
        r"scheduler_config\.json cannot be read",
    ),
    "another class": (
        lambda f: tiny_pipeline.edit(f / "vae" / "config.json", {"_class_name": "VQModel"}),
        "holds VQModel, and only AutoencoderKL",
    ),
    "a shift": (
        lambda f: tiny_pipeline.edit(f / "vae" / "config.json", {"shift_factor": 0.1}),
        "latents are shifted",
    ),
    "cut unet": (
        lambda f: _cut(f / "unet" / "diffusion_pytorch_model.safetensors"),
        "damaged or of another network",
    ),
    "cut text encoder": (lambda f: _cut(f / "text_encoder" / "model.safetensors"), "is damaged"),
    "a tensor less": (
        lambda f: _without_first(f / "unet" / "diffusion_pytorch_model.safetensors"),
        r"1 tensors are missing \(conv_in.bias\)",
    ),
    "a tensor less of the text": (
        lambda f: _without_first(f / "text_encoder" / "model.safetensors"),
        "1 tensors are missing",
    ),
    "another width": (
        lambda f: tiny_pipeline.conditional_unet(block_out_channels=(32, 64)).save_config(
            f / "unet"
        ),
        "damaged or of another network",
    ),
    "another text": (
        lambda f: tiny_pipeline.text_encoder(hidden_size=16).save_pretrained(f / "text_encoder"),
        "width of 16 and the network needs 32",
    ),
    "another vocabulary": (
        lambda f: tiny_pipeline.text_encoder(vocab_size=3).save_pretrained(f / "text_encoder"),
        "belongs to another text encoder",
    ),
    "no tokenizer": (lambda f: shutil.rmtree(f / "tokenizer"), "none of tokenizer.json, vocab"),
    "a damaged tokenizer": (
        lambda f: (f / "tokenizer" / "vocab.json").write_bytes(b"{"),
        "tokenizer of Tiny Diffusion cannot be read",
    ),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES.keys())
def test_what_cannot_be_used_is_said(
    damage: Callable[[Path], object],
    words: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny_pipeline.write(folder)
    damage(folder)
    with pytest.raises(NetworkMissing, match=words) as caught:
        _load(folder, monkeypatch)
    assert len(str(caught.value)) < 450
    assert "networks verify tiny" in str(caught.value)


SD15_UNET = {
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "layers_per_block": 2,
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
}
SD15_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "scaling_factor": 0.18215,
}


def test_the_true_configuration_of_stable_diffusion_15(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shapes and parameters of the whole way in full size, without the numbers."""
    tiny_pipeline.write_schedule(folder)
    with torch.device("meta"):
        built = {
            "vae": tiny_pipeline.vae(**SD15_VAE),
            "unet": tiny_pipeline.conditional_unet(**SD15_UNET),
        }
        encoder = tiny_pipeline.text_encoder(
            vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
            num_attention_heads=12, max_position_embeddings=77,
        )  # fmt: skip
    counts = [sum(p.numel() for p in m.parameters()) for m in (*built.values(), encoder)]
    assert counts == [83_653_863, 859_520_964, 123_060_480]
    monkeypatch.setattr(parts, "network", lambda _entry, part, *_, **__: built[part])
    monkeypatch.setattr(load, "identity_of", lambda _entry: "sd15:random")
    monkeypatch.setattr(load, "empty_prompt", lambda _entry, width: torch.zeros(1, 77, width))
    prior = load.load_latent_prior(tiny_pipeline.latent_entry(folder), "meta")
    assert (prior.factor, prior.multiple, prior.scale, prior.channels) == (8, 64, 0.18215, 3)
    images = torch.empty((1, 3, 256, 320), device="meta")
    latents = prior.encode(images)
    assert latents.shape == (1, 4, 32, 40)
    assert prior.predict(latents, 500).shape == latents.shape
    assert prior.decode(latents).shape == images.shape
