"""Pictures as pages of one TIFF file: exact values, spacing, order, and the command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhancers.cli import main
from enhancers.errors import ParameterError
from enhancers.image import from_array
from enhancers.load import load
from enhancers.save.stack import in_order, to_tiff_pages

RANDOM = np.random.default_rng(0)


def test_values_are_kept_in_the_fewest_bits(tmp_path: Path) -> None:
    for values, kind in (
        (RANDOM.integers(0, 256, (3, 19, 17)), np.uint8),
        (RANDOM.integers(0, 60000, (3, 19, 17)), np.uint16),
        (RANDOM.normal(size=(3, 19, 17)), np.float32),
    ):
        images = [replace(from_array(np.zeros((19, 17), np.float32)), spacing=(0.5, 0.25),
                          source=one.astype(np.float32)) for one in values]  # fmt: skip
        data = to_tiff_pages(images)
        for index, one in enumerate(values):
            found = load(data, slice_index=index)
            np.testing.assert_array_equal(found.source, one.astype(np.float32))
            assert found.spacing == pytest.approx((0.5, 0.25))
        assert found.bits == np.dtype(kind).itemsize * 8


def test_what_is_no_stack_is_refused() -> None:
    gray = from_array(np.eye(9, dtype=np.float32))
    for images, said in (
        ([gray], "two pictures"),
        ([gray, from_array(np.eye(8, dtype=np.float32))], "9 × 9"),
        ([gray, from_array(np.ones((9, 9, 3), np.float32))], "colour"),
        ([gray, replace(gray, slice_count=2)], "several slices"),
    ):
        with pytest.raises(ParameterError, match=said):
            to_tiff_pages(images)


def test_ten_comes_after_nine() -> None:
    names = ["a10.png", "a9.png", "A1.png", "9", "b.png"]
    assert [path.name for path in in_order([Path(name) for name in names])] == [
        "9", "A1.png", "a9.png", "a10.png", "b.png",
    ]  # fmt: skip


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(tmp_path / f"{place}.png") for place in range(3)]
    for place, name in enumerate(names):
        Image.fromarray(np.eye(20, dtype=np.uint8) * (place + 1)).save(name)
    monkeypatch.setattr(
        "sys.argv", ["enhancers", "stack", *names, "--out", str(tmp_path / "s.tif")]
    )
    assert main() == 0
    assert [one.max() for one in load(tmp_path / "s.tif").depths] == [1, 2, 3]
    monkeypatch.setattr("sys.argv", ["enhancers", "stack", names[0], "--out", str(tmp_path / "s")])
    assert main() == 2
    assert "ending .tif" in capsys.readouterr().err
