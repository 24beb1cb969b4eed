import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from enhancers.curve_angle import LUMP, RIB, TRANSVERSE_PROCESS
from enhancers.errors import ParameterError
from enhancers.load import load
from enhancers.phantoms.spine import (
    DEPTHS,
    LEVELS,
    OPTIMAL_SHARES,
    Curves,
    SpineVolume,
    spine_volume,
)
from enhancers.phantoms.spine.acquisition import acquire, mask_of, speckle
from enhancers.phantoms.spine.anatomy import parts
from enhancers.phantoms.spine.cohort import PARTS, TRUTH, Scan, cohort, write_cohort

SIZE = 96
ANGLES = [(50.0, -50.0), (-50.0, -50.0), (0.0, 0.0), (31.5, 8.25)]


@pytest.fixture(scope="module")
def volumes() -> list[SpineVolume]:
    return [spine_volume(size=SIZE, seed=seed) for seed in range(40)]


@pytest.mark.parametrize(("thoracic", "lumbar"), ANGLES)
def test_the_most_tilted_levels_have_the_angles_that_were_asked_for(
    thoracic: float, lumbar: float
) -> None:
    for seed in range(5):
        found = spine_volume(Curves(thoracic, lumbar), size=64, seed=seed).curves
        assert found.thoracic == pytest.approx(thoracic, abs=1e-6)
        assert found.lumbar == pytest.approx(lumbar, abs=1e-6)


def test_angles_are_drawn_to_either_side(volumes: list[SpineVolume]) -> None:
    for name in ("thoracic", "lumbar"):
        drawn = np.array([getattr(volume.curves, name) for volume in volumes])
        assert np.abs(drawn).max() <= 50
        assert drawn.min() < -35
        assert drawn.max() > 35


def test_pixels_mask_and_body(volumes: list[SpineVolume]) -> None:
    for volume in volumes[:6]:
        assert volume.depths.shape == (DEPTHS, SIZE, SIZE)
        for pixels in (volume.depths, volume.clean):
            assert pixels.dtype == np.float32
            assert pixels.min() >= 0
            assert pixels.max() <= 1
        assert set(np.unique(volume.mask)) == {0, TRANSVERSE_PROCESS, RIB, LUMP}
        assert not volume.depths[:, ~volume.body].any()
        assert not volume.mask[~volume.body].any()


def test_same_arguments_same_bytes_other_scan_same_spine() -> None:
    one, again, other = (spine_volume(size=64, seed=3, scan=scan) for scan in (1, 1, 2))
    assert one.depths.tobytes() == again.depths.tobytes()
    assert one.vertebrae == other.vertebrae
    assert np.abs(one.depths - other.depths).mean() > 0.02


def test_structures_are_dark_in_the_optimal_depth_and_less_in_others(
    volumes: list[SpineVolume],
) -> None:
    contrast = np.array([
        [depth[v.body & (v.mask == 0)].mean() - depth[v.mask == LUMP].mean() for depth in v.depths]
        for v in volumes
    ])  # fmt: skip
    best = contrast[np.arange(len(volumes)), [volume.optimal for volume in volumes]]
    assert best.mean() > 0.15
    assert best.mean() > contrast.mean(0).max() + 0.03


@pytest.mark.exhaustive
def test_depths_are_optimal_as_often_as_in_the_paper() -> None:
    volumes = [spine_volume(size=64, seed=seed, level="easy") for seed in range(150)]
    counts = np.bincount([volume.optimal for volume in volumes], minlength=DEPTHS)
    # The standard error of a share of a quarter is 0.035.
    assert np.abs(counts / counts.sum() - OPTIMAL_SHARES).max() < 0.1


def test_a_poor_subject_has_less_contrast() -> None:
    found = {}
    for level in LEVELS:
        volumes = [spine_volume(size=SIZE, seed=seed, level=level) for seed in range(12)]
        found[level] = np.mean([
            v.depths[v.optimal][v.body & (v.mask == 0)].mean()
            - v.depths[v.optimal][v.mask > 0].mean()
            for v in volumes
        ])  # fmt: skip
    assert found["easy"] > 1.2 * found["moderate"] > 1.4 * found["poor"] > 0


def test_speckle_is_fully_developed() -> None:
    field = speckle(256, 1, np.random.default_rng(0))
    # Rayleigh: mean over standard deviation is sqrt(pi / (4 - pi)) = 1.91.
    assert field.mean() / field.std() == pytest.approx(1.913, rel=0.03)
    assert field.mean() == pytest.approx(1, rel=0.03)
    assert np.mean(field**2) == pytest.approx(4 / np.pi, rel=0.05)


def test_axial_rotation_brings_one_side_deeper() -> None:
    volume = spine_volume(Curves(50, 0), size=64, seed=1)
    apex = max(volume.vertebrae[:11], key=lambda each: abs(each.rotation))
    assert 5 < apex.rotation < 35
    drawn = [part for part in parts(volume.vertebrae, 64, 0, 0) if part.kind == TRANSVERSE_PROCESS]
    left, right = drawn[::2], drawn[1::2]
    place = volume.vertebrae.index(apex)
    assert right[place].depth - left[place].depth > 0.01


def determination(features: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """R² of a ridge regression in ten-fold cross-validation, with the best of three penalties."""
    found = []
    for penalty in (1.0, 10.0, 100.0):
        predicted = np.zeros_like(wanted)
        for fold in range(10):
            test = np.arange(len(wanted)) % 10 == fold
            mean, scale = features[~test].mean(0), features[~test].std(0) + 1e-6
            train, other = ((features[m] - mean) / scale for m in (~test, test))
            kernel = train @ train.T / train.shape[1]
            level = wanted[~test].mean()
            identity = penalty * np.eye(len(kernel)) / 10
            weights = np.linalg.solve(kernel + identity, wanted[~test] - level)
            predicted[test] = level + other @ train.T @ weights / train.shape[1]
        found.append(
            1 - np.square(wanted - predicted).sum() / np.square(wanted - wanted.mean()).sum()
        )
    return max(found)


def coarse(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Means over 4 x 4 pixels, as one row."""
    count, size, _ = images.shape
    blocks = images.reshape(count, size // 4, 4, size // 4, 4)
    return np.asarray(blocks.mean((2, 4)).ravel(), np.float64)


@pytest.mark.exhaustive
def test_the_angle_cannot_be_told_from_artefacts() -> None:
    level, seeds = "poor", range(140)
    volumes = [spine_volume(size=64, seed=seed, level=level) for seed in seeds]
    wanted = np.array([volume.curves.thoracic for volume in volumes])
    # The same scans of no spine: nothing but tissue and artefacts.
    empty = []
    for seed in seeds:
        rng = np.random.default_rng([1, seed, 0])
        rng.normal(size=2)
        _, _, depths = acquire((), 64, LEVELS[level], rng, artefacts=True)
        empty.append(coarse(depths))
    # And what of the scans with a spine no structure ever covers.
    ever = np.any([volume.mask > 0 for volume in volumes], 0)
    beside = [volume.depths[:, ~ever & volumes[0].body].ravel() for volume in volumes]
    assert determination(np.array(empty), wanted) < 0.08
    assert determination(np.array(beside, np.float64), wanted) < 0.15
    masks = np.array([coarse((volume.mask[None] > 0).astype(np.float32)) for volume in volumes])
    assert determination(masks, wanted) > 0.6


def test_an_empty_scan_is_that_of_the_volume_where_nothing_is() -> None:
    volume = spine_volume(size=64, seed=4)
    rng = np.random.default_rng([1, 4, 0])
    rng.normal(size=2)
    view, _, depths = acquire((), 64, LEVELS["moderate"], rng, artefacts=True)
    assert not mask_of(view).any()
    near = binary_dilation(volume.mask > 0, iterations=4)
    # Spinous processes, which are no class, lie in the middle.
    near[:, 20:44] = True
    assert (~near & view.body).sum() > 200
    assert np.array_equal(depths[:, ~near], volume.depths[:, ~near])


def test_cohort_is_divided_as_in_the_table() -> None:
    scans = cohort(1)
    assert len({scan.subject for scan in scans}) == 191
    assert Counter(scan.part for scan in scans) == {
        "clean": 151, "tuning": 90, "validation": 10, "test": 181,
    }  # fmt: skip
    assert len({(scan.subject, scan.part) for scan in scans}) == 191
    assert len({(scan.seed, scan.scan) for scan in scans}) == 432
    assert {scan.artefacts for scan in scans if scan.part == "clean"} == {False}
    assert {scan.level for scan in scans if scan.part == "test"} == set(LEVELS)
    assert sum(part.subjects for part in PARTS.values()) == 191
    assert not {scan.seed for scan in scans} & {scan.seed for scan in cohort(2)}


def test_cohort_is_written_with_its_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = cohort()[:2] + cohort()[-1:]
    monkeypatch.setattr("enhancers.phantoms.spine.cohort.cohort", lambda seed: few)
    *files, table = write_cohort(tmp_path, size=64)
    assert table == tmp_path / TRUTH
    rows = list(csv.DictReader(table.open()))
    assert [tmp_path / row["file"] for row in rows] == files
    for scan, row, path in zip(few, rows, files, strict=True):
        assert isinstance(scan, Scan)
        volume = scan.volume(64)
        for number in range(DEPTHS):
            image = load(path, slice_index=number)
            assert np.abs(image.pixels - volume.depths[number]).max() <= 0.5 / 255 + 1e-6
        assert float(row["uca_t"]) == pytest.approx(volume.curves.thoracic, abs=1e-3)
        assert row["optimal_depth"] == str(volume.optimal + 1)
        mask = load(path.with_suffix(".mask.png")).pixels
        assert np.array_equal(np.round(mask * 255), volume.mask)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"level": "pour"}, "poor"),
        ({"size": 32}, "size=32"),
        ({"seed": -1}, "seed=-1"),
        ({"scan": -2}, "scan=-2"),
        ({"curves": Curves(51, 0)}, "thoracic=51"),
        ({"curves": Curves(0, float("nan"))}, "lumbar=nan"),
    ],
)
def test_wrong_arguments_are_named(given: dict[str, object], named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        spine_volume(**given)
