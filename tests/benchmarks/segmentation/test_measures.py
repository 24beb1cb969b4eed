import math
from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.segmentation.measures import agreement, surface

Mask = NDArray[np.bool_]


def _square(top: int, left: int, side: int, size: int = 24) -> Mask:
    mask = np.zeros((size, size), np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


def _by_hand(predicted: Mask, truth: Mask) -> tuple[float, float, float, float]:
    """The four equations, pixel by pixel."""

    def border(mask: Mask) -> list[tuple[int, int]]:
        padded = np.pad(mask, 1)
        near = ((0, 1), (0, -1), (1, 0), (-1, 0))
        return [
            (y, x)
            for y, x in np.argwhere(mask)
            if not all(padded[y + 1 + dy, x + 1 + dx] for dy, dx in near)
        ]

    p, g = border(predicted), border(truth)
    to_g = [min(math.dist(a, b) for b in g) for a in p]
    to_p = [min(math.dist(a, b) for a in p) for b in g]
    both = np.array(to_g + to_p)
    common, total = (predicted & truth).sum(), predicted.sum() + truth.sum()
    return (
        2 * common / total,
        common / (predicted | truth).sum(),
        float(np.percentile(both, 95)),
        (sum(to_g) + sum(to_p)) / (len(p) + len(g)),
    )


@pytest.mark.parametrize("seed", range(6))
def test_blobs_are_measured_as_the_equations_say(seed: int) -> None:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    first, second = (
        gaussian_filter(rng.standard_normal((20, 28)), 2.0) > 0.02 for _ in range(2)
    )  # fmt: skip
    found = agreement(first, second)
    assert found is not None
    expected = _by_hand(first, second)
    assert (found.dice, found.iou, found.hd95, found.asd) == pytest.approx(expected, abs=1e-9)
    assert found.dice == pytest.approx(2 * found.iou / (1 + found.iou))


def test_equal_masks_agree_and_a_shift_is_told_in_pixels() -> None:
    same = agreement(_square(4, 4, 8), _square(4, 4, 8))
    assert same is not None
    assert (same.dice, same.iou, same.hd95, same.asd) == (1.0, 1.0, 0.0, 0.0)
    shifted = agreement(_square(4, 4, 1), _square(4, 9, 1))
    assert shifted is not None
    assert (shifted.dice, shifted.hd95, shifted.asd) == (0.0, 5.0, 5.0)


def test_it_does_not_matter_which_mask_is_the_truth() -> None:
    one, other = _square(2, 3, 9), _square(5, 4, 12)
    first, second = agreement(one, other), agreement(other, one)
    assert first is not None
    assert second is not None
    assert astuple(first) == pytest.approx(astuple(second))


def test_missing_a_structure_is_the_worst_and_nothing_to_find_is_no_score() -> None:
    empty = np.zeros((30, 40), np.bool_)
    there = empty.copy()
    there[3:9, 4:20] = True
    for pair in ((empty, there), (there, empty)):
        missed = agreement(*pair)
        assert missed is not None
        assert (missed.dice, missed.iou, missed.hd95, missed.asd) == (0.0, 0.0, 50.0, 50.0)
    assert agreement(empty, empty) is None


def test_the_surface_includes_pixels_at_the_border_of_the_image() -> None:
    full = np.ones((5, 6), np.bool_)
    assert surface(full).sum() == 5 * 6 - 3 * 4


def test_masks_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        agreement(np.ones((4, 4), np.bool_), np.ones((4, 5), np.bool_))
