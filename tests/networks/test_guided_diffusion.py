from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DModel
from torch import Tensor

from enhancers.errors import CheckpointError
from enhancers.networks.entry import Checkpoint, Schedule
from enhancers.networks.guided_diffusion import convert, expected, save_folder, split_qkv
from enhancers.networks.guided_diffusion_layout import Architecture, read_config, unet
from tests.support.plain_unet import PlainUNet, Shape, random_unet

SHAPES = {
    "convolutions": Shape(),
    "residual resampling": Shape(updown=True),
    "new order": Shape(order="new"),
    "new order, residual resampling": Shape(order="new", updown=True),
    "learned variance": Shape(outputs=6, updown=True),
    "shift only": Shape(scale_shift=False),
    "gray": Shape(channels=1, outputs=1),
    "attention at every level": Shape(widths=(32, 32, 64), attended=(0, 1, 2), layers=2),
    "attention in the middle level": Shape(widths=(32, 64, 96), attended=(1,), updown=True),
    "attention in the middle block alone": Shape(attended=()),
    "one level": Shape(widths=(64,), attended=(0,)),
}
ADM = Architecture(
    channels=3,
    outputs=6,
    widths=(256, 256, 512, 512, 1024, 1024),
    layers=2,
    attention=(False, False, False, True, True, True),
    resampling="resnet",
    scale_shift=True,
    head_channels=64,
)
SLICES = Architecture(
    channels=3,
    outputs=3,
    widths=(64, 64, 128, 128, 256, 256),
    layers=3,
    attention=(False, False, False, False, True, True),
    resampling="conv",
    scale_shift=True,
    head_channels=256,
)


def _told(shape: Shape) -> Checkpoint:
    return Checkpoint(shape.head_channels, "new" if shape.order == "new" else "legacy")


def _apart(plain: PlainUNet, converted: UNet2DModel) -> float:
    x = torch.randn((2, plain.shape.channels, 16, 24), generator=torch.Generator().manual_seed(7))
    with torch.inference_mode():
        apart = [(converted(x, t).sample - plain(x, t)).abs().max() for t in (0, 481, 999)]
    return float(max(apart))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_the_converted_network_is_the_plain_one(shape: Shape) -> None:
    plain = random_unet(shape)
    converted = convert(plain.state_dict(), _told(shape))
    assert _apart(plain, converted) <= 1e-5
    assert float(plain(torch.zeros(1, shape.channels, 16, 16), 5).std()) > 0.05


def test_one_head_is_the_default() -> None:
    shape = Shape(head_channels=64)
    plain = random_unet(shape)
    assert _apart(plain, convert(plain.state_dict(), Checkpoint(None))) <= 1e-5


def test_the_order_and_the_heads_matter() -> None:
    """Read in the other order, or cut into other heads, a checkpoint loads and is wrong."""
    plain = random_unet(Shape(order="legacy"))
    for wrong in (Checkpoint(16, "new"), Checkpoint(32), Checkpoint(None)):
        assert _apart(plain, convert(plain.state_dict(), wrong)) > 1e-3


def test_the_rows_of_the_legacy_order() -> None:
    rows = torch.arange(12)
    assert [part.tolist() for part in split_qkv(rows, 2, "legacy")] == [
        [0, 1, 6, 7],
        [2, 3, 8, 9],
        [4, 5, 10, 11],
    ]
    assert torch.equal(torch.cat(split_qkv(rows, 1, "legacy")), rows)
    assert torch.equal(torch.cat(split_qkv(rows, 2, "new")), rows)


@pytest.mark.parametrize(("arch", "parameters"), [(ADM, 552_814_086), (SLICES, 41_123_331)])
def test_the_published_networks_in_full_size(arch: Architecture, parameters: int) -> None:
    plain = _plain_on_meta(arch)
    there = plain.state_dict()
    assert {name: tensor.shape for name, tensor in expected(arch).items()} == {
        name: tensor.shape for name, tensor in there.items()
    }
    assert sum(tensor.numel() for tensor in there.values()) == parameters
    assert read_config(there, Checkpoint(arch.head_channels)) == arch
    with torch.device("meta"):
        assert unet(arch).num_parameters() == parameters


def _plain_on_meta(arch: Architecture) -> PlainUNet:
    shape = Shape(
        widths=arch.widths,
        layers=arch.layers,
        attended=tuple(level for level, has in enumerate(arch.attention) if has),
        channels=arch.channels,
        outputs=arch.outputs,
        head_channels=arch.head_channels or 64,
        updown=arch.resampling == "resnet",
    )
    with torch.device("meta"):
        return PlainUNet(shape)


def test_the_configuration_is_that_of_section_7() -> None:
    with torch.device("meta"):
        adm, slices = unet(ADM).config, unet(SLICES).config
    assert adm.down_block_types == ("ResnetDownsampleBlock2D",) * 3 + ("AttnDownBlock2D",) * 3
    assert adm.up_block_types == ("AttnUpBlock2D",) * 3 + ("ResnetUpsampleBlock2D",) * 3
    assert (adm.downsample_type, adm.upsample_type, adm.attention_head_dim) == (
        "resnet",
        "resnet",
        64,
    )
    assert slices.down_block_types == ("DownBlock2D",) * 4 + ("AttnDownBlock2D",) * 2
    assert slices.up_block_types == ("AttnUpBlock2D",) * 2 + ("UpBlock2D",) * 4
    assert (slices.layers_per_block, slices.downsample_type) == (3, "conv")


@pytest.mark.parametrize("backwards", [False, True])
def test_the_order_of_the_names_does_not_matter(backwards: bool) -> None:
    """safetensors sorts them."""
    plain = random_unet(SHAPES["attention in the middle level"])
    tensors = plain.state_dict()
    converted = convert({k: tensors[k] for k in sorted(tensors, reverse=backwards)}, Checkpoint(16))
    assert _apart(plain, converted) <= 1e-5


def test_half_precision_weights_become_single() -> None:
    plain = random_unet(Shape())
    converted = convert({k: v.half() for k, v in plain.state_dict().items()}, Checkpoint(16))
    assert converted.dtype == torch.float32
    assert _apart(plain, converted) < 0.05


def test_a_saved_folder_is_the_network_and_its_schedule(tmp_path: Path) -> None:
    plain = random_unet(Shape(outputs=6))
    save_folder(convert(plain.state_dict(), Checkpoint(16)), Schedule(), tmp_path)
    assert _apart(plain, UNet2DModel.from_pretrained(tmp_path / "unet").eval()) <= 1e-5
    betas = torch.linspace(1e-4, 0.02, 1000)
    scheduler = DDIMScheduler.from_pretrained(tmp_path / "scheduler")
    assert torch.allclose(scheduler.alphas_cumprod, (1 - betas).cumprod(0))
    config = json.loads((tmp_path / "scheduler" / "scheduler_config.json").read_text())
    assert config["prediction_type"] == "epsilon"


def _without(tensors: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name not in names}


def test_what_is_wrong_is_named() -> None:
    whole = dict(random_unet(Shape()).state_dict())
    with pytest.raises(CheckpointError, match=r"1 missing \(input_blocks.1.0.out_layers.3.bias\)"):
        convert(_without(whole, "input_blocks.1.0.out_layers.3.bias"), Checkpoint(16))
    with pytest.raises(CheckpointError, match=r"1 unexpected \(extra\)"):
        convert({**whole, "extra": torch.zeros(1)}, Checkpoint(16))
    name = "middle_block.0.emb_layers.1.weight"
    with pytest.raises(CheckpointError, match=rf"of another shape \({name}: 3x5, not 128x128\)"):
        convert({**whole, name: torch.zeros(3, 5)}, Checkpoint(16))


def test_networks_that_cannot_be_converted_are_refused() -> None:
    whole = dict(random_unet(Shape()).state_dict())
    refused = {
        "class-conditional": {**whole, "label_emb.weight": torch.zeros(10, 128)},
        "not of guided-diffusion": {"conv.weight": torch.zeros(3, 3)},
        "its 0 tensors": {},
        "do not divide into levels": _without(
            whole, *(name for name in whole if name.startswith("output_blocks.0."))
        ),
        "gives 5": {**whole, "out.2.weight": torch.zeros(5, 32, 3, 3)},
        "time embedding": {**whole, "time_embed.0.weight": torch.zeros(128, 48)},
        "lacks input_blocks.3.0.in_layers.2.weight": _without(
            whole, "input_blocks.3.0.in_layers.2.weight"
        ),
    }
    for words, tensors in refused.items():
        with pytest.raises(CheckpointError, match=words):
            convert(tensors, Checkpoint(16))


@pytest.mark.parametrize("width", [7, 24, 128, -16, 0])
def test_heads_that_do_not_divide_the_channels(width: int) -> None:
    tensors = random_unet(Shape()).state_dict()
    with pytest.raises(CheckpointError, match="give the width of a head"):
        convert(tensors, Checkpoint(width))


def test_a_width_without_normalisation_groups() -> None:
    whole = dict(random_unet(Shape(widths=(32, 64), attended=())).state_dict())
    whole["input_blocks.3.0.in_layers.2.weight"] = torch.zeros(48, 32, 3, 3)
    with pytest.raises(CheckpointError, match="no multiple of 32"):
        convert(whole, Checkpoint(16))
