from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from benchmarks.performance import random_networks
from enhancers.networks.guided_diffusion_layout import unet
from enhancers.networks.lookup import network_entry

WORDS = 49408
"""Of Stable Diffusion's tokenizer."""


@pytest.mark.parametrize("key", ["adm256", "ct-abdomen"])
def test_guided_diffusion_networks_have_the_published_size(key: str) -> None:
    with torch.device("meta"):
        network = unet(random_networks.guided(key))
    assert sum(weights.numel() for weights in network.parameters()) == network_entry(key).parameters


def test_stable_diffusion_has_the_published_size() -> None:
    with torch.device("meta"):
        parts = random_networks.stable_diffusion(WORDS)
    assert tuple(parts) == network_entry("sd15").parts
    counted = sum(weights.numel() for part in parts.values() for weights in part.parameters())
    assert counted == network_entry("sd15").parameters


def test_random_networks_are_installed_within_the_block(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(random_networks.VARIABLE, str(tmp_path))
    random_networks.use_models_dir(str(tmp_path))
    asked, folders = [], []

    def write(key: str, folder: Path) -> None:
        asked.append(key)
        (folder / "unet").mkdir(parents=True)
        (folder / "unet" / "diffusion_pytorch_model.safetensors").touch()

    assert not network_entry("adm256").present

    def fail() -> None:
        with random_networks.random_networks({"adm256": write}) as folder:
            folders.append(folder)
            assert network_entry("adm256").present
            assert network_entry("adm256").folder == folder / "adm256"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert asked == ["adm256"]
    assert not folders[0].exists()
    assert os.environ[random_networks.VARIABLE] == str(tmp_path)
    assert not network_entry("adm256").present


def test_the_tokenizer_of_a_stand_in_reads_the_empty_prompt(tmp_path: Path) -> None:
    from transformers import CLIPTokenizer

    random_networks.write_tokenizer(tmp_path / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "tokenizer", local_files_only=True)
    ids = tokenizer("", padding="max_length", max_length=4, truncation=True).input_ids
    assert ids == [0, 1, 1, 1]
