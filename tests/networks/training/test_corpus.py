from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from enhancers.errors import ReadingRoomError
from enhancers.image_folders import held_out
from enhancers.networks.training.corpus import Crops, read_corpus
from enhancers.save import save_png16


def write_archive(folder: Path, name: str, subjects: list[str], colour: bool = False) -> None:
    shape = (len(subjects), 64, 64, 3) if colour else (len(subjects), 64, 64)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.savez(folder / f"{name}.npz", images=images, subject_id=np.array(subjects))


def test_no_subject_is_on_both_sides(tmp_path: Path) -> None:
    subjects = [f"s{index // 3}" for index in range(120)]
    write_archive(tmp_path, "mr", subjects)
    corpus = read_corpus(tmp_path, phantoms=0)
    held = held_out(subjects)
    assert len(corpus.validation["mr"]) == sum(subject in held for subject in subjects) >= 12
    assert len(corpus.train["mr"]) + len(corpus.validation["mr"]) == 120
    assert corpus.subjects["mr"] == (40 - len(held), len(held))


def test_the_split_does_not_depend_on_the_order() -> None:
    subjects = [f"s{index}" for index in range(50)]
    assert held_out(subjects) == held_out(subjects[::-1])


def test_validation_is_not_one_large_subject() -> None:
    subjects = ["large"] * 100 + [f"s{index}" for index in range(30)]
    assert "large" not in held_out(subjects)


def test_one_subject_is_trained_on() -> None:
    assert held_out(["only"] * 20) == set()


def test_colour_becomes_luminance(tmp_path: Path) -> None:
    write_archive(tmp_path, "color", [str(index) for index in range(20)], colour=True)
    assert read_corpus(tmp_path, phantoms=0).train["color"].ndim == 3


def test_image_files_are_read_and_others_passed_over(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((80, 70)).astype(np.float32)
    for subject in ("a", "b"):
        (tmp_path / subject).mkdir()
        save_png16(tmp_path / subject / "slice.png", pixels)
    (tmp_path / "notes.txt").write_text("not an image")
    corpus = read_corpus(tmp_path, phantoms=0)
    assert len(corpus.train["images"]) + len(corpus.validation["images"]) == 2


def test_without_a_folder_there_are_the_phantoms() -> None:
    corpus = read_corpus(None, phantoms=2)
    assert corpus.groups == ("phantom",)
    assert len(corpus.train["phantom"]) + len(corpus.validation["phantom"]) == 12


def test_an_absent_or_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReadingRoomError, match="not a folder"):
        read_corpus(tmp_path / "absent")
    with pytest.raises(ReadingRoomError, match="No readable image"):
        read_corpus(tmp_path)


def test_crops_are_in_range_varied_and_repeatable() -> None:
    corpus = read_corpus(None, phantoms=2)
    first, again = (Crops(corpus, seed=5).batch(6, 32) for _ in range(2))
    assert first.shape == (6, 1, 32, 32)
    assert first.min() >= -1
    assert first.max() <= 1
    assert np.array_equal(first, again)
    assert not np.array_equal(first, Crops(corpus, seed=6).batch(6, 32))
