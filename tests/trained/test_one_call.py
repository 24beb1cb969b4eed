"""Restorers in one call: the shipped networks on what they were trained for."""

from __future__ import annotations

import numpy as np
import pytest

from enhancers import compare
from enhancers.compare import estimate_seconds
from enhancers.degrade import degrade_image
from enhancers.image import MedicalImage, from_array
from enhancers.method import Modality
from enhancers.method_interface import load_method
from enhancers.networks.load import identity
from enhancers.phantoms import phantom
from enhancers.registry import METHODS, resolve

SHIPPED = [
    method.key for method in METHODS if method.prior == "restorer" and method.family == "trained"
]


def scan(side: int = 192) -> tuple[MedicalImage, MedicalImage]:
    """A drawn ultrasound image, and the same of low signal."""
    clean = from_array(phantom("echo", size=side, seed=3).pixels, Modality.US)
    return clean, degrade_image(clean, "us_snr", -6.0, seed=0)


@pytest.mark.parametrize("key", SHIPPED)
def test_it_brings_a_degraded_image_nearer_to_the_truth(key: str) -> None:
    clean, worse = scan()
    found = compare.enhance(worse, key)
    assert found.calls == 1
    assert found.notes == ()
    before, after = (
        float(np.square(each - clean.pixels).mean()) for each in (worse.pixels, found.pixels)
    )
    assert after < 0.5 * before
    other = compare.enhance(worse, key, params={"as_modality": "CT"})
    assert not np.allclose(other.pixels, found.pixels, atol=0.01)


@pytest.mark.parametrize("key", SHIPPED)
def test_its_record_names_the_weights_and_its_time_is_estimated(key: str) -> None:
    _, worse = scan()
    outcome = next(
        event.outcome
        for event in compare.compare(worse, [compare.Request(key)], seed=0)
        if event.outcome is not None
    )
    assert outcome.record.prior is not None
    assert identity(key) == f"{outcome.record.prior.name}:{outcome.record.prior.sha256}"
    seconds = estimate_seconds(worse, key)
    assert seconds is not None
    assert 0 < seconds < 60


@pytest.mark.parametrize("key", SHIPPED)
def test_a_large_image_goes_tile_by_tile(key: str) -> None:
    pixels = np.random.default_rng(0).random((128, 700)).astype(np.float32)
    steps = list(
        load_method(key).run(
            from_array(pixels, Modality.CT), resolve(key, Modality.CT), seed=0, device="cpu"
        )
    )
    assert [step.note for step in steps[1:-1]] == ["network call 1 of 2", "network call 2 of 2"]
    assert steps[-1].result is not None
    assert steps[-1].result.calls == 2


@pytest.mark.parametrize("key", SHIPPED)
def test_it_ships_in_8_mib(key: str) -> None:
    from enhancers.networks.lookup import network_entry

    assert network_entry(key, "restorer").size <= 8 * 2**20


@pytest.mark.parametrize("key", SHIPPED)
def test_samples_of_k_space_bring_an_mr_image_nearer_to_the_truth(key: str) -> None:
    clean = from_array(phantom("cardiac_mr", size=192, seed=3).pixels, Modality.MR)
    worse = degrade_image(clean, "mr_undersample", 4, seed=0)
    with_data, without = (
        compare.enhance(worse, key, params={"consistency": wanted}) for wanted in (True, False)
    )
    errors = [float(np.square(x.pixels - clean.pixels).mean()) for x in (with_data, without)]
    assert errors[0] < 0.5 * errors[1]
    assert with_data.calls == without.calls == 1


@pytest.mark.parametrize("key", SHIPPED)
def test_projections_take_a_second_call(key: str) -> None:
    worse = degrade_image(from_array(phantom("ct", size=128).pixels, Modality.CT), "ct_dose", 0.25,
                          seed=0)  # fmt: skip
    method = load_method(key)
    for wanted, calls in ((True, 2), (False, 1)):
        params = resolve(key, Modality.CT, {"consistency": wanted})
        *_, last = method.run(worse, params, seed=0, device="cpu")
        assert last.result is not None
        assert last.result.calls == calls
        assert method.work(worse, params) >= calls * 128**2 / 256**2


@pytest.mark.parametrize("key", SHIPPED)
def test_an_image_of_pixels_alone_is_restored_as_it_is(key: str) -> None:
    _, worse = scan(128)
    results = [compare.enhance(worse, key, params={"consistency": one}) for one in (True, False)]
    np.testing.assert_array_equal(results[0].pixels, results[1].pixels)
