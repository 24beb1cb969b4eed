"""A small pipeline like Stable Diffusion with random weights, as diffusers saves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from enhancers.networks.entry import FromUser, NetworkEntry

WIDTH, TOKENS = 32, 8
BEGIN, END = 5, 6
VOCABULARY = {"a": 0, "a</w>": 1, "b": 2, "b</w>": 3, "ab</w>": 4, "<|startoftext|>": BEGIN,
              "<|endoftext|>": END}  # fmt: skip


@dataclass(frozen=True)
class Tiny:
    """The parts as they were saved."""

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel


def vae(**changes: Any) -> AutoencoderKL:
    settings: dict[str, Any] = {
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": (32, 32, 32),
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
        "layers_per_block": 1,
        "latent_channels": 4,
        "scaling_factor": 0.3,
    }
    return AutoencoderKL(**{**settings, **changes}).eval().requires_grad_(False)


def conditional_unet(**changes: Any) -> UNet2DConditionModel:
    settings: dict[str, Any] = {
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (32, 32),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": 1,
        "attention_head_dim": 4,
        "cross_attention_dim": WIDTH,
    }
    return UNet2DConditionModel(**{**settings, **changes}).eval().requires_grad_(False)


def text_encoder(**changes: Any) -> CLIPTextModel:
    settings: dict[str, Any] = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": WIDTH,
        "intermediate_size": 40,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": TOKENS,
        "bos_token_id": BEGIN,
        "eos_token_id": END,
        "pad_token_id": END,
    }
    return CLIPTextModel(CLIPTextConfig(**{**settings, **changes})).eval().requires_grad_(False)


def write_tokenizer(folder: Path, pad: str = "<|endoftext|>") -> None:
    """In the format of 2022, in which Stable Diffusion was published."""
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps(VOCABULARY), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\na b</w>\n", encoding="utf-8")
    begin, end = (
        {
            "content": word,
            "lstrip": False,
            "normalized": True,
            "rstrip": False,
            "single_word": False,
        }
        for word in ("<|startoftext|>", "<|endoftext|>")
    )
    special = {"bos_token": begin, "eos_token": end, "pad_token": pad, "unk_token": end}
    (folder / "special_tokens_map.json").write_text(json.dumps(special), encoding="utf-8")
    settings = {
        "add_prefix_space": False,
        "bos_token": {"__type": "AddedToken", **begin},
        "do_lower_case": True,
        "eos_token": {"__type": "AddedToken", **end},
        "errors": "replace",
        "model_max_length": TOKENS,
        "name_or_path": "openai/clip-vit-large-patch14",
        "pad_token": pad,
        "special_tokens_map_file": "./special_tokens_map.json",
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": {"__type": "AddedToken", **end},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def write_schedule(folder: Path, **changes: Any) -> None:
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
    )
    scheduler.save_pretrained(folder / "scheduler")
    edit(folder / "scheduler" / "scheduler_config.json", changes)


def edit(path: Path, changes: Mapping[str, Any]) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**found, **changes}), encoding="utf-8")


def write(folder: Path, *, variant: str | None = None, pad: str = "<|endoftext|>") -> Tiny:
    """Save a complete pipeline, optionally as a half-precision variant."""
    torch.manual_seed(0)
    pipeline = Tiny(vae(), conditional_unet(), text_encoder())
    if variant:
        for module in (pipeline.vae, pipeline.unet, pipeline.text_encoder):
            module.half()
    pipeline.vae.save_pretrained(folder / "vae", variant=variant)
    pipeline.unet.save_pretrained(folder / "unet", variant=variant)
    pipeline.text_encoder.save_pretrained(folder / "text_encoder", variant=variant)
    for module in (pipeline.vae, pipeline.unet, pipeline.text_encoder):
        module.float()
    write_tokenizer(folder / "tokenizer", pad)
    write_schedule(folder)
    return pipeline


def latent_entry(folder: Path) -> NetworkEntry:
    return NetworkEntry(
        key="tiny",
        label="Tiny Diffusion",
        summary="",
        kind="latent",
        parts=("vae", "unet", "text_encoder"),
        licence="",
        source=FromUser("tiny", ""),
        channels=3,
        native=64,
        place=folder,
    )
