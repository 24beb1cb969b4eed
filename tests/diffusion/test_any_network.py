"""The methods on other networks than the embedded ones: colour, whole images, little memory."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from enhancers.devices import oom_fallback
from enhancers.devices.oom_fallback import FallbackStep
from enhancers.devices.precision import halved
from enhancers.errors import OutOfDeviceMemory
from enhancers.image import from_array
from enhancers.method import Modality
from enhancers.method_interface import Result, load_method
from enhancers.networks import tiled_networks
from enhancers.networks.lookup import network_entry as entry_of
from enhancers.networks.tiled_networks import TileSizes, tile_sizes
from enhancers.phantoms import phantom
from enhancers.registry import resolve
from tests.support.exact_priors import FakeLatent, FakePixel, put

CT = phantom("ct", size=256, seed=5).pixels


def run(key: str, pixels: np.ndarray, **given: object) -> Result:
    image = from_array(np.ascontiguousarray(pixels), Modality.CT)
    params = resolve(key, Modality.CT, given)  # type: ignore[arg-type]
    result = list(load_method(key).run(image, params, seed=0, device="cpu"))[-1].result
    assert result is not None
    return result


def planned(key: str, pixels: np.ndarray, **given: object) -> float:
    image = from_array(np.ascontiguousarray(pixels), Modality.CT)
    return load_method(key).work(image, resolve(key, Modality.CT, given))  # type: ignore[attr-defined,arg-type]


def figures(result: Result) -> dict[str, float]:
    return {figure.name: figure.value for figure in result.figures}


@pytest.mark.parametrize("method", ["null_space", "unimie"])
def test_a_colour_network_gets_three_channels_and_gives_gray(monkeypatch, method):
    prior = FakePixel()
    put(monkeypatch, prior)
    # Without noise DDNM would return the phantom as it is.
    given = {"sigma": 0.1} if method == "null_space" else {}
    result = run(method, CT, prior="adm256", steps=6, **given)
    assert set(prior.shapes) == {(1, 3, 256, 256)}
    assert result.pixels.shape == (256, 256)
    assert 0 < figures(result)["channel_spread"] < 0.5


def test_every_colour_channel_has_noise_of_its_own_and_the_result_is_their_mean(monkeypatch):
    gray, colour = FakePixel(channels=1), FakePixel(channels=3)
    noisy = np.clip(CT + 0.1 * np.random.default_rng(0).standard_normal(CT.shape), 0, 1)
    results = []
    for prior in (gray, colour):
        put(monkeypatch, prior)
        given = {"prior": "adm256", "sigma": 0.1, "steps": 100}
        results.append(run("null_space", noisy.astype(np.float32), **given))
    assert "channel_spread" not in figures(results[0])
    assert not np.array_equal(results[0].pixels, results[1].pixels)
    roughness = [float(np.abs(np.diff(result.pixels)).mean()) for result in results]
    assert roughness[1] < roughness[0]


def test_an_enlargement_in_colour_is_consistent(monkeypatch):
    put(monkeypatch, FakePixel())
    result = run("null_space", CT[:128, :128], prior="adm256", task="sr2", steps=5)
    assert result.pixels.shape == (256, 256)
    assert figures(result)["consistency"] <= 1e-3


def test_a_network_of_whole_images_sees_the_whole_image(monkeypatch):
    prior = FakePixel()
    put(monkeypatch, prior)
    large = np.kron(CT, np.ones((5, 5), np.float32))[:1100, :1060]
    result = run("null_space", large, prior="ct-abdomen", output="one call", sigma=0.1)
    assert prior.shapes == [(1, 3, 1120, 1088)]
    (note,) = result.notes
    assert "trained on whole images" in note
    assert "1100 x 1060" in note


def test_at_its_own_size_there_is_nothing_to_say(monkeypatch):
    put(monkeypatch, FakePixel())
    native = entry_of("ct-abdomen").native
    own = np.kron(CT, np.ones((2, 2), np.float32))[:native, :native]
    assert own.shape == (native, native)
    assert run("null_space", own, prior="ct-abdomen", output="one call", sigma=0.1).notes == ()


def test_unimie_gives_such_a_network_one_tile(monkeypatch):
    prior = FakePixel()
    put(monkeypatch, prior)
    wide = np.concatenate([CT, CT], axis=1)[:250, :500]
    assert run("unimie", wide, prior="ct-abdomen", steps=3, sigma=0.2).calls == 3
    assert prior.shapes == [(1, 3, 256, 512)] * 3
    assert planned("unimie", wide, prior="ct-abdomen", steps=3, sigma=0.2) == 6


def test_unimie_evaluates_nine_patches_a_step_in_one_batch(monkeypatch):
    prior = FakePixel(channels=1, multiple=8)
    put(monkeypatch, prior)
    large = np.kron(CT, np.ones((2, 2), np.float32))
    assert run("unimie", large, steps=4, sigma=0.2).calls == 36
    assert prior.shapes == [(9, 1, 256, 256)] * 4
    assert planned("unimie", large, steps=4, sigma=0.2) == 36


def test_a_large_network_gets_one_patch_at_a_time_on_a_cpu(monkeypatch):
    prior = FakePixel()
    put(monkeypatch, prior)
    wide = np.concatenate([CT, CT], axis=1)
    assert run("unimie", wide, prior="adm256", steps=2, sigma=0.2).calls == 6
    assert prior.shapes == [(1, 3, 256, 256)] * 6


def test_large_tiles_go_through_one_by_one(monkeypatch):
    prior = FakePixel(channels=1, multiple=8)
    put(monkeypatch, prior)
    large = np.kron(CT, np.ones((5, 5), np.float32))[:, :1000]
    run("null_space", large, output="one call", sigma=0.1)
    assert prior.shapes == [(1, 1, 1024, 1000)] * 2


def test_images_smaller_than_the_tiles_of_such_a_network_are_reflected(monkeypatch):
    prior = FakePixel()
    put(monkeypatch, prior)
    assert run("null_space", CT[:100, :90], prior="adm256", sigma=0.2, steps=50).pixels.shape == (
        100, 90,
    )  # fmt: skip
    assert set(prior.shapes) == {(1, 3, 256, 256)}


def test_too_little_memory_makes_smaller_batches_and_a_note_and_the_same_result(monkeypatch):
    large = np.kron(CT, np.ones((2, 2), np.float32))
    results = []
    for most in (10**9, 4 * 256**2):
        prior = FakePixel(channels=1, most=most)
        put(monkeypatch, prior)
        results.append(run("unimie", large, steps=3, sigma=0.2))
    assert {shape[0] for shape in prior.shapes} == {3}
    np.testing.assert_allclose(results[0].pixels, results[1].pixels, atol=1e-6)
    assert results[0].notes == ()
    assert results[1].notes == (
        "The memory of cpu ran out: fewer tiles went through the network at a time.",
    )


def test_too_little_memory_for_the_whole_image_makes_tiles_where_the_network_allows(monkeypatch):
    prior = FakePixel(channels=1, most=200**2)
    put(monkeypatch, prior)
    result = run("null_space", CT, sigma=0.2, output="one call")
    assert set(prior.shapes) == {(1, 1, 128, 128)}
    assert "tiles of 128 pixels instead of 1024" in result.notes[0]


def test_a_latent_prior_in_colour_with_its_own_timesteps(monkeypatch):
    prior = FakeLatent()
    put(monkeypatch, prior)
    result = run("pseudo_label", CT[:128, :120], prior="sd15", steps=5, strength=1.0, output="full")
    assert prior.encoded == [(1, 3, 128, 128)]
    assert prior.times == [801, 601, 401, 201, 1]
    assert result.pixels.shape == (128, 120)
    assert figures(result)["channel_spread"] > 0.02


def test_an_autoencoder_without_memory_gets_smaller_pieces(monkeypatch):
    prior = FakeLatent(most=3 * 512**2)
    put(monkeypatch, prior)
    large = np.kron(CT, np.ones((3, 3), np.float32))
    result = run("pseudo_label", large, prior="sd15", steps=2, strength=1.0)
    assert set(prior.encoded) == {(1, 3, 512, 512)}
    assert "tiles of 512 pixels instead of 1024" in result.notes[0]


def test_a_network_in_16_bits_changes_a_result_by_less_than_a_gray_level():
    noisy = np.clip(
        CT[96:160, 96:160] + 0.1 * np.random.default_rng(0).standard_normal((64, 64)), 0, 1
    )
    exact = run("null_space", noisy.astype(np.float32), sigma=0.1).pixels
    with halved():
        coarse = run("null_space", noisy.astype(np.float32), sigma=0.1).pixels
    assert coarse.dtype == np.float32
    assert 0 < np.sqrt(np.mean((coarse - exact) ** 2)) < 1 / 255


def test_how_images_are_divided_follows_the_catalogue():
    assert tile_sizes(entry_of("pixel"), 1024, 64) == TileSizes((1024, 512, 256, 128), 64)
    assert tile_sizes(entry_of("pixel")) == TileSizes((256, 128), least=256)
    assert tile_sizes(entry_of("adm256"), 1024, 64) == TileSizes((256,), 64, 256)
    assert tile_sizes(entry_of("ct-abdomen"), 1024) == TileSizes((None,))


def test_the_devices_memory_is_not_asked_for_more_than_once_by_size(monkeypatch):
    """A single tile is not tried again in batches of eight, four and two."""
    prior, tries = FakePixel(channels=1, most=10), []
    monkeypatch.setattr(oom_fallback, "release", lambda device: 0)
    put(monkeypatch, prior)
    predict = prior.predict
    monkeypatch.setattr(prior, "predict", lambda x, t: tries.append(x.shape) or predict(x, t))
    with pytest.raises(OutOfDeviceMemory, match="too little memory"):
        run("null_space", CT, sigma=0.2, output="one call")
    assert tries == [(1, 1, 256, 256), (1, 1, 128, 128)]


@pytest.mark.parametrize(
    ("method", "given"),
    [("null_space", {"sigma": 0.2, "output": "one call"}), ("unimie", {"steps": 2, "sigma": 0.2}),
     ("pseudo_label", {"prior": "sd15", "steps": 2, "strength": 1.0})],
)  # fmt: skip
def test_a_network_is_let_go_before_it_comes_back_in_16_bits(monkeypatch, method, given):
    networks, still_there = [], []

    def load(device, key):
        still_there.append(sum(one() is not None for one in networks))
        kind = FakeLatent if method == "pseudo_label" else FakePixel
        fresh = kind(most=10**9 if networks else 0)
        networks.append(weakref.ref(fresh))
        return fresh

    steps = FallbackStep("cpu", 1, None), FallbackStep("cpu", 1, None, half=True)
    monkeypatch.setattr(tiled_networks, "fallback_steps", lambda *_, **__: steps)
    monkeypatch.setattr(tiled_networks, "pixel_prior", load)
    monkeypatch.setattr(tiled_networks, "latent_prior", load)
    monkeypatch.setattr(oom_fallback, "release", lambda device: 0)
    result = run(method, CT[:128, :128], **given)
    assert "16 bits" in result.notes[0]
    assert still_there == [0, 0]
