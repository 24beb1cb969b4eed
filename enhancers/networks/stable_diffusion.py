"""What a latent prior of Stable Diffusion's kind has beside a plain one: a text it must be given.

Every method here samples without a prompt, so the text encoder is needed once, for the empty
prompt; what it makes of it is kept on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from enhancers.networks.catalog import NetworkEntry
from enhancers.networks.parts import config, digest, note_path, unusable, write_note

LONGEST_PROMPT = 1024
_CONDITIONS = ("class_embed_type", "num_class_embeds", "addition_embed_type",
               "encoder_hid_dim_type", "encoder_hid_dim")  # fmt: skip
_TOKENIZERS = ("tokenizer.json", "vocab.json")


def check_unet(entry: NetworkEntry, unet: Mapping[str, Any], channels: int) -> None:
    """Raise PriorMissing unless the network answers to ``channels`` and a timestep alone."""
    wanted = [name for name in _CONDITIONS if unet.get(name) is not None]
    if wanted:
        raise unusable(
            entry, "unet", f"the network wants conditions no method here gives ({wanted[0]})"
        )
    if unet.get("time_embedding_type", "positional") != "positional":
        raise unusable(entry, "unet", "its time embedding is not that of a discrete diffusion")
    given, told = unet["in_channels"], unet["out_channels"]
    if given != channels or told not in {channels, 2 * channels}:
        raise unusable(
            entry,
            "unet",
            f"the network takes {given} channels and gives {told}, where {channels} are needed",
        )
    if "cross_attention_dim" not in unet and channels not in {1, 3} and entry.kind == "pixel":
        raise unusable(entry, "unet", f"it works on {channels} channels; images have 1 or 3")


def check_vae(entry: NetworkEntry, vae: Mapping[str, Any]) -> None:
    """Raise PriorMissing unless images and latents relate by one scale."""
    if vae.get("shift_factor") or vae.get("latents_mean") is not None:
        raise unusable(entry, "vae", "its latents are shifted, as no network here expects")
    if vae["in_channels"] not in {1, 3} or vae["in_channels"] != vae["out_channels"]:
        raise unusable(entry, "vae", f"it works on {vae['in_channels']} channels, not 1 or 3")


def empty_prompt(entry: NetworkEntry, width: int) -> Tensor:
    """The text encoder's last hidden state for the empty prompt, float32, (1, tokens, width).

    Computed on the CPU, so that it is the same on all devices, and kept below
    `Settings.models_dir`.

    Raises
    ------
    PriorMissing
        Text encoder or tokenizer are missing, damaged, or of another network.
    """
    path = note_path(f"{_name(entry)}.safetensors")
    kept = _kept(path)
    if kept is None or kept.shape[-1] != width:
        kept = _encoded(entry)
        from safetensors.torch import save

        write_note(path, save({"prompt": kept}))
    if kept.shape[-1] != width:
        raise unusable(
            entry, "text_encoder", f"it writes {kept.shape[-1]} numbers a token, not {width}"
        )
    return kept


def _name(entry: NetworkEntry) -> str:
    """Of everything that the embedding depends on."""
    folder = entry.folder / "tokenizer"
    files = [path for path in sorted(folder.glob("*")) if path.is_file()]
    config(entry, "text_encoder")
    files += [entry.folder / "text_encoder" / "config.json"]
    if not entry.weights("text_encoder").is_file():
        raise unusable(entry, "text_encoder", "its weights are missing")
    digests = [f"{path.name}:{digest(path)}" for path in (*files, entry.weights("text_encoder"))]
    return "prompt-" + hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _kept(path: Path) -> Tensor | None:
    """A kept embedding; None where there is none, or it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        kept = load(path.read_bytes()).get("prompt")
    except (OSError, SafetensorError, ValueError):
        return None
    usable = kept is not None and kept.ndim == 3 and kept.dtype == torch.float32
    return kept if usable and kept.shape[0] == 1 else None


@torch.no_grad()
def _encoded(entry: NetworkEntry) -> Tensor:
    from transformers import CLIPTextModel
    from transformers.utils import logging

    # The stubs know neither the one nor that the loading information comes with the other.
    messages: Any = logging
    loader: Any = CLIPTextModel
    messages.disable_progress_bar()
    try:
        encoder, info = loader.from_pretrained(
            entry.folder / "text_encoder",
            local_files_only=True,
            use_safetensors=True,
            variant="fp16" if ".fp16." in entry.weights("text_encoder").name else None,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:
        # The libraries below raise their own kinds for a truncated, foreign or misshapen file.
        words = " ".join(str(error).split())[:160]
        raise unusable(entry, "text_encoder", f"it is damaged ({words})") from error
    lacking = [*info["missing_keys"], *info["mismatched_keys"]]
    if lacking:
        raise unusable(entry, "text_encoder", f"{len(lacking)} tensors are missing")
    tokens = _tokens(entry, encoder.config)
    hidden: Tensor = encoder.eval()(tokens).last_hidden_state
    return hidden.clone().contiguous()


def _tokens(entry: NetworkEntry, text: Any) -> Tensor:
    """The empty prompt as the tokenizer pads it: beginning, end, and padding."""
    from transformers import CLIPTokenizer

    folder = entry.folder / "tokenizer"
    # Without a vocabulary the class makes up one of three words and says nothing.
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise unusable(entry, "tokenizer", f"none of {', '.join(_TOKENIZERS)} is there")
    length = int(text.max_position_embeddings)
    if not 2 <= length <= LONGEST_PROMPT:
        raise unusable(entry, "text_encoder", f"it reads {length} tokens")
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        ids: Tensor = tokenizer(
            "", padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        ).input_ids
    except Exception as error:
        # The same as above, from another library.
        words = " ".join(str(error).split())[:160]
        raise unusable(entry, "tokenizer", f"it is damaged ({words})") from error
    # A damaged vocabulary is replaced by that of three words as well.
    known = ids.shape == (1, length) and int(ids.max()) < text.vocab_size
    if not known or len(tokenizer) < text.vocab_size:
        raise unusable(entry, "tokenizer", "it is of another text encoder")
    return ids
