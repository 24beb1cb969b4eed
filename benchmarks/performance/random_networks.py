"""The published networks with random weights, which are as fast as the trained ones."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enhancers.networks.entry import Part
from enhancers.networks.lookup import network_entry

if TYPE_CHECKING:
    from enhancers.networks.guided_diffusion_layout import Architecture

VARIABLE = "READINGROOM_MODELS_DIR"
TOKENS = ("<|startoftext|>", "<|endoftext|>")


def guided(key: str) -> Architecture:
    """The architecture of a guided-diffusion network of the catalogue."""
    from enhancers.networks.guided_diffusion_layout import Architecture

    adm = key == "adm256"
    return Architecture(
        channels=3,
        outputs=6 if adm else 3,
        widths=(256, 256, 512, 512, 1024, 1024) if adm else (64, 64, 128, 128, 256, 256),
        layers=2 if adm else 3,
        attention=(False, False, False, True, True, True) if adm else (False,) * 4 + (True,) * 2,
        resampling="resnet" if adm else "conv",
        scale_shift=True,
        head_channels=64 if adm else None,
    )


def write_guided(key: str, folder: Path) -> None:
    """Write a guided-diffusion network of the catalogue, as a converted checkpoint."""
    from enhancers.networks.guided_diffusion import save_folder
    from enhancers.networks.guided_diffusion_layout import unet

    save_folder(unet(guided(key)), network_entry(key).schedule, folder)


def stable_diffusion(vocabulary: int) -> dict[Part, Any]:
    """Autoencoder, network, and text encoder of Stable Diffusion 1.5."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    down, up = ("DownEncoderBlock2D",) * 4, ("UpDecoderBlock2D",) * 4
    vae = AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, layers_per_block=2,
        block_out_channels=(128, 256, 512, 512), down_block_types=down, up_block_types=up,
        scaling_factor=0.18215, sample_size=512,
    )  # fmt: skip
    # The defaults of diffusers are those of Stable Diffusion 1, except for the width of the text.
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
            num_attention_heads=12, bos_token_id=0, eos_token_id=1, pad_token_id=1,
        )
    )  # fmt: skip
    return {"vae": vae, "unet": unet, "text_encoder": text}


def write_stable_diffusion(key: str, folder: Path) -> None:
    """Write Stable Diffusion 1.5 in half precision, with a tokenizer for the empty prompt."""
    from diffusers import DDIMScheduler

    for part, module in stable_diffusion(len(TOKENS)).items():
        module.half().save_pretrained(folder / part, variant="fp16")
    schedule = network_entry(key).schedule
    DDIMScheduler(
        beta_start=schedule.start, beta_end=schedule.end, beta_schedule=schedule.name,
        clip_sample=False, set_alpha_to_one=False, steps_offset=1,
    ).save_pretrained(folder / "scheduler")  # fmt: skip
    write_tokenizer(folder / "tokenizer")


def write_tokenizer(folder: Path) -> None:
    """Write a tokenizer with the two tokens of an empty prompt."""
    folder.mkdir(parents=True)
    words = {word: number for number, word in enumerate(TOKENS)}
    (folder / "vocab.json").write_text(json.dumps(words), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    special = {"bos_token": TOKENS[0], "eos_token": TOKENS[1], "pad_token": TOKENS[1],
               "unk_token": TOKENS[1], "tokenizer_class": "CLIPTokenizer"}  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(special), encoding="utf-8")


Writer = Callable[[str, Path], None]
WRITERS: Mapping[str, Writer] = {
    "sd15": write_stable_diffusion,
    "adm256": write_guided,
    "ct-abdomen": write_guided,
}


@contextmanager
def random_networks(writers: Mapping[str, Writer] = WRITERS) -> Iterator[Path]:
    """Use networks with random weights instead of the installed ones within the block."""
    import torch

    before = os.environ.get(VARIABLE)
    with tempfile.TemporaryDirectory(prefix="reading-room-") as name:
        folder = Path(name)
        state: Any = torch.random.get_rng_state()
        torch.manual_seed(0)
        for key, writer in writers.items():
            writer(key, folder / key)
        torch.random.set_rng_state(state)
        use_models_dir(name)
        try:
            yield folder
        finally:
            use_models_dir(before)


def use_models_dir(folder: str | None) -> None:
    """Set the folder of installed networks; None for the default."""
    from enhancers.settings import get_settings

    if folder is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = folder
    get_settings.cache_clear()
