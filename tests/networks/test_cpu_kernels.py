"""The kernels of the embedded networks against torch."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from enhancers.networks import runtime
from enhancers.networks.config_checks import network_class, part_config
from enhancers.networks.cpu_kernels.denoising import KernelDenoisingUNet
from enhancers.networks.cpu_kernels.jit import JitKernels, jit_kernels
from enhancers.networks.cpu_kernels.network import KernelUNet
from enhancers.networks.denoising_unet import DenoisingUNet
from enhancers.networks.load import latent_prior, pixel_prior
from enhancers.networks.lookup import network_entry

AGREEMENT = 1e-4


@functools.cache
def network(key: str) -> Any:
    folder = network_entry(key).folder / "unet"
    kind = network_class(part_config(folder, "unet"))
    return kind.from_pretrained(
        folder, torch_dtype=torch.float32, local_files_only=True, low_cpu_mem_usage=False
    ).eval()


def on_kernels(unet: Any, made: JitKernels | None = None) -> KernelUNet | KernelDenoisingUNet:
    kind = KernelDenoisingUNet if isinstance(unet, DenoisingUNet) else KernelUNet
    return kind(unet, made)


def denoising_network(**changes: Any) -> DenoisingUNet:
    """A small network with random weights."""
    torch.manual_seed(0)
    unet = DenoisingUNet(**{"block_out_channels": (16, 48, 32)} | changes)
    torch.nn.init.normal_(unet.conv_out.weight, std=0.05)
    return unet.eval().requires_grad_(False)


def made_up(**changes: Any) -> Any:
    """A small network with random weights, biases and norms too."""
    from diffusers import UNet2DModel

    torch.manual_seed(0)
    config: dict[str, Any] = {
        "in_channels": 2, "out_channels": 3, "block_out_channels": (16, 48), "norm_num_groups": 4,
        "layers_per_block": 2, "down_block_types": ("DownBlock2D",) * 2,
        "up_block_types": ("UpBlock2D",) * 2, "add_attention": False, "norm_eps": 1e-3,
    }  # fmt: skip
    unet = UNet2DModel(**config | changes).eval()
    for weights in unet.parameters():
        if weights.ndim == 1:
            torch.nn.init.normal_(weights, 0.5, 0.5)
    return unet


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def by_torch(unet: Any, x: torch.Tensor, t: int) -> torch.Tensor:
    with torch.inference_mode():
        predicted: torch.Tensor = unet(x, t).sample
    return predicted


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("key", ["pixel", "latent"])
@pytest.mark.parametrize(("batch", "height", "width"), [(1, 16, 16), (3, 48, 80), (1, 128, 144)])
def test_the_embedded_networks_are_those_of_torch(
    key: str, batch: int, height: int, width: int
) -> None:
    unet = network(key)
    quick = on_kernels(unet)
    x = noise(batch, unet.config.in_channels, height, width)
    for t in (0, 500, 999):
        expected = by_torch(unet, x, t)
        allowed = AGREEMENT * max(1.0, float(expected.abs().max()))
        assert (quick.predict(x, t) - expected).abs().max() < allowed


def test_zeros_and_large_values_are_those_of_torch() -> None:
    unet = network("pixel")
    quick = on_kernels(unet)
    for x in (torch.zeros(1, 1, 32, 32), torch.full((1, 1, 32, 32), 0.9), 30 * noise(1, 1, 32, 32)):
        expected = by_torch(unet, x, 10)
        allowed = AGREEMENT * max(1.0, float(expected.abs().max()))
        assert (quick.predict(x, 10) - expected).abs().max() < allowed


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("changes", [{}, {"block_out_channels": (32, 80, 16)}])
def test_other_networks_of_the_kind_and_narrow_vectors(wide: bool, changes: dict[str, Any]) -> None:
    if wide and jit_kernels().lanes < 16:
        pytest.skip("this processor has no vectors of 16 floats")
    if changes:
        kinds = {"down_block_types": ("DownBlock2D",) * 3, "up_block_types": ("UpBlock2D",) * 3}
        changes = changes | kinds
    unet = made_up(**changes)
    assert runtime.fits(unet)
    x = noise(2, 2, 20, 36)
    told = on_kernels(unet, jit_kernels(wide)).predict(x, 77)
    expected = by_torch(unet, x, 77)
    assert (told - expected).abs().max() < AGREEMENT * float(expected.abs().max())


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(
    "changes",
    [{}, {"block_out_channels": (80, 16), "fold": 1, "in_channels": 3, "out_channels": 3},
     {"layers_per_block": 1, "middle_blocks": 3, "fold": 4}],
)  # fmt: skip
def test_other_denoising_networks_and_narrow_vectors(wide: bool, changes: dict[str, Any]) -> None:
    if wide and jit_kernels().lanes < 16:
        pytest.skip("this processor has no vectors of 16 floats")
    unet = denoising_network(**changes)
    assert runtime.fits(unet)
    x = noise(2, unet.config.in_channels, 48, 80)
    for t in (3, 400):
        expected = by_torch(unet, x, t)
        told = on_kernels(unet, jit_kernels(wide)).predict(x, t)
        assert (told - expected).abs().max() < AGREEMENT * float(expected.abs().max())


def test_threads_and_repeats_change_no_bit(threads: None) -> None:
    quick, x = on_kernels(network("pixel")), noise(1, 1, 112, 80)
    torch.set_num_threads(1)
    alone = quick.predict(x, 300)
    for count in (1, 2, 3, 7):
        torch.set_num_threads(count)
        assert torch.equal(quick.predict(x, 300), alone)


def test_several_users_at_once_do_not_share_memory() -> None:
    quick = on_kernels(network("pixel"))
    images = [noise(1, 1, 64, 64) * scale for scale in (0.2, 0.5, 1.0, 2.0)]
    alone = [quick.predict(x, 400) for x in images]
    with ThreadPoolExecutor(4) as pool:
        for told, expected in zip(
            pool.map(lambda x: quick.predict(x, 400), images * 3), alone * 3, strict=True
        ):
            assert torch.equal(told, expected)


def test_memory_between_runs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = on_kernels(network("pixel"))
    for side in (64, 80, 96, 112):
        quick.predict(noise(1, 1, side, side), 1)
    kept = [each.plan.bytes for each in quick.plans.idle.values()]
    assert len(kept) == 4
    monkeypatch.setattr("enhancers.networks.cpu_kernels.idle_plans.IDLE_BYTES", sum(kept[-2:]))
    quick.predict(noise(1, 1, 112, 112), 1)
    fold = quick.unet.config.get("fold", 1)
    kept_heights = [each.plan.height for each in quick.plans.idle.values()]
    assert kept_heights == [96 // fold, 112 // fold]


@pytest.mark.parametrize("key", ["pixel", "latent"])
@pytest.mark.parametrize(("extra", "side"), [(0, 30), (2, 32)])
def test_images_it_does_not_take_are_refused(key: str, extra: int, side: int) -> None:
    unet = network(key)
    with pytest.raises(ValueError, match="does not take"):
        on_kernels(unet).predict(noise(1, unet.config.in_channels + extra, side, 32), 1)


def test_the_embedded_networks_run_on_the_kernels() -> None:
    for prior in (pixel_prior("cpu"), latent_prior("cpu")):
        assert isinstance(getattr(prior.run, "__self__", None), type(on_kernels(prior.unet)))


@pytest.mark.parametrize(
    "changes",
    [
        {"down_block_types": ("DownBlock2D", "AttnDownBlock2D")},
        {"add_attention": True},
        {"block_out_channels": (16, 40)},
        {"resnet_time_scale_shift": "scale_shift"},
        {"down_block_types": ("ResnetDownsampleBlock2D", "DownBlock2D")},
        {"mid_block_scale_factor": 2.0},
        {"act_fn": "gelu"},
    ],
)  # fmt: skip
def test_other_architectures_are_left_to_torch(changes: dict[str, Any]) -> None:
    unet = made_up(**changes)
    assert not runtime.fits(unet)
    assert runtime.on_cpu(unet, "cpu") is None


def test_other_devices_and_numbers_are_left_to_torch() -> None:
    unet = made_up()
    assert runtime.on_cpu(unet, "cuda") is None
    assert runtime.on_cpu(unet.to(torch.bfloat16), "cpu") is None
    assert runtime.on_cpu(denoising_network(block_out_channels=(16, 40)), "cpu") is None


def test_without_llvmlite_torch_runs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in [
        name for name in sys.modules if name.startswith("enhancers.networks.cpu_kernels.")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    assert runtime.on_cpu(made_up(), "cpu") is None
    assert "torch" in caplog.text


@pytest.mark.parametrize("wrong", [0.0, float("nan")])
def test_kernels_that_disagree_are_not_used(
    wrong: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(KernelUNet, "predict", lambda self, x, t: torch.full_like(x, wrong))
    assert runtime.on_cpu(made_up(in_channels=3), "cpu") is None
    assert "differ" in caplog.text
