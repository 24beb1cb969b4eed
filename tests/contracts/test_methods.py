"""What every method promises, looped over the registry."""

import importlib
from collections.abc import Generator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from enhancers import compare, registry
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, from_array
from enhancers.method import Method, Modality
from enhancers.method_interface import UNCHANGED, Result, Step, load_method

CARDS = Path(__file__).parents[2] / "assets" / "cards"

QUICK = {"steps": 6, "samples": 2, "iterations": 10}
"""Values that keep a run short; a method takes those it has, or the least that it allows."""

methods = pytest.mark.parametrize("method", registry.METHODS, ids=lambda method: method.key)


def picture(height: int, width: int, colour: bool = False) -> np.ndarray:
    rng = np.random.default_rng(height * 1000 + width)
    y, x = np.mgrid[:height, :width] / max(height, width)
    gray = 0.45 + 0.3 * np.sin(9 * x) * np.cos(7 * y) + 0.15 * (x > 0.5)
    pixels = gray[..., None] * [1.0, 0.8, 0.6] if colour else gray
    return np.clip(pixels + rng.normal(0, 0.03, pixels.shape), 0, 1).astype(np.float32)


def quick(method: Method, modality: Modality) -> dict:
    given = {
        parameter.name: max(QUICK[parameter.name], parameter.low)
        for parameter in method.parameters
        if parameter.name in QUICK
    }
    return registry.resolve(method.key, modality, given)


def steps(method: Method, image: MedicalImage, **given: object) -> list[Step]:
    params = quick(method, image.modality) | given
    return list(load_method(method.key).run(image, params, seed=3, device="cpu"))


def enhance(method: Method, pixels: np.ndarray, **given: object) -> Result:
    modality = method.modalities[0]
    result = steps(method, from_array(pixels, modality), **given)[-1].result
    assert result is not None
    return result


@methods
def test_implementation_and_card_exist(method: Method) -> None:
    assert callable(importlib.import_module(method.implementation).run)
    card = (CARDS / f"{method.key}.md").read_text(encoding="utf-8")
    missing = [p.name for p in method.parameters if f"`{p.name}`" not in card]
    assert not missing, f"the card of {method.key} does not explain {missing}"


@methods
def test_parameters_resolve_for_every_modality(method: Method) -> None:
    for modality in Modality:
        values = registry.resolve(method.key, modality)
        assert set(values) == {parameter.name for parameter in method.parameters}
        for name, value in values.items():
            assert method.parameter(name).check(value) == value


@methods
def test_a_removed_parameter_says_what_took_its_place(method: Method) -> None:
    assert not set(method.removed) & {parameter.name for parameter in method.parameters}
    card = (CARDS / f"{method.key}.md").read_text(encoding="utf-8")
    for name, reason in method.removed.items():
        assert f"`{name}`" in card
        with pytest.raises(ParameterError, match=f"{method.key} has no parameter {name}: ") as told:
            registry.resolve(method.key, method.modalities[0], {name: 0.01})
        assert str(told.value).endswith(reason)


@methods
@pytest.mark.parametrize(
    ("height", "width", "colour"), [(16, 16, False), (17, 33, False), (64, 48, True)]
)
def test_shape_type_and_range(method: Method, height: int, width: int, colour: bool) -> None:
    pixels = picture(height, width, colour)
    before = pixels.copy()
    result = enhance(method, pixels)
    expected = (height * result.scale, width * result.scale, *pixels.shape[2:])
    assert result.pixels.shape == expected
    assert result.pixels.dtype == np.float32
    assert np.isfinite(result.pixels).all()
    assert result.pixels.min() >= 0.0
    assert result.pixels.max() <= 1.0
    assert np.array_equal(pixels, before), "the input was changed"


@methods
def test_progress_rises_and_only_the_last_step_has_the_result(method: Method) -> None:
    taken = steps(method, from_array(picture(40, 48), method.modalities[0]))
    fractions = [step.fraction for step in taken]
    assert len(taken) >= 2
    assert all(earlier <= later for earlier, later in pairwise(fractions))
    assert 0.0 <= fractions[0] < 1.0
    assert fractions[-1] == 1.0
    assert [step.result is not None for step in taken] == [False] * (len(taken) - 1) + [True]
    for step in taken[:-1]:
        assert step.fraction < 1.0
        assert step.preview is None or np.isfinite(step.preview).all()
        assert step.seconds_left is None or step.seconds_left >= 0.0


@methods
def test_the_same_seed_gives_the_same_bytes(method: Method) -> None:
    pixels = picture(33, 40)
    first, second = enhance(method, pixels), enhance(method, pixels)
    assert first.pixels.tobytes() == second.pixels.tobytes()
    assert first.figures == second.figures


@methods
def test_closing_stops_mid_way(method: Method) -> None:
    image = from_array(picture(40, 48), method.modalities[0])
    running = load_method(method.key).run(
        image, quick(method, image.modality), seed=0, device="cpu"
    )
    assert isinstance(running, Generator)
    assert next(running).result is None
    running.close()
    assert list(running) == []


@methods
@pytest.mark.parametrize("level", [0.0, 0.37, 1.0])
def test_a_constant_image_stays_constant(method: Method, level: float) -> None:
    result = enhance(method, np.full((24, 31), level, np.float32))
    assert np.ptp(result.pixels) <= 0.02


DENOISERS = ("nlm", "tv", "denoiser", "null_space")
"""Methods that measure noise and remove nothing else."""


@pytest.mark.parametrize("key", DENOISERS)
@pytest.mark.parametrize("noise", [0.0, 0.001, 0.02])
def test_a_clean_image_stays_or_its_noise_is_named(key: str, noise: float) -> None:
    y, x = np.mgrid[:48, :48] / 48
    clean = 0.5 + 0.3 * np.sin(3 * x) * np.cos(2 * y)
    noisy = clean + noise * np.random.default_rng(0).standard_normal(clean.shape)
    pixels = noisy.astype(np.float32)
    # So weak a noise takes DDNM more steps than other contracts give it.
    given = {"steps": 12} if key == "null_space" else {}
    result = enhance(registry.get(key), pixels, **given)
    error = float(np.sqrt(np.mean((result.pixels - pixels) ** 2)))
    assert len(result.notes) == 1
    if noise == 0.0:
        assert "nothing was removed" in result.notes[0]
    if "nothing was removed" in result.notes[0]:
        assert np.array_equal(result.pixels, pixels)
    else:
        assert "was found and reduced" in result.notes[0]
        assert error > 0.2 * noise
    assert np.mean((result.pixels - clean) ** 2) <= 1.1 * noise**2 + 1e-12


@pytest.mark.parametrize("key", ["nlm", "tv", "denoiser", "null_space"])
@pytest.mark.parametrize("output", ["sample", "one call"])
def test_noise_given_as_zero_is_named(key: str, output: str) -> None:
    given = {"sigma": 0.0} | ({"output": output} if key == "null_space" else {})
    image = from_array(picture(24, 24), Modality.CT)
    result = compare.enhance(image, key, params=given)
    assert np.array_equal(result.pixels, image.pixels)
    assert result.calls == 0
    assert result.notes == ("The noise σ was given as 0, so nothing was removed.", UNCHANGED)


def foreign_modalities() -> list[tuple[Method, Modality]]:
    """Pairs of a method and a modality that its registry entry does not name."""
    pairs = []
    for method in registry.METHODS:
        foreign = [modality for modality in Modality if modality not in method.modalities]
        # The samplers treat all modalities alike: one of them is enough.
        chosen = foreign if method.family == "classical" else foreign[-1:]
        pairs += [(method, modality) for modality in chosen]
    return pairs


def test_only_methods_for_every_modality_have_no_foreign_one() -> None:
    tried = {method.key for method, _ in foreign_modalities()}
    assert {method.key for method in registry.METHODS} - tried == {
        method.key for method in registry.METHODS if set(method.modalities) == set(Modality)
    }
    assert tried >= {"n4", "nlm", "srad", "tv", "pseudo_label", "null_space", "unimie"}


@pytest.mark.parametrize(
    ("method", "modality"),
    [pytest.param(*pair, id=f"{pair[0].key}-{pair[1]}") for pair in foreign_modalities()],
)
def test_runs_on_a_modality_it_was_not_made_for(method: Method, modality: Modality) -> None:
    pixels = picture(24, 24)
    result = steps(method, from_array(pixels, modality))[-1].result
    assert result is not None
    assert result.pixels.shape == pixels.shape
    assert np.isfinite(result.pixels).all()
    # What is made of the structures of a spine shows nothing of other images.
    assert method.depths or np.corrcoef(result.pixels.ravel(), pixels.ravel())[0, 1] > 0.3


@pytest.mark.parametrize("key", [method.key for method in registry.METHODS])
def test_networks_are_imported_in_one_thread_before_a_method(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An estimate may load a method while the page is still importing its networks."""
    asked: list[str] = []
    monkeypatch.setattr("enhancers.method_interface.import_networks", lambda: asked.append(key))
    load_method(key)
    assert bool(asked) is (registry.get(key).family != "classical")
