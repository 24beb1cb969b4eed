"""Methods of added networks: channels, tiles, noise, enlargement, HU, and the shared promises."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from enhancers import registry
from enhancers.compare import enhance
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Window, from_array
from enhancers.method import Modality
from enhancers.method_interface import Step, load_method
from enhancers.networks.lookup import network_entry
from enhancers.networks.restoration import restoration_network
from enhancers.settings import get_settings
from enhancers.trained import restoration
from tests.support.restoration_files import added

KEYS = {"DnCNN": "dncnn", "DRUNet": "drunet", "SwinIR": "swinir", "RED-CNN": "red-cnn"}


@pytest.fixture(scope="module", autouse=True)
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One network of each architecture, in a folder of its own."""
    folder = tmp_path_factory.mktemp("restoration")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READINGROOM_MODELS_DIR", str(folder / "networks"))
        get_settings.cache_clear()
        for architecture in KEYS:
            added(folder, architecture)
        added(folder, "RED-CNN", key="on-hu", hu=(-1024, 3072))
        yield
    get_settings.cache_clear()


def picture(height: int, width: int, colour: bool = False) -> NDArray[np.float32]:
    shape = (height, width, 3) if colour else (height, width)
    rng = np.random.default_rng(0)
    return np.clip(0.5 + rng.normal(0, 0.1, shape), 0, 1).astype(np.float32)


def network_output(key: str, image: Tensor) -> Tensor:
    return restoration_network("cpu", key).restored(image)


@pytest.mark.parametrize("key", KEYS.values())
@pytest.mark.parametrize(("height", "width", "colour"), [(33, 40, False), (17, 24, True)])
def test_the_promises_of_every_method(key: str, height: int, width: int, colour: bool) -> None:
    method = registry.get(key)
    pixels = picture(height, width, colour)
    run = load_method(key).run(
        from_array(pixels), registry.resolve(key, Modality.OTHER), seed=3, device="cpu"
    )
    steps: list[Step] = list(run)
    result = steps[-1].result
    assert len(steps) >= 2
    assert result is not None
    assert result.scale == method.scale
    assert result.pixels.shape == (height * result.scale, width * result.scale, *pixels.shape[2:])
    assert result.pixels.dtype == np.float32
    assert result.calls == 1
    again = enhance(from_array(pixels), key, seed=3)
    assert again.pixels.tobytes() == result.pixels.tobytes()
    constant = enhance(from_array(np.full((24, 31), 0.4, np.float32)), key).pixels
    assert np.all(constant == np.float32(0.4))
    assert constant.shape == (24 * method.scale, 31 * method.scale)


def test_gray_goes_through_three_channels_and_colour_as_it_is() -> None:
    gray, colour = picture(32, 32), picture(32, 32, colour=True)
    expected = network_output("swinir", torch.from_numpy(gray).expand(1, 3, -1, -1))
    assert np.allclose(enhance(from_array(gray), "swinir").pixels, expected.mean(1)[0], atol=1e-6)
    expected = network_output("swinir", torch.from_numpy(colour.transpose(2, 0, 1))[None])
    result = enhance(from_array(colour), "swinir").pixels
    assert np.allclose(result, expected[0].permute(1, 2, 0), atol=1e-6)


def test_a_network_that_takes_the_noise_is_given_it() -> None:
    image = from_array(picture(40, 40))
    by_sigma = [enhance(image, "drunet", params={"sigma": s}) for s in (0.05, 0.2)]
    assert not np.allclose(by_sigma[0].pixels, by_sigma[1].pixels, atol=1e-4)
    assert [result.figures[0].value for result in by_sigma] == [0.05, 0.2]
    measured = enhance(image, "drunet")
    assert measured.figures[0].value == pytest.approx(0.1, rel=0.3)
    nothing = enhance(image, "drunet", params={"sigma": 0})
    assert np.array_equal(nothing.pixels, image.pixels)
    assert nothing.calls == 0


class _Pointwise(nn.Module):
    """A function of every pixel by itself, which tiles do not change."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sqrt()


@pytest.fixture
def pointwise(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make the network of DnCNN a function of pixels, with a rule about tiles."""
    from spandrel import ImageModelDescriptor, ModelTiling

    def use(rule: str) -> None:
        network = restoration_network("cpu", "dncnn")
        known = network.descriptor
        model = _Pointwise()
        model.register_parameter("unused", nn.Parameter(torch.zeros(1)))
        descriptor = ImageModelDescriptor(
            model, model.state_dict(), architecture=known.architecture, purpose="Restoration",
            tags=[], supports_half=False, supports_bfloat16=True, scale=1, input_channels=1,
            output_channels=1, tiling=ModelTiling[rule],
        )  # fmt: skip
        replaced = replace(network, descriptor=descriptor)
        monkeypatch.setattr(restoration, "restoration_network", lambda device, key: replaced)

    return use


@pytest.mark.parametrize(
    ("rule", "calls", "notes"), [("SUPPORTED", 4, 0), ("DISCOURAGED", 2, 1), ("INTERNAL", 1, 0)]
)
def test_tiles_by_the_rule_of_the_architecture(
    pointwise: Callable[[str], None], rule: str, calls: int, notes: int
) -> None:
    pointwise(rule)
    pixels = picture(700, 900)
    result = enhance(from_array(pixels), "dncnn")
    assert np.allclose(result.pixels, np.sqrt(pixels), atol=1e-5)
    assert (result.calls, len(result.notes)) == (calls, notes)


def test_closing_between_tiles_ends_the_work(pointwise: Callable[[str], None]) -> None:
    pointwise("SUPPORTED")
    params = registry.resolve("dncnn", Modality.OTHER)
    run = load_method("dncnn").run(from_array(picture(700, 600)), params, seed=0, device="cpu")
    assert isinstance(run, Generator)
    notes = [next(run).note for _ in range(2)]
    assert notes == ["loading the network", "network call 1 of 4"]
    run.close()
    assert list(run) == []


def test_smaller_tiles_where_memory_runs_out(
    pointwise: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pointwise("DISCOURAGED")
    usual = _Pointwise.forward

    def limited(self: _Pointwise, x: Tensor) -> Tensor:
        if x.shape[-1] > 300:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return usual(self, x)

    monkeypatch.setattr(_Pointwise, "forward", limited)
    pixels = picture(400, 310)
    result = enhance(from_array(pixels), "dncnn")
    assert np.allclose(result.pixels, np.sqrt(pixels), atol=1e-5)
    assert any("tiles of 256 pixels" in note for note in result.notes)


def test_an_enlargement_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READINGROOM_MAX_MEGAPIXELS", "0.01")
    get_settings.cache_clear()
    with pytest.raises(ParameterError, match=r"SwinIR enlarges 2 times"):
        enhance(from_array(picture(64, 64)), "swinir")
    monkeypatch.undo()
    get_settings.cache_clear()


def on_window(source: NDArray[np.float32], window: Window, units: str) -> MedicalImage:
    image = from_array(window.to_unit(source), Modality.CT)
    return replace(image, source=source, window=window, units=units)


def test_a_network_on_hounsfield_units_gets_all_of_them_and_returns_the_window() -> None:
    source = np.random.default_rng(0).uniform(-1000, 1500, (40, 40)).astype(np.float32)
    window = Window(-160.0, 240.0)
    result = enhance(on_window(source, window, "HU"), "on-hu")
    given = torch.from_numpy((source + 1024) / 4096)[None, None]
    expected = window.to_unit(network_output("on-hu", given)[0, 0].numpy() * 4096 - 1024)
    assert np.allclose(result.pixels, expected, atol=1e-4)
    assert result.notes == ()
    other = enhance(on_window(source, window, "gray level"), "on-hu")
    assert any("-160 and 240 HU" in note for note in other.notes)


def test_half_precision_is_close_and_only_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = from_array(picture(32, 32))
    full = enhance(image, "dncnn").pixels
    monkeypatch.setenv("READINGROOM_PRECISION", "half")
    get_settings.cache_clear()
    assert restoration_network("cpu", "dncnn").descriptor.dtype == torch.bfloat16
    half = enhance(image, "dncnn").pixels
    monkeypatch.undo()
    get_settings.cache_clear()
    assert not np.array_equal(half, full)
    assert np.allclose(half, full, atol=0.02)


def test_what_a_run_costs_is_known_before_it() -> None:
    from enhancers.compare import estimate_seconds, is_large

    small, large = from_array(picture(64, 64)), from_array(picture(600, 600))
    seconds, facts = estimate_seconds(small, "dncnn"), network_entry("swinir").restoration
    assert seconds is not None
    assert seconds > 0
    assert facts is not None
    assert facts.scale == 2
    assert [is_large(large, key) for key in ("dncnn", "swinir")] == [False, True]
