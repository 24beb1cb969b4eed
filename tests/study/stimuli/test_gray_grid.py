"""The common gray levels of a case: which grid is found, and what rounding to it hides."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from enhancers.image import Window
from study.stimuli.gray_grid import GrayGrid, common_grid, grid_of, level_use

Values = NDArray[np.float32]


def scan(top: float = 400.0, side: int = 128, seed: int = 0) -> NDArray[np.float64]:
    """Smooth structure with noise, from 0 to ``top``."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.standard_normal((side, side)), 6.0)
    field = (field - field.min()) / np.ptp(field) + 0.05 * rng.standard_normal((side, side))
    return np.asarray(np.clip(field, 0.0, 1.0) * top)


def stored(values: NDArray[np.float64], step: float = 1.0, origin: float = 0.0) -> Values:
    """As a file of whole numbers with a slope and an intercept has them."""
    return (np.rint((values - origin) / step) * step + origin).astype(np.float32)


@pytest.mark.parametrize(
    ("step", "origin"),
    [(1.0, 0.0), (2.0, -1024.0), (0.0312, 0.0), (1.7, 3.3), (0.4884, -200.0)],
)
def test_the_step_of_a_file_is_found(step: float, origin: float) -> None:
    found = grid_of(stored(scan(), step, origin))
    assert found is not None
    assert found.step == pytest.approx(step, rel=1e-5)
    assert (found.origin - origin) / step == pytest.approx(round((found.origin - origin) / step))


def test_computed_values_have_no_grid() -> None:
    found = grid_of(scan().astype(np.float32))
    assert found is None or found.step < 400 / 65535
    assert grid_of((scan(1.0) ** 0.6).astype(np.float32)[:9]) is None
    assert grid_of(np.full((4, 4), 3.0)) is None


def spacing(values: Values) -> float:
    return float(np.diff(np.unique(values.astype(np.float64))).min())


@pytest.mark.parametrize("lead", [0, None], ids=["original", "ready-made"])
@pytest.mark.parametrize("step", [1.0, 0.5, 2.0])
def test_results_get_the_levels_of_the_original(step: float, lead: int | None) -> None:
    window = Window(0.0, 390.25)
    original, result = stored(scan(), step), scan(seed=1).astype(np.float32)
    grid = common_grid([original, result], window, lead)
    for values in (original, result):
        pixels = grid.rounded(window.to_unit(values), window)
        back = window.to_source(pixels)
        assert np.abs(back / step - np.rint(back / step)).max() < 0.01
        inside = values < 390.25 - step
        assert np.abs(back - values)[inside].max() <= step / 2 + 0.005
    same = window.to_source(grid.rounded(window.to_unit(original), window))[original < 389]
    np.testing.assert_allclose(same, original[original < 389], atol=0.004)


def test_a_window_between_two_levels_of_8_bits_moves_nothing() -> None:
    """DICOM windows begin half a level below the first one."""
    window = Window(-0.5, 255.5)
    values = stored(scan(255.0))
    grid = common_grid([values], window, 0)
    np.testing.assert_allclose(
        window.to_source(grid.rounded(window.to_unit(values), window)), values, atol=0.003
    )


def test_files_without_a_grid_get_a_round_step() -> None:
    for top, step in ((400.0, 0.1), (1.0, 0.0002), (30000.0, 10.0)):
        values = [(scan(top, seed=n) + 1e-4 * top * np.pi).astype(np.float32) for n in range(2)]
        grid = common_grid(values, Window(0.0, top))
        assert grid.step == pytest.approx(step)
        assert (grid.origin, len(grid.unused)) == (0.0, 0)


def test_a_full_16_bit_original_keeps_its_levels() -> None:
    window = Window(0.0, 65535.0)
    grid = common_grid([stored(scan(60000.0)), scan(60000.0, seed=1)], window, 0)
    assert grid.step == 1.0


@pytest.mark.parametrize("gain", [1.4, 0.7, 2.0])
def test_levels_left_out_by_a_stretch_are_left_out_of_all(gain: float) -> None:
    window = Window(0.0, 255.0)
    original = np.rint(stored(scan(255.0 / max(gain, 1))) * gain).astype(np.float32)
    result = np.clip(scan(250.0, seed=1), 0, 255).astype(np.float32)
    grid = common_grid([original, result], window, 0)
    found = [
        GrayGrid(0.0, 1.0).indices(window.to_source(grid.rounded(window.to_unit(v), window)))
        for v in (original, result)
    ]
    middle = range(40, 160)
    holes = [set(middle) - set(np.unique(each).tolist()) for each in found]
    assert holes[0] == holes[1]
    assert bool(holes[0]) == (gain > 1)


@pytest.mark.parametrize("levels", [16, 64])
def test_a_coarse_original_does_not_make_the_others_coarse(levels: int) -> None:
    window = Window(0.0, 255.0)
    coarse = np.rint(np.rint(scan(levels - 1.0)) * 255 / (levels - 1)).astype(np.float32)
    grid = common_grid([coarse, stored(scan(255.0))], window, 0)
    assert (grid.step, len(grid.unused)) == (1.0, 0)
    assert level_use(grid, coarse).gap == pytest.approx(255 / (levels - 1), abs=1)
    assert level_use(grid, stored(scan(255.0))).gap == 1


def test_a_coarser_file_is_no_measure_for_a_finer_one() -> None:
    window = Window(0.0, 255.0)
    files = [stored(scan(255.0)), stored(scan(255.0), 2.0)]
    for lead in (0, None):
        grid = common_grid(files, window, lead)
        assert (grid.step, len(grid.unused)) == (1.0, 0)
    assert common_grid(files, window, 1).step == 2.0


def test_few_shades_are_no_scale() -> None:
    """A phantom without noise: the others are not reduced to its shades."""
    shades = np.array([0, 30, 31, 90, 140, 220], np.float32)
    phantom = shades[np.random.default_rng(0).integers(0, 6, (64, 64))]
    grid = common_grid([phantom, stored(scan(255.0))], Window(0.0, 255.0), 0)
    assert (grid.step, len(grid.unused)) == (1.0, 0)


def test_values_that_are_cut_off_do_not_count() -> None:
    values = stored(scan())
    values[0, 0], values[0, 1] = 3e9, -0.123
    grid = common_grid([values], Window(0.0, 390.0), 0)
    assert grid.step == 1.0
