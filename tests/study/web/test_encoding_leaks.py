"""Rounding of gray levels does not tell the original image from the results of methods."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from enhancers.phantoms import phantom
from study.stimuli import sources
from study.stimuli.gray_grid import GrayGrid
from study.stimuli.rendering import build
from study.storage.models import Item, Stimulus
from tests.support import image_files, small_studies

CASES, SIDE = 5, 96
METHODS = ("input", "nlm", "tv")
U16 = 65535
Row = tuple[str, str, list[float]]
"""Case, method, features."""


def mr(values: NDArray[np.float64]) -> bytes:
    return image_files.dicom(np.rint(350 * values).astype(np.uint16), Modality="MR")


def floats(values: NDArray[np.float64]) -> bytes:
    return image_files.tiff((350 * values).astype(np.float32))


def eight_bits(values: NDArray[np.float64]) -> bytes:
    return image_files.png(np.rint(255 * values).astype(np.uint8))


def stretched(values: NDArray[np.float64]) -> bytes:
    """8 bits whose contrast was raised after rounding, so that levels are missing."""
    return image_files.png(np.rint(1.4 * np.rint(180 * values)).astype(np.uint8))


def rows(folder: Path, write: Callable[[NDArray[np.float64]], bytes]) -> list[Row]:
    """Build a study and describe how each image is stored."""
    (folder / "in").mkdir()
    for case in range(CASES):
        rng = np.random.default_rng(case)
        clean = phantom("cardiac_mr", size=SIDE, seed=case).pixels * rng.uniform(0.8, 0.95)
        noisy = np.clip(clean + 0.03 * rng.standard_normal(clean.shape), 0, 1)
        (folder / "in" / f"c{case}").write_bytes(write(noisy))
    draft = small_studies.draft(folder)
    found = sources.from_images([folder / "in"], METHODS, modality="MR")
    build(draft.store, draft.key, found)
    key = draft.key
    with draft.store.read() as session:
        stored = session.execute(select(Stimulus, Item.window_json).join(Item)).all()
    draft.store.close()
    return [
        (
            row.item_id,
            key.methods[row.method_id].name,
            features((draft.store.stimuli / row.file).read_bytes(), json.loads(display)),
        )
        for row, display in stored
    ]


def features(data: bytes, display: dict[str, Any]) -> list[float]:
    """What a reader with a mouse, or with the raw buffer, sees of the rounding of an image."""
    low, high = display["window"]
    levels = np.frombuffer(data, "<u2").astype(float)
    values = low + levels / U16 * (high - low)
    # How many pixels are black is content.
    inside = values[values > low + 0.02 * (high - low)]
    read = np.array([float(text) for text in read_outs(inside, display)])
    used, counts = np.unique(levels, return_counts=True)
    gaps = np.diff(used) * (high - low) / U16
    sure = (counts[1:] >= 12) & (counts[:-1] >= 12)
    known = gaps[sure] if sure.any() else gaps
    origin, step = display["grid"] or (0.0, 1.0)
    off = (values - origin) / step
    middle = used[(used >= np.quantile(levels, 0.2)) & (used <= np.quantile(levels, 0.8))]
    span = (middle[-1] - middle[0]) * (high - low) / U16
    return [
        float(np.mean(read == np.rint(read))),
        float(np.diff(np.unique(read)).min()),
        float(np.mean(np.abs(off - np.rint(off)) > 0.05)),
        float(np.round(np.median(known) / step, 1)),
        float(np.round(gaps.min() / step, 1)),
        float(len(middle) * step > 1.5 * (span + step)),
    ]


def read_outs(values: NDArray[np.float64], display: dict[str, Any]) -> list[str]:
    """The texts under the mouse, as `readingText` of the page makes them."""
    low, high = display["window"]
    digits = next((n for n, least in enumerate((1000, 100, 5)) if high - low >= least), 3)
    if display["grid"] is not None:
        origin, step = display["grid"]
        values = origin + np.rint((values - origin) / step) * step
        digits = min(digits, max(decimals(origin), decimals(step)))
    return [f"{value:.{digits}f}" for value in values]


def decimals(number: float) -> int:
    return next((n for n in range(4) if abs(number - round(number, n)) <= 1e-6), 4)


def accuracy(found: list[Row]) -> float:
    """Balanced accuracy of nearest centroids at telling the input, left out case by case."""
    table = np.array([one for *_, one in found])
    table = (table - table.mean(axis=0)) / np.where(table.std(axis=0) > 0, table.std(axis=0), 1)
    cases = np.array([case for case, *_ in found])
    original = np.array([method == "input" for _, method, _ in found])
    right: dict[bool, list[float]] = {True: [], False: []}
    for place, case in enumerate(cases):
        others = cases != case
        far = [
            float(np.linalg.norm(table[place] - table[others & (original == kind)].mean(axis=0)))
            for kind in (False, True)
        ]
        guess = 0.5 if abs(far[0] - far[1]) < 1e-9 else float(far[1] < far[0])
        right[bool(original[place])].append(guess if original[place] else 1 - guess)
    return float(np.mean([np.mean(each) for each in right.values()]))


@pytest.mark.parametrize("write", [mr, floats, eight_bits, stretched], ids=lambda f: f.__name__)
def test_read_outs_and_spacing_do_not_tell_the_original(
    tmp_path: Path, write: Callable[[NDArray[np.float64]], bytes]
) -> None:
    found = rows(tmp_path, write)
    assert len(found) == CASES * len(METHODS)
    assert accuracy(found) <= 0.7, found


def test_an_original_of_whole_numbers_among_computed_values_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before all images of a case had one grid."""
    monkeypatch.setattr(GrayGrid, "rounded", lambda self, pixels, window: pixels)
    assert accuracy(rows(tmp_path, mr)) > 0.95
