from __future__ import annotations

from pathlib import Path

import pytest
import torch

from enhancers.errors import CheckpointError
from enhancers.networks.config_checks import multiple_of
from enhancers.networks.denoising_unet import DenoisingUNet
from enhancers.networks.training.architectures import scheduler


@pytest.fixture(scope="module")
def network() -> DenoisingUNet:
    torch.manual_seed(0)
    made = DenoisingUNet(block_out_channels=(8, 16, 16), layers_per_block=1)
    torch.nn.init.normal_(made.conv_out.weight, std=0.05)
    return made.eval().requires_grad_(False)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def test_an_untrained_network_removes_nothing_at_any_noise_level() -> None:
    made = DenoisingUNet(block_out_channels=(8, 16))
    for step in (0, 100, 999):
        assert not made(drawn(1, 1, 16, 16), step).sample.any()


def test_a_brighter_image_with_more_noise_is_denoised_in_the_same_way(
    network: DenoisingUNet,
) -> None:
    channels = drawn(1, 6, 16, 24).abs()
    removed = network.convolved(channels)
    assert removed.abs().max() > 1e-3
    assert torch.allclose(network.convolved(3 * channels), 3 * removed, rtol=1e-4, atol=1e-5)


def test_each_image_of_a_batch_has_its_own_timestep(network: DenoisingUNet) -> None:
    images, steps = drawn(2, 1, 16, 16), torch.tensor([20, 700])
    together = network(images, steps).sample
    for index, step in enumerate(steps.tolist()):
        alone = network(images[index : index + 1], step).sample
        assert torch.allclose(together[index : index + 1], alone, atol=1e-4)


def test_the_noise_level_keeps_its_precision_where_the_weights_have_half(
    network: DenoisingUNet, tmp_path: Path
) -> None:
    network.save_pretrained(tmp_path)
    half = DenoisingUNet.from_pretrained(tmp_path, torch_dtype=torch.float16)
    image = drawn(1, 1, 16, 16)
    expected, found = (each(image, 3).sample for each in (network, half))
    assert found.dtype == image.dtype
    assert torch.allclose(found, expected, atol=2e-2 * float(expected.abs().max()))


def test_sides_are_divisible_by_the_fold_and_by_every_level(network: DenoisingUNet) -> None:
    multiple = multiple_of(network.config)
    assert multiple == 8
    assert network(drawn(1, 1, multiple, 3 * multiple), 5).sample.shape == (1, 1, 8, 24)
    with pytest.raises(RuntimeError):
        network(drawn(1, 1, multiple // 2, multiple), 5)


def test_a_scheduler_of_other_noise_levels_is_refused(network: DenoisingUNet) -> None:
    signal = scheduler().alphas_cumprod
    network.check_schedule(signal)
    for other in (signal.square(), signal[::2]):
        with pytest.raises(CheckpointError, match="different noise schedules"):
            network.check_schedule(other)
