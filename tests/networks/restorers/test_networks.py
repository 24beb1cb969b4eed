from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from enhancers.networks.restorers.conditions import MODALITIES, with_modality
from enhancers.networks.restorers.diffusion_unet import DiffusionUNet
from enhancers.networks.restorers.pix2pix import PatchDiscriminator, Pix2PixGenerator
from enhancers.networks.restorers.restormer import Restormer

LARGEST = 8 * 2**20
"""Bytes of the weights of a restorer in half precision."""


def given(side: int = 64) -> torch.Tensor:
    torch.manual_seed(0)
    return with_modality(torch.rand(3, 1, side, side) * 2 - 1, torch.tensor([0, 1, 2]))


def test_the_planes_name_the_modality() -> None:
    planes = given()[:, 1:]
    assert planes.shape == (3, len(MODALITIES), 64, 64)
    assert torch.equal(planes.mean((2, 3)), torch.eye(3))


@pytest.mark.parametrize("network", [Restormer, Pix2PixGenerator, DiffusionUNet])
def test_it_ships_in_8_mib(network: Any) -> None:
    assert 2 * sum(weights.numel() for weights in network().parameters()) <= LARGEST


def test_an_untrained_restormer_returns_the_image() -> None:
    image = given()
    with torch.no_grad():
        assert torch.equal(Restormer()(image), image[:, :1])


@pytest.mark.parametrize("network", [Restormer(), Pix2PixGenerator()])
def test_the_modality_counts_and_so_does_every_pixel(network: Any) -> None:
    torch.manual_seed(0)
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.05)
    network.eval()
    image = given()[:1]
    assert network.multiple <= 64
    with torch.no_grad():
        before = network(image)
        assert before.shape == (1, 1, 64, 64)
        other = with_modality(image[:, :1], torch.tensor([2]))
        assert not torch.allclose(network(other), before, atol=1e-4)
    wanted = image.clone().requires_grad_()
    network(wanted).square().sum().backward()
    assert wanted.grad is not None
    assert (wanted.grad[:, 0] != 0).all()


def test_a_patch_of_the_discriminator_sees_70_pixels() -> None:
    discriminator = PatchDiscriminator().eval()
    image = torch.zeros(1, 1, 128, 128, requires_grad=True)
    logits = discriminator(given(128)[:1], image)
    logits[0, 0, 7, 7].backward()
    assert image.grad is not None
    seen = image.grad[0, 0].abs().sum(0).nonzero()
    assert int(seen.max() - seen.min()) + 1 == 70


def test_a_diffusion_unet_reads_time_and_condition(tmp_path: Path) -> None:
    network = DiffusionUNet(residual_deviations=(0.2, 0.1, 0.5))
    torch.manual_seed(0)
    torch.nn.init.normal_(network.unet.conv_out.weight, std=0.1)
    network.eval().save_pretrained(tmp_path)
    found = DiffusionUNet.from_pretrained(tmp_path)
    state, image = torch.randn(1, 1, 64, 64), given()[:1]
    with torch.no_grad():
        made = network(state, torch.tensor([500]), image)
        assert torch.allclose(found(state, torch.tensor([500]), image), made, atol=1e-4)
        for other in (
            network(state, torch.tensor([20]), image),
            network(state, torch.tensor([500]), torch.zeros_like(image)),
        ):
            assert not torch.allclose(other, made, atol=1e-4)
    deviations = found.deviations(torch.tensor([2, 0]))
    assert deviations.flatten().tolist() == pytest.approx([0.5, 0.2])
