"""The embedding of the empty prompt, which networks like Stable Diffusion's need.

The methods sample without a prompt, so the text encoder runs once and its result is stored.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from enhancers.networks.config_checks import part_config
from enhancers.networks.derived_files import derived_path, write_derived
from enhancers.networks.digests import digest
from enhancers.networks.entry import NetworkEntry
from enhancers.networks.parts import unusable, usable

MAX_TOKENS = 1024
_TOKENIZERS = ("tokenizer.json", "vocab.json")


def empty_prompt(entry: NetworkEntry, width: int) -> Tensor:
    """The text encoder's last hidden state for the empty prompt, float32, (1, tokens, width).

    Computed on the CPU, so that it is the same on all devices, and stored (see
    `enhancers.networks.derived_files`).

    Parameters
    ----------
    entry : NetworkEntry
    width : int
        Of the network's cross attention.

    Raises
    ------
    NetworkMissing
        Text encoder or tokenizer are missing, damaged, or of another network.
    """
    path = derived_path(f"{_name(entry)}.safetensors")
    embedding = _stored(path)
    if embedding is None or embedding.shape[-1] != width:
        from safetensors.torch import save

        embedding = _encoded(entry)
        write_derived(path, save({"prompt": embedding}))
    if embedding.shape[-1] != width:
        raise unusable(
            entry, "text_encoder",
            f"its embedding has a width of {embedding.shape[-1]} and the network needs {width}",
        )  # fmt: skip
    return embedding


def _name(entry: NetworkEntry) -> str:
    """A name made of a digest over everything that the embedding depends on."""
    folder = entry.folder / "tokenizer"
    files = [path for path in sorted(folder.glob("*")) if path.is_file()]
    with usable(entry, "text_encoder"):
        part_config(entry.folder / "text_encoder", "text_encoder")
    files += [entry.folder / "text_encoder" / "config.json"]
    if not entry.weights("text_encoder").is_file():
        raise unusable(entry, "text_encoder", "its weights are missing")
    digests = [f"{path.name}:{digest(path)}" for path in (*files, entry.weights("text_encoder"))]
    return "prompt-" + hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _stored(path: Path) -> Tensor | None:
    """A stored embedding; None where there is none, or it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        found = load(path.read_bytes()).get("prompt")
    except (OSError, SafetensorError, ValueError):
        return None
    complete = found is not None and found.ndim == 3 and found.dtype == torch.float32
    return found if complete and found.shape[0] == 1 else None


@torch.no_grad()
def _encoded(entry: NetworkEntry) -> Tensor:
    from transformers import CLIPTextModel
    from transformers.utils import logging

    # The stubs know neither function as it is used here.
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
        # transformers has many errors for a truncated, foreign or misshapen file.
        words = " ".join(str(error).split())[:160]
        raise unusable(entry, "text_encoder", f"it is damaged ({words})") from error
    lacking = [*info["missing_keys"], *info["mismatched_keys"]]
    if lacking:
        raise unusable(entry, "text_encoder", f"{len(lacking)} tensors are missing")
    tokens = _tokens(entry, encoder.config)
    hidden: Tensor = encoder.eval()(tokens).last_hidden_state
    return hidden.clone().contiguous()


def _tokens(entry: NetworkEntry, text: Any) -> Tensor:
    """The tokens of the empty prompt: beginning, end, and padding."""
    from transformers import CLIPTokenizer

    folder = entry.folder / "tokenizer"
    # Without a vocabulary the class silently makes up one of three words.
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise unusable(entry, "tokenizer", f"none of {', '.join(_TOKENIZERS)} is there")
    length = int(text.max_position_embeddings)
    if not 2 <= length <= MAX_TOKENS:
        raise unusable(entry, "text_encoder", f"it reads {length} tokens")
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        ids: Tensor = tokenizer(
            "", padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        ).input_ids
    except Exception as error:
        # As above.
        words = " ".join(str(error).split())[:160]
        raise unusable(entry, "tokenizer", f"it is damaged ({words})") from error
    # So does a damaged vocabulary.
    known = ids.shape == (1, length) and int(ids.max()) < text.vocab_size
    if not known or len(tokenizer) < text.vocab_size:
        raise unusable(entry, "tokenizer", "it belongs to another text encoder")
    return ids
