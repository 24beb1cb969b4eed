"""GIF: every frame as it is shown, and sentences about what is damaged."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhancers.errors import ImageReadError, ParameterError
from enhancers.load import Caps, load, probe


def animation() -> tuple[bytes, list[np.ndarray]]:
    """Frames of which each changes a small part of the one before."""
    base = np.tile(np.arange(0, 240, 6, np.uint8), (32, 1))
    frames = []
    for index in range(3):
        frames.append(base.copy())
        frames[-1][4 : 8 + index, 4:12] = 255 - 40 * index
    first, *rest = (Image.fromarray(one) for one in frames)
    data = io.BytesIO()
    first.save(data, "GIF", save_all=True, append_images=rest)
    return data.getvalue(), frames


def test_frames_of_an_animation(tmp_path: Path) -> None:
    data, frames = animation()
    path = tmp_path / "IM0001"
    path.write_bytes(data)
    assert (probe(path).format, probe(path).slice_count) == ("GIF", 3)
    for index, frame in enumerate(frames):
        image = load(path, slice_index=index)
        assert (image.slice_count, image.units, image.bits) == (3, "gray level", 8)
        assert np.array_equal(image.source, frame)
    assert load(path).slice_index == 0
    with pytest.raises(ParameterError, match="no slice 3"):
        load(path, slice_index=3)


def test_colours_are_kept(tmp_path: Path) -> None:
    picture = np.zeros((20, 24, 3), np.uint8)
    picture[:, 8:16, 0], picture[:, 16:, 2] = 200, 100
    path = tmp_path / "picture.gif"
    Image.fromarray(picture).quantize(8).save(path)
    assert np.array_equal(load(path).source, picture)


def test_damaged_and_large_files(tmp_path: Path) -> None:
    data, _ = animation()
    path = tmp_path / "IM0001"
    for size in (12, 100):
        path.write_bytes(data[:size])
        with pytest.raises(ImageReadError, match="damaged or truncated"):
            load(path)
    path.write_bytes(data)
    with pytest.raises(ImageReadError, match="40 x 32"):
        load(path, caps=Caps(max_pixels=100))
