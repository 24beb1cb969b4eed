"""Slices on either side of an image: found, drawn, degraded, told apart, and what they are for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from enhancers.degrade import degrade
from enhancers.errors import ImageReadError, ParameterError, ReadingRoomError
from enhancers.evaluation import runs
from enhancers.evaluation.baselines import slices
from enhancers.evaluation.baselines.catalog import BASELINES
from enhancers.evaluation.cases import read_cases
from enhancers.evaluation.conditions import cropped, degraded_case
from enhancers.evaluation.method_text import chosen, method_under_test
from enhancers.evaluation.neighbour_slices import MAX_SHIFT, MIN_SHIFT, with_neighbours
from enhancers.evaluation.problem import Degraded, TestImage
from enhancers.evaluation.protocol import Condition
from enhancers.evaluation.protocols import protocol
from enhancers.evaluation.slice_stack import DegradedSlice, Slice, neighbours_of
from enhancers.image import MedicalImage, Pixels, Window
from enhancers.image_folders import held_out
from enhancers.method import Modality
from enhancers.phantoms import phantom
from enhancers.save import save_png16
from tests.support.image_files import dicom

NOISE = Condition("g", "g", "denoise", "gaussian", 0.1, 0.1, noise_known=True)


def gray(seed: int, *shape: int) -> Pixels:
    return np.random.default_rng(seed).uniform(0.3, 0.7, shape or (16, 16)).astype(np.float32)


def case(seed: int = 0, *shape: int, group: str = "mr") -> TestImage:
    return TestImage(f"c{seed}", Modality.MR, gray(seed, *shape), seed=seed, group=group)


def middle(side: int = 16) -> Slice:
    return Slice(**vars(case(5, side, side)), neighbours=(gray(6, side, side), gray(7, side, side)))


def found(names: list[str], cases: list[TestImage] | None = None) -> set[str]:
    """The names of those that have neighbours."""
    cases = cases or [case(seed) for seed in range(len(names))]
    complete = with_neighbours(cases, names)
    return {name for name, one in zip(names, complete, strict=True) if neighbours_of(one)}


def test_neighbours_are_those_with_the_numbers_before_and_after() -> None:
    cases = [case(seed) for seed in range(3)]
    before, one, after = with_neighbours(cases, ["b/s_010.png", "b/s_9.png", "b/s_008.png"])
    assert (before, after) == (cases[0], cases[2])
    assert isinstance(one, Slice)
    assert one.neighbours[0] is cases[2].truth
    assert one.neighbours[1] is cases[0].truth
    assert one.truth is cases[1].truth


@pytest.mark.parametrize(
    "names",
    [["a/1.png", "b/2.png", "a/3.png"], ["a1", "a2", "a4"], ["a1.png", "a2.dcm", "a3.png"],
     ["x1a", "x2a", "x3a"], ["1/a", "2/a", "3/a"], ["a1", "a3", "a5"], ["b1", "a2", "a3"]],
)  # fmt: skip
def test_other_names_and_gaps_have_none(names: list[str]) -> None:
    assert not found(names)


@pytest.mark.parametrize("other", [case(1, 16, 20), case(1, group="ct")])
def test_a_slice_of_another_size_or_group_is_no_neighbour(other: TestImage) -> None:
    names = ["a1", "a2", "a3"]
    assert found(names) == {"a2"}
    assert not found(names, [other, case(2), case(3)])


@pytest.mark.parametrize(
    "name", ["IM-%04d.dcm", "scan%d", "1.2.840.%d.dcm", "a.%03d.nii.gz", "1.3.%040d"]
)
def test_usual_names_are_understood(name: str) -> None:
    assert found([name % number for number in (99, 100, 101)]) == {name % 100}


def archive(path: Path, sources: list[str] | None = None) -> list[str]:
    """Six subjects with slices 1, 2, 3 and 5 each."""
    subjects = [f"s{index // 4}" for index in range(24)]
    pixels = np.random.default_rng(0).integers(0, 256, (24, 16, 16)).astype(np.uint8)
    more = {} if sources is None else {"source_id": np.array(sources)}
    np.savez(path, images=pixels, subject_id=np.array(subjects), allow_pickle=False, **more)
    return subjects


def test_slices_of_an_archive_are_neighbours_by_their_source(tmp_path: Path) -> None:
    # The text is the same for everyone: it is the subject that tells them apart.
    sources = [f"scan/ax{number:03d}" for _ in range(6) for number in (1, 2, 3, 5)]
    held = held_out(archive(tmp_path / "mr.npz", sources=sources))
    cases = read_cases(tmp_path, ["mr"], needs_neighbours=True)
    assert {one.subject for one in cases} == held
    assert len(cases) == len(held)
    every = {one.key: one.truth for one in read_cases(tmp_path, ["mr"])}
    for one in cases:
        index = int(one.key.removeprefix("mr-"))
        assert index % 4 == 1
        for place, truth in zip((index - 1, index + 1), neighbours_of(one), strict=True):
            assert np.array_equal(truth, every[f"mr-{place:04d}"])
    assert not any(neighbours_of(one) for one in read_cases(tmp_path, ["mr"]))


def test_an_archive_without_sources_or_with_too_few_is_told(tmp_path: Path) -> None:
    archive(tmp_path / "mr.npz")
    with pytest.raises(ReadingRoomError, match="a slice before and one after"):
        read_cases(tmp_path, ["mr"], needs_neighbours=True)
    archive(tmp_path / "mr.npz", sources=["a1", "a2"])
    with pytest.raises(ImageReadError, match="2 source_id for 24 images"):
        read_cases(tmp_path, ["mr"], needs_neighbours=True)
    assert read_cases(tmp_path, ["mr"])


def test_files_of_a_folder_are_neighbours_by_their_numbers(tmp_path: Path) -> None:
    for number in (1, 2, 4):
        (tmp_path / "anna").mkdir(exist_ok=True)
        save_png16(tmp_path / f"anna/slice_{number:03d}.png", gray(number, 32, 32))
    with pytest.raises(ReadingRoomError, match="number the files of a series") as caught:
        read_cases(tmp_path, ["mr"], needs_neighbours=True)
    assert "\n" not in str(caught.value)
    save_png16(tmp_path / "anna/slice_003.png", gray(3, 32, 32))
    cases = read_cases(tmp_path, ["mr"], needs_neighbours=True)
    assert [one.key for one in cases] == ["anna/slice_002.png", "anna/slice_003.png"]
    assert np.array_equal(neighbours_of(cases[0])[1], cases[1].truth)
    assert len(read_cases(tmp_path, ["mr"])) == 4


def test_a_neighbour_is_seen_in_the_window_of_the_slice_between(tmp_path: Path) -> None:
    """Every file of a series may state a window of its own; the anatomy is the same."""
    pixels = (1000 * phantom("cardiac_mr", size=64, seed=3).pixels).astype(np.int64)
    for number, width in ((1, 1000), (2, 800), (3, 1300)):
        window = {"WindowCenter": width / 2, "WindowWidth": width}
        (tmp_path / f"IM-{number:03d}.dcm").write_bytes(dicom(pixels, Modality="MR", **window))
    [middle] = read_cases(tmp_path, ["mr"], needs_neighbours=True)
    for one in neighbours_of(middle):
        np.testing.assert_allclose(one, middle.truth, atol=1e-6)
    plain = read_cases(tmp_path, ["mr"])
    assert not np.allclose(plain[0].truth, plain[1].truth, atol=0.02)


def test_drawn_neighbours_are_the_same_every_time_and_near() -> None:
    [plain] = read_cases("phantoms", ["mr"], limit=1, side=64)
    [first], [again] = (
        read_cases("phantoms", ["mr"], limit=1, side=64, needs_neighbours=True) for _ in range(2)
    )
    assert not neighbours_of(plain)
    assert np.array_equal(first.truth, plain.truth)
    assert len(neighbours_of(first)) == 2
    for one, same in zip(neighbours_of(first), neighbours_of(again), strict=True):
        assert one.tobytes() == same.tobytes()
        assert one.dtype == np.float32
        assert 0 <= one.min() <= one.max() <= 1
        assert not np.array_equal(one, first.truth)
    before, after = neighbours_of(first)
    assert not np.array_equal(before, after)


def test_a_drawn_neighbour_is_displaced_by_one_to_two_pixels() -> None:
    from enhancers.evaluation.neighbour_slices import with_drawn_neighbours

    y, x = np.mgrid[:128, :128] / np.float32(127)
    for ramp in (x, y):
        one = with_drawn_neighbours(replace(case(3), truth=ramp.astype(np.float32)))
        for pixels in one.neighbours:
            inside = np.s_[4:-4, 4:-4]
            moved = np.abs(pixels[inside] - ramp[inside]) * 127
            assert 0.2 * MIN_SHIFT < moved.mean() < MAX_SHIFT


def test_neighbours_are_degraded_alike_with_noise_of_their_own() -> None:
    one = middle()
    same = replace(one, neighbours=(one.truth, one.truth))
    _, given = degraded_case(same, NOISE)
    noises = [pixels - one.truth for pixels in (given.pixels, *neighbours_of(given))]
    assert np.std(noises, axis=(1, 2)) == pytest.approx(0.1, abs=0.02)
    assert np.abs(np.corrcoef([noise.ravel() for noise in noises]) - np.eye(3)).max() < 0.25
    _, again = degraded_case(same, NOISE)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(neighbours_of(given), neighbours_of(again), strict=True)
    )
    _, alone = degraded_case(case(5), NOISE)
    assert np.array_equal(alone.pixels, given.pixels)
    assert (alone.sigma, neighbours_of(alone)) == (given.sigma, ())


def test_neighbours_are_cropped_and_shrunk_with_the_image() -> None:
    one = middle(18)
    smaller = cropped(one, 4)
    assert [pixels.shape for pixels in neighbours_of(smaller)] == [(16, 16)] * 2
    _, given = degraded_case(one, Condition("c", "c", "enlarge", factor=4, noise_known=True))
    first = np.ascontiguousarray(one.neighbours[0][:16, :16])
    assert np.array_equal(neighbours_of(given)[0], degrade(first, "downsample", 4, seed=0))


def test_neighbours_of_ct_are_degraded_in_the_units_of_the_image() -> None:
    window = Window(-450.0, 1050.0)
    one = middle(32)
    source = window.to_source(one.truth).astype(np.float32)
    image = MedicalImage(one.truth, window, source, "HU", Modality.CT, spacing=(1.0, 1.0))
    dose = Condition("d", "d", "denoise", "low_dose", 0.1, 0.1, noise_known=True)

    def noise(image: MedicalImage | None) -> tuple[float, float]:
        posed, given = degraded_case(replace(one, image=image), dose)
        return float(np.std(given.pixels - posed.truth)), float(
            np.std(neighbours_of(given)[1] - neighbours_of(posed)[1])
        )

    for own, other in (noise(image), noise(None)):
        assert other == pytest.approx(own, rel=0.25)
    assert noise(image)[1] < noise(None)[1] / 2


def test_only_where_there_are_neighbours_they_count_in_the_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = protocol("denoise")
    competitor = method_under_test("pinv")

    def digest(one: TestImage, given: Degraded) -> str:
        plan = runs.RunPlan(asked, (one,), (competitor,))
        return runs.row_digest(plan, runs.Job(NOISE, one, competitor, 0), one, given, ("psnr",))

    one, given = degraded_case(middle(), NOISE)
    assert isinstance(given, DegradedSlice)
    alone = degraded_case(case(5), NOISE)
    none = digest(one, replace(given, neighbours=()))
    assert digest(*alone) == none
    assert digest(one, given) != none
    swapped = replace(given, neighbours=given.neighbours[::-1])
    assert len({digest(one, given), digest(one, swapped), none}) == 3


def test_the_protocol_runs_on_phantoms(tmp_path: Path) -> None:
    asked = protocol("slices")
    assert asked.needs_neighbours
    cases = read_cases("phantoms", asked.groups, limit=1, side=64, needs_neighbours=True)
    plan = runs.RunPlan(
        asked, tuple(cases), tuple(chosen(asked, ["null_space:one-call", "slices"]))
    )
    alone, three = runs.run(plan, tmp_path)
    assert not alone.error + three.error
    assert (alone.measured.calls, three.measured.calls) == (1, 3)
    assert (three.measured.scores["psnr"] or 0) > (alone.measured.scores["psnr"] or 0)


def denoised(given: Degraded, seed: int = 0) -> Pixels:
    steps = list(BASELINES["slices"].run(given, "denoise", seed=seed, device="cpu"))
    last = steps[-1].result
    assert last is not None
    assert last.calls == len(steps) - 1 == 1 + len(neighbours_of(given)) * (given.sigma != 0)
    return last.pixels


def test_without_neighbours_it_is_one_call_of_ddnm() -> None:
    _, given = degraded_case(case(5, 32, 32), NOISE)
    own = method_under_test("null_space:one-call").enhance(given, "denoise", seed=0, device="cpu")
    assert np.abs(denoised(given) - own.pixels).max() < 1e-5


def test_neighbours_that_show_the_same_help_and_others_do_not_count() -> None:
    y, x = np.mgrid[:48, :48] / 48
    truth = (0.5 + 0.2 * np.sin(6 * x) * np.cos(5 * y)).astype(np.float32)
    one = Slice(**{**vars(case(5)), "truth": truth}, neighbours=(truth, truth))
    posed, given = degraded_case(one, NOISE)
    assert isinstance(given, DegradedSlice)
    alone = denoised(replace(given, neighbours=()))
    assert _error(denoised(given), posed.truth) < 0.8 * _error(alone, posed.truth)
    _, strange = degraded_case(replace(one, neighbours=(1 - truth + 0.3, truth[::-1] / 4)), NOISE)
    assert isinstance(strange, DegradedSlice)
    away = np.abs(truth - truth[::-1] / 4).min()
    assert away > 0.1
    apart = replace(given, neighbours=(strange.neighbours[1],) * 2)
    assert np.abs(denoised(apart) - alone).max() < 0.01


def _error(pixels: Pixels, truth: Pixels) -> float:
    return float(np.mean((pixels - truth) ** 2))


def test_without_noise_neighbours_change_nothing() -> None:
    _, given = degraded_case(middle(), Condition("c", "c", "denoise", noise_known=True))
    assert given.sigma == 0
    assert isinstance(given, DegradedSlice)
    assert np.array_equal(denoised(given), denoised(replace(given, neighbours=())))


def test_agreement_is_one_where_slices_differ_by_no_more_than_their_own_error() -> None:
    flat = np.full((8, 8), 0.5, np.float32)
    sigma = 0.1
    within = slices.agreement(flat, flat + np.float32(0.9 * slices.OWN_ERROR * sigma), sigma)
    assert (within == 1).all()
    apart = sigma * np.hypot(slices.OWN_ERROR, slices.BANDWIDTH)
    assert slices.agreement(flat, flat + np.float32(apart), sigma) == pytest.approx(
        np.exp(-0.5), rel=1e-3
    )
    assert slices.agreement(flat, flat + 1, sigma).max() < 1e-6
    assert np.allclose(slices.mixed(flat, (flat + 1, flat - 1), sigma), flat, atol=1e-6)


def test_a_neighbour_of_another_size_is_refused() -> None:
    given = DegradedSlice(gray(0, 16, 16), Modality.MR, 0.1, neighbours=(gray(1, 16, 20),))
    with pytest.raises(ParameterError, match="20x16 pixels but the image 16x16"):
        BASELINES["slices"].run(given, "denoise", seed=0, device="cpu")
