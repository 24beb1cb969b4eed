import warnings

import numpy as np
import pytest

from enhancers.curve_angle import LUMP, TRANSVERSE_PROCESS, LevelLine, most_tilted, spine_angles
from enhancers.phantoms.spine import Curves, spine_volume
from enhancers.phantoms.spine.acquisition import mask_of, scene
from enhancers.phantoms.spine.anatomy import parts, spine

MASKS = 30
MEAN_ERROR, MOST_ERROR = {256: 0.4, 128: 1.0}, {256: 2.5, 128: 5.0}
"""In degrees, by the side of the mask in pixels."""


def drawn(seed: int, size: int) -> tuple[Curves, np.ndarray]:
    rng = np.random.default_rng([7, seed])
    curves = Curves(*(float(angle) for angle in rng.uniform(-45, 45, 2)))
    view = scene(tuple(parts(spine(curves, rng), size, 0.0, 0.0)), size, rng)
    return curves, mask_of(view)


@pytest.mark.parametrize("size", [256, 128])
def test_angles_of_the_mask_are_those_that_were_set(size: int) -> None:
    errors = []
    for seed in range(MASKS):
        curves, mask = drawn(seed, size)
        found = spine_angles(mask)
        assert found.thoracic is not None
        assert found.lumbar is not None
        errors.append([found.thoracic.degrees - curves.thoracic,
                       found.lumbar.degrees - curves.lumbar])  # fmt: skip
    assert np.abs(errors).mean(0).max() < MEAN_ERROR[size]
    assert np.abs(errors).max() < MOST_ERROR[size]


def test_sign_lines_and_levels() -> None:
    volume = spine_volume(Curves(40, -30), seed=2)
    found = spine_angles(volume.mask)
    assert found.thoracic is not None
    assert found.lumbar is not None
    assert found.thoracic.degrees == pytest.approx(40, abs=1.5)
    assert found.lumbar.degrees == pytest.approx(-30, abs=1.5)
    assert len(found.thoracic_lines) in (10, 11)
    assert len(found.lumbar_lines) == 5
    for angle in (found.thoracic, found.lumbar):
        assert angle.upper.height < angle.lower.height
        assert angle.degrees == angle.upper.tilt - angle.lower.tilt
    # Convex to the right: the upper end vertebra has its right end raised.
    assert found.thoracic.upper.tilt > 0 > found.thoracic.lower.tilt


def test_structures_that_are_missing_or_merged_cost_little() -> None:
    errors = []
    for seed in range(15):
        curves, mask = drawn(seed, 256)
        rng = np.random.default_rng(seed)
        for _ in range(3):
            row, column = rng.integers(20, 150), rng.integers(100, 160)
            mask[row : row + 9, column : column + 9][mask[row : row + 9, column : column + 9]
                                                    == TRANSVERSE_PROCESS] = 0  # fmt: skip
        specks = rng.integers(0, 256, (2, 12))
        mask[specks[0], specks[1]] = LUMP
        found = spine_angles(mask)
        assert found.thoracic is not None
        assert found.lumbar is not None
        errors.append([found.thoracic.degrees - curves.thoracic,
                       found.lumbar.degrees - curves.lumbar])  # fmt: skip
    assert np.abs(errors).mean(0).max() < 2.0


@pytest.mark.parametrize("value", [0, TRANSVERSE_PROCESS, LUMP])
def test_without_two_levels_there_is_no_angle(value: int) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[30:34, 20:40] = value
    found = spine_angles(mask)
    assert found.thoracic is None
    assert found.lumbar is None


def test_most_tilted_levels() -> None:
    lines = [LevelLine((0, 10 * k), (10, 10 * k - rise)) for k, rise in enumerate((1, 4, 0, -3, 0))]
    found = most_tilted(lines)
    assert found is not None
    assert found.upper is lines[1]
    assert found.lower is lines[3]
    wanted = np.degrees(np.arctan(0.4) + np.arctan(0.3))
    assert found.degrees == pytest.approx(wanted)
    assert most_tilted(lines[:1]) is None


def test_levels_at_one_height_are_no_fault() -> None:
    mask = np.zeros((64, 128), np.uint8)
    for left in (5, 35, 65, 95):
        mask[30:36, left : left + 24] = LUMP
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = spine_angles(mask)
    assert found.lumbar is not None
    assert found.lumbar.degrees == pytest.approx(0, abs=0.5)
