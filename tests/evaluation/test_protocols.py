"""Protocols, the poses they put images into, and the candidates they name."""

from __future__ import annotations

import numpy as np
import pytest

from enhancers.degrade import KINDS, degrade
from enhancers.errors import ParameterError, UnknownMethod
from enhancers.evaluation.case_folders import MODALITIES
from enhancers.evaluation.conditions import degraded_case
from enhancers.evaluation.measures import MEASURES
from enhancers.evaluation.method_text import chosen, expand, method_under_test
from enhancers.evaluation.problem import Degraded, TestImage, seed_of
from enhancers.evaluation.protocol import Condition
from enhancers.evaluation.protocols import PROTOCOLS, protocol
from enhancers.evaluation.variants import SWEEPS, VARIANTS
from enhancers.image import MedicalImage, Window
from enhancers.method import Modality
from enhancers.phantoms import phantom
from enhancers.registry import METHODS

ISSUE = ("lowdose-ct", "ct-sr4", "ct-sr8", "mr-sr4", "mr-sr8", "us-speckle", "mr-rician",
         "illumination", "steps", "texture", "spine")  # fmt: skip


@pytest.fixture(scope="module")
def case() -> TestImage:
    drawn = phantom("ct", size=66, seed=5)
    return TestImage(
        "ct-5", Modality.CT, drawn.pixels, seed=seed_of("ct-5"), group="ct", subject="a"
    )


def test_every_protocol_that_is_promised_is_there() -> None:
    assert set(ISSUE) <= set(PROTOCOLS)


@pytest.mark.parametrize("key", list(PROTOCOLS))
def test_a_protocol_names_only_what_exists(key: str, case: TestImage) -> None:
    asked = protocol(key)
    assert set(asked.measures) <= set(MEASURES)
    assert len({condition.key for condition in asked.conditions}) == len(asked.conditions)
    everyone = [one.key for one in chosen(asked, ["all"])]
    assert len(set(everyone)) == len(everyone)
    if asked.subject:
        assert asked.subject in [one.key for one in chosen(asked, [])]
    for condition in asked.conditions:
        assert condition.kind == "none" or condition.kind in KINDS
        assert set(condition.groups) <= set(MODALITIES)
        _, degraded = degraded_case(case, condition)
        able = [one for one in chosen(asked, ["all"]) if one.suits(condition.task)]
        assert len(able) > 2, condition.key
        for one in able:
            assert one.parameters(degraded, condition.task), one.key


def test_a_pose_is_the_same_every_time_and_differs_between_cases(case: TestImage) -> None:
    condition = Condition("c", "c", "despeckle", "speckle", 0.1, 0.3)
    _, first = degraded_case(case, condition)
    _, again = degraded_case(case, condition)
    assert np.array_equal(first.pixels, again.pixels)
    assert 0.1 <= first.level <= 0.3
    assert first.sigma is None
    _, other = degraded_case(
        TestImage("x", case.modality, case.truth, seed=seed_of("x")), condition
    )
    assert other.level != first.level


def test_the_told_noise_is_the_noise(case: TestImage) -> None:
    gaussian = Condition("g", "g", "denoise", "gaussian", 0.1, 0.1, noise_known=True)
    assert degraded_case(case, gaussian)[1].sigma == 0.1
    dose = Condition("d", "d", "denoise", "low_dose", 0.1, 0.1, noise_known=True)
    cropped, degraded = degraded_case(case, dose)
    inside = (degraded.pixels > 0) & (degraded.pixels < 1)
    error = (degraded.pixels - cropped.truth)[inside]
    assert degraded.sigma == pytest.approx(np.sqrt(np.mean(error**2)), abs=1e-4)


def test_enlargement_is_posed_on_whole_blocks_of_the_degraded_image(case: TestImage) -> None:
    noisy = Condition("n", "n", "enlarge", "low_dose", 0.1, 0.1, factor=4, noise_known=True)
    cropped, degraded = degraded_case(case, noisy)
    assert cropped.truth.shape == (64, 64)
    assert degraded.pixels.shape == (16, 16)
    assert degraded.sigma is not None
    assert 0 < degraded.sigma < 0.5
    clean = Condition("c", "c", "enlarge", factor=4, noise_known=True)
    _, small = degraded_case(case, clean)
    assert small.sigma == 0.0
    assert np.array_equal(small.pixels, degrade(cropped.truth, "downsample", 4, seed=0))


def test_ct_in_hounsfield_units_is_degraded_in_them(case: TestImage) -> None:
    """A bone window shows less of the same noise than the soft-tissue one of a bare array."""
    window = Window(-450.0, 1050.0)
    image = MedicalImage(case.truth, window, window.to_source(case.truth).astype(np.float32),
                         "HU", Modality.CT, spacing=(1.0, 1.0))  # fmt: skip
    known = TestImage("k", Modality.CT, case.truth, seed=3, image=image)
    bare = TestImage("k", Modality.CT, case.truth, seed=3)
    dose = Condition("d", "d", "denoise", "low_dose", 0.1, 0.1, noise_known=True)
    in_hu, guessed = degraded_case(known, dose)[1].sigma, degraded_case(bare, dose)[1].sigma
    assert in_hu is not None
    assert guessed is not None
    assert in_hu < guessed / 2


def test_candidates_are_read_with_variant_and_parameters() -> None:
    one = method_under_test("null_space:mean@samples=8@prior=adm256")
    assert one.method == "null_space"
    assert dict(one.given) == {"output": "mean of samples", "samples": "8", "prior": "adm256"}
    assert not one.sampled
    assert method_under_test("null_space").sampled
    assert method_under_test("dps@steps=20@prior=mine").sampled
    assert not method_under_test("nlm").sampled
    assert "samples 8" in one.label


def test_a_filter_is_tried_at_every_strength_unless_one_is_given() -> None:
    found = expand(["nlm", "nlm@beta=0.8", "tv:auto", "nlm@search=21"])
    of = {one.key: one.family for one in found}
    assert sum(family == "nlm" for family in of.values()) == len(SWEEPS["nlm"][1])
    assert of["tv:auto"] == "tv:auto"
    assert of["nlm@search=21@beta=0.8"] == "nlm@search=21"


@pytest.mark.parametrize(
    ("text", "words"),
    [("nlmm", "did you mean nlm"), ("nlm@beta", "beta has no value"), ("nlm@gamma=1", "gamma"),
     ("nlm@beta=99", "0.1 to 5"), ("dip@rate=1", "no parameter rate"), ("dps@steps=0", "steps=0"),
     ("null_space:meen", "null_space:mean"), ("", "No method"), ("dps@prior=../x", "prior=../x"),
     ("pinv@steps=3", "no parameter steps")],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises((ParameterError, UnknownMethod), match=words) as caught:
        method_under_test(text)
    assert "\n" not in str(caught.value)


def test_a_candidate_that_can_do_nothing_here_is_refused() -> None:
    with pytest.raises(ParameterError, match="unimie cannot denoise, which lowdose-ct asks"):
        chosen(protocol("lowdose-ct"), ["nlm", "unimie"])
    with pytest.raises(ParameterError, match="he cannot enlarge, which mr-sr4"):
        chosen(protocol("mr-sr4"), ["nlm", "he"])
    with pytest.raises(ParameterError, match="did you mean ct-sr8"):
        protocol("ct-sr5")


def test_the_noise_that_is_told_reaches_the_methods() -> None:
    pixels = np.zeros((8, 8), np.float32)
    told = Degraded(pixels, Modality.MR, sigma=0.07, kind="gaussian")
    assert method_under_test("null_space").parameters(told, "denoise")["sigma"] == 0.07
    assert method_under_test("dip").parameters(told, "denoise")["sigma"] == 0.07
    nlm = method_under_test("nlm@beta=1").parameters(told, "denoise")
    assert (nlm["sigma"], nlm["noise"]) == (0.07, "gaussian")
    rician = Degraded(pixels, Modality.MR, kind="rician")
    assert method_under_test("nlm:auto").parameters(rician, "despeckle")["noise"] == "rician"
    small = Degraded(pixels, Modality.CT, sigma=0.0, factor=4)
    assert method_under_test("null_space").parameters(small, "enlarge")["task"] == "sr4"


def test_a_contrast_step_is_known_as_one() -> None:
    given = Degraded(np.zeros((8, 8), np.float32), Modality.US)
    assert method_under_test("classical").contrasted(given, "despeckle")
    assert method_under_test("clahe").contrasted(given, "improve")
    assert not method_under_test("classical:plain").contrasted(given, "despeckle")
    assert not method_under_test("clahe").contrasted(given, "lighten")


def test_classical_filters_enlarge_by_interpolation_after_filtering(case: TestImage) -> None:
    noisy = Condition("n", "n", "enlarge", "low_dose", 0.1, 0.1, factor=2, noise_known=True)
    cropped, degraded = degraded_case(case, noisy)
    filtered = method_under_test("nlm@beta=1").enhance(degraded, "enlarge", seed=0, device="cpu")
    assert filtered.pixels.shape == cropped.truth.shape
    assert filtered.pixels.dtype == np.float32
    plain = method_under_test("input").enhance(degraded, "enlarge", seed=0, device="cpu")
    blocks = degraded.pixels.repeat(2, 0).repeat(2, 1)
    assert np.array_equal(plain.pixels, blocks)


def test_variants_and_sweeps_are_of_methods_that_have_the_parameters() -> None:
    methods = {method.key: method for method in METHODS}
    for variant in VARIANTS.values():
        for name, value in variant.given.items():
            checked = methods[variant.method].parameter(name).check(value)
            assert str(checked).lower().removesuffix(".0") == value, variant
    for key, (name, values) in SWEEPS.items():
        swept = methods[VARIANTS[key].method if key in VARIANTS else key]
        assert [swept.parameter(name).check(value) for value in values] == list(values), key
