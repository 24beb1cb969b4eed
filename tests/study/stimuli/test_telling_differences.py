"""Traces by which one image of a case could be recognised: refused, or accepted by name."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from enhancers.image import Window
from study.domain.errors import BuildError
from study.stimuli import checks, sources
from study.stimuli.gray_grid import common_grid
from study.stimuli.image_similarity import ComparedImage, measure
from study.stimuli.marks import find_mark
from study.stimuli.rendering import Options, build
from study.stimuli.storage_traces import jpeg_trace
from tests.support import image_files, small_studies

Levels = NDArray[np.uint8]
EIGHT_BIT = Window(0.0, 255.0)


def scan(seed: int = 0, noise: float = 6.0, side: int = 256) -> Levels:
    """Structure of several sizes with noise, 8 bits."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(7)
    field = np.sum([gaussian_filter(rng.standard_normal((side, side)), s) * s for s in (4, 12)], 0)
    field = 20 + 200 * (field - field.min()) / np.ptp(field)
    noisy = field + noise * np.random.default_rng(seed).standard_normal(field.shape)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def posterised(levels: int) -> Callable[[Levels], Levels]:
    def change(image: Levels) -> Levels:
        steps = np.rint(image / 255 * (levels - 1)) * 255 / (levels - 1)
        return np.asarray(np.rint(steps), np.uint8)

    return change


def as_jpeg(quality: int, offset: int = 0) -> Callable[[Levels], Levels]:
    def change(image: Levels) -> Levels:
        padded = np.pad(image, ((offset, 0), (offset, 0)), mode="edge")
        file = io.BytesIO()
        Image.fromarray(padded).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))[offset:, offset:]

    return change


def marked(row: int, column: int, amount: int = 30, size: int = 10) -> Callable[[Levels], Levels]:
    def change(image: Levels) -> Levels:
        result = image.astype(int)
        result[row : row + size, column : column + size] += amount
        return np.asarray(np.clip(result, 0, 255), np.uint8)

    return change


def moved(pixels: float) -> Callable[[Levels], Levels]:
    def change(image: Levels) -> Levels:
        from scipy.ndimage import shift

        values = shift(image.astype(float), (0, pixels), order=1, mode="nearest")
        return np.asarray(np.rint(values), np.uint8)

    return change


HARMS: dict[str, tuple[Callable[[Levels], Levels], str]] = {
    "16 levels": (posterised(16), "x has 1. gray levels, about every 17th of those of original"),
    "128 levels": (posterised(128), "x has .* gray levels, about every second"),
    "JPEG": (as_jpeg(85), "x has the blocks of a JPEG file and original has none"),
    "cropped JPEG": (as_jpeg(75, 3), "x has the blocks of a JPEG file"),
    "faint mark in the middle": (marked(123, 120), "differ at the centre as if text"),
    "faint mark": (marked(40, 200), "differ at the upper right as if text"),
    "faint mark at the edge": (marked(200, 18), "differ at the .*left.* as if text"),
    "shift": (moved(0.8), r"x is shifted by 0\.\d px against original"),
    "mirror": (lambda image: image[:, ::-1], "x is mirrored or turned over against original"),
}  # fmt: skip


def found(image: Levels, base: Levels) -> tuple[str, ...]:
    files = [values.astype(np.float32) for values in (base, image)]
    grid = common_grid(files, EIGHT_BIT, 0)
    one, other = (
        ComparedImage(name, grid.rounded(EIGHT_BIT.to_unit(values), EIGHT_BIT))
        for name, values in zip(("original", "x"), files, strict=True)
    )
    similar = [measure("c1", other, one)]
    return checks.telling_differences("c1", [one, other], one, EIGHT_BIT, grid, similar)


@pytest.mark.parametrize("harm", HARMS)
def test_what_would_tell_an_image_is_found(harm: str) -> None:
    change, says = HARMS[harm]
    told = found(change(scan(1, 3.0)), scan(0, 3.0))
    assert len(told) == 1, told
    assert re.search(says, told[0]), told
    assert told[0].startswith("Case c1: ")
    assert told[0].endswith("export it again, or accept this case if it is meant.")


@pytest.mark.parametrize("noise", [1.0, 20.0])
def test_a_filter_is_not_found(noise: float) -> None:
    from scipy.ndimage import gaussian_filter, median_filter

    base = scan(0, noise)
    bright = 255 * (base / 255) ** 0.8
    for other in (
        gaussian_filter(base.astype(float), 1.0), median_filter(base, 3), scan(1, noise), bright,
        1.2 * gaussian_filter(base.astype(float), 0.7), base * np.linspace(0.7, 1, 256),
    ):  # fmt: skip
        assert found(np.asarray(np.clip(np.rint(other), 0, 255), np.uint8), base) == ()


@pytest.mark.parametrize("quality", [50, 75])
def test_a_jpeg_file_has_a_trace_and_others_have_none(quality: int) -> None:
    base = scan(0, 3.0)
    assert jpeg_trace(base) < 0.05
    assert jpeg_trace(as_jpeg(quality)(base)) > 0.15
    colour = np.dstack([base, base[::-1], base])
    assert jpeg_trace(colour) < 0.05


def test_a_mark_is_found_whichever_image_has_it() -> None:
    base, other = scan(0, 3.0) / 255, marked(123, 120)(scan(1, 3.0)) / 255
    images = [ComparedImage(n, v.astype(np.float32)) for n, v in (("a", base), ("b", other))]
    assert find_mark(images[0], images[1]) == find_mark(images[1], images[0]) == "centre"


@pytest.mark.parametrize("harm", ["16 levels", "faint mark in the middle", "mirror"])
def test_a_build_refuses_it_until_the_case_is_accepted(tmp_path: Path, harm: str) -> None:
    draft = small_studies.draft(tmp_path)
    for place, method in enumerate(("original", "x")):
        (tmp_path / "in" / method).mkdir(parents=True)
        for case in range(2):
            image = scan(10 * case + place, 3.0)
            if (method, case) == ("x", 1):
                image = HARMS[harm][0](image)
            (tmp_path / "in" / method / f"c{case}.png").write_bytes(image_files.png(image))
    given = sources.with_roles(sources.from_folders(tmp_path / "in"), reference="original")
    with pytest.raises(BuildError, match=r'--accept-case "c1"$'):
        build(draft.store, draft.key, given)
    report = build(draft.store, draft.key, given, options=Options(accept_cases=frozenset({"c1"})))
    assert len(report.accepted) == 1
    assert report.accepted[0] in report.as_text()
