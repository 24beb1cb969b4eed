"""Small network files as users have them, and their installation."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel, UNet2DModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from enhancers.networks.entry import NetworkEntry
from enhancers.networks.guided_diffusion import expected
from enhancers.networks.guided_diffusion_layout import Architecture
from enhancers.networks.identify import NetworkImport
from enhancers.networks.import_network import import_network
from enhancers.networks.progress import finish

SMALL = Architecture(
    channels=3, outputs=6, widths=(32, 64), layers=1, attention=(False, True),
    resampling="resnet", scale_shift=True, head_channels=32,
)  # fmt: skip


def install(wanted: NetworkImport) -> NetworkEntry:
    return finish(import_network(wanted))


def guided_tensors(architecture: Architecture = SMALL, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(tensor.shape, generator=generator) * 0.1
        for name, tensor in expected(architecture).items()
    }


def guided_file(path: Path, architecture: Architecture = SMALL, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = guided_tensors(architecture, seed)
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return path


def tiny_unet(channels: int = 1, outputs: int | None = None) -> UNet2DModel:
    torch.manual_seed(0)
    return UNet2DModel(
        sample_size=32, in_channels=channels, out_channels=outputs or channels,
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )  # fmt: skip


def pixel_pipeline(folder: Path, channels: int = 1) -> Path:
    tiny_unet(channels).save_pretrained(folder / "unet")
    DDPMScheduler(beta_schedule="squaredcos_cap_v2").save_pretrained(folder / "scheduler")
    return folder


def latent_pipeline(folder: Path, latents: int = 4) -> Path:
    """In the layout of Stable Diffusion, with a tokenizer of a few words."""
    torch.manual_seed(0)
    AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1, norm_num_groups=4,
    ).save_pretrained(folder / "vae")  # fmt: skip
    UNet2DConditionModel(
        sample_size=16, in_channels=latents, out_channels=4, block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), layers_per_block=1,
        norm_num_groups=4, cross_attention_dim=16, attention_head_dim=4,
    ).save_pretrained(folder / "unet")  # fmt: skip
    CLIPTextModel(
        CLIPTextConfig(
            hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            vocab_size=10, max_position_embeddings=8,
        )
    ).save_pretrained(folder / "text_encoder")  # fmt: skip
    DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012
    ).save_pretrained(folder / "scheduler")
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps({"a": 0}))
    return folder
