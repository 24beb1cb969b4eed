from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.performance import speed
from benchmarks.performance.figures import Measurement
from benchmarks.performance.random_networks import random_networks
from enhancers.networks.guided_diffusion import save_folder
from enhancers.networks.lookup import network_entry
from tests.support import tiny_pipeline


def small_guided(key: str, folder: Path) -> None:
    """The published networks' kind, far smaller: learned variance, blocks that pool."""
    from diffusers import UNet2DModel

    network = UNet2DModel(
        in_channels=3, out_channels=6 if key == "adm256" else 3, block_out_channels=(32, 32),
        layers_per_block=1, down_block_types=("ResnetDownsampleBlock2D",) * 2, norm_num_groups=8,
        up_block_types=("ResnetUpsampleBlock2D",) * 2, resnet_time_scale_shift="scale_shift",
        add_attention=False,
    )  # fmt: skip
    save_folder(network, network_entry(key).schedule, folder)


def small_stable_diffusion(key: str, folder: Path) -> None:
    tiny_pipeline.write(folder, variant="fp16")


SMALL = {"sd15": small_stable_diffusion, "adm256": small_guided, "ct-abdomen": small_guided}


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The CPU stands in for a GPU; sizes and repeats are small."""
    monkeypatch.setattr(speed, "_reset_peak", lambda device: None)
    monkeypatch.setattr(speed, "_peak", lambda device: 1.5)
    monkeypatch.setattr(speed, "REPEATS", 1)
    monkeypatch.setattr(speed, "ROUNDS", 1)
    monkeypatch.setattr(speed, "SLICES", 3)
    monkeypatch.setattr(speed, "SLICE", 32)
    with random_networks(SMALL):
        yield


@pytest.mark.parametrize("index", range(len(speed.PUBLISHED)))
@pytest.mark.usefixtures("on_a_gpu")
def test_published_networks_are_measured(index: int) -> None:
    case = replace(speed.PUBLISHED[index], side=64)
    # Little to do: two steps, or the few calls that little noise needs.
    short = {"steps": 2} if "steps" in case.given else {"sigma": 0.05}
    case = replace(case, given={**case.given, **short})
    ratio, whole = speed.published_figures(case, "cpu")
    assert ratio.measured is not None
    assert ratio.measured > 0.3
    assert whole.measured is not None
    assert whole.measured > 0
    assert "peak memory 1.5 GiB" in whole.detail
    assert ("whole run" in whole.detail) == (case.key == "null_space")


@pytest.mark.usefixtures("on_a_gpu")
def test_a_batch_of_slices_is_measured() -> None:
    line = speed.slices_figure("cpu")
    assert line.measured is not None
    assert "3 slices" in line.name
    assert "slices a second" in line.detail


def test_without_a_gpu_the_lines_of_published_networks_are_not_run() -> None:
    lines = [line for case in speed.PUBLISHED for line in speed.published_figures(case, None)]
    lines.append(speed.slices_figure(None))
    assert {line.verdict for line in lines} == {"not run"}
    required = [1.05, 0.3, 1.05, 0.12, 1.05, 12.0, 1.05, None, 1.05, None, None]
    assert [line.required for line in lines] == required
    assert {line.detail for line in lines} == {speed.NEEDS_GPU}


def test_a_network_that_is_missing_is_told() -> None:
    case = replace(speed.PUBLISHED[1], given={"prior": "nothing"})
    (line,) = speed.published_figures(case, "cpu")
    assert line.verdict == "not run"
    assert "nothing" in line.detail


def test_the_command_measures_everything_of_the_cpu() -> None:
    lines: list[Measurement] = list(speed.speed("cpu", quick=True))
    measured = {line.name: line for line in lines if line.measured is not None}
    assert len(measured) == 9
    (calls,) = (line for name, line in measured.items() if "schedule makes 100" in name)
    assert calls.measured == 19
    ratios = [line.measured for line in measured.values() if "bare" in line.name]
    assert len(ratios) == 6
    assert all(ratio is not None and 0.3 < ratio < 30 for ratio in ratios)
