"""Rounding of gray levels does not tell the original image from the results of methods."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from benchmarks.attack.encoding import FeatureRow, accuracy, features
from enhancers.phantoms import phantom
from study.stimuli import sources
from study.stimuli.gray_grid import GrayGrid
from study.stimuli.rendering import build
from study.storage.models import Item, Stimulus
from tests.support import image_files, small_studies

CASES, SIDE = 5, 96
METHODS = ("input", "nlm", "tv")


def mr(values: NDArray[np.float64]) -> bytes:
    return image_files.dicom(np.rint(350 * values).astype(np.uint16), Modality="MR")


def floats(values: NDArray[np.float64]) -> bytes:
    return image_files.tiff((350 * values).astype(np.float32))


def eight_bits(values: NDArray[np.float64]) -> bytes:
    return image_files.png(np.rint(255 * values).astype(np.uint8))


def stretched(values: NDArray[np.float64]) -> bytes:
    """8 bits whose contrast was raised after rounding, so that levels are missing."""
    return image_files.png(np.rint(1.4 * np.rint(180 * values)).astype(np.uint8))


def rows(folder: Path, write: Callable[[NDArray[np.float64]], bytes]) -> list[FeatureRow]:
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


@pytest.mark.parametrize("write", [mr, floats, eight_bits, stretched], ids=lambda f: f.__name__)
def test_read_outs_and_spacing_do_not_tell_the_original(
    tmp_path: Path, write: Callable[[NDArray[np.float64]], bytes]
) -> None:
    found = rows(tmp_path, write)
    assert len(found) == CASES * len(METHODS)
    assert accuracy(found, METHODS[0]) <= 0.7, found


def test_an_original_of_whole_numbers_among_computed_values_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before all images of a case had one grid."""
    monkeypatch.setattr(GrayGrid, "rounded", lambda self, pixels, window: pixels)
    assert accuracy(rows(tmp_path, mr), METHODS[0]) > 0.95
