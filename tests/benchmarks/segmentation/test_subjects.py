import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.segmentation.folder import read_folder
from benchmarks.segmentation.subjects import HEARTS, Cohort, hearts
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.method import Modality


def _write(folder: Path, name: str, shape: tuple[int, int] = (40, 60), value: int = 200) -> None:
    """An image with a bright rectangle, and its mask: `value`, and half of it beside."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(name.encode())
    image = np.random.default_rng(seed).integers(0, 60, shape).astype(np.uint8)
    mask = np.zeros(shape, np.uint8)
    mask[10:20, 10:30] = value
    mask[25:35, 10:30] = value // 2
    image[mask > 0] += 120
    Image.fromarray(image).save(path.with_name(f"{path.name}.png"))
    Image.fromarray(mask).save(path.with_name(f"{path.name}.mask.png"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(8):
        _write(tmp_path, f"subject{number}/a")
        _write(tmp_path, f"subject{number}/b")
    return tmp_path


def _names(cohort: Cohort) -> dict[str, set[str]]:
    parts = {"train": cohort.train, "validation": cohort.validation, "test": cohort.test}
    return {part: {subject.key for subject in found} for part, found in parts.items()}


@pytest.mark.parametrize("kind", HEARTS)
def test_simulated_hearts_have_every_structure_and_no_anatomy_twice(kind: str) -> None:
    cohort = hearts(kind, size=64, train=3, validation=2, test=2)
    everyone = (*cohort.train, *cohort.validation, *cohort.test)
    assert len({subject.digest for subject in everyone}) == 7
    for subject in everyone:
        assert set(np.unique(subject.labels)) == {0, 1, 2, 3}
    assert cohort.classes == 4
    assert cohort.size == 64


def test_impossible_hearts_are_refused() -> None:
    with pytest.raises(ParameterError, match="knee"):
        hearts("knee", size=64, train=2, validation=1, test=1)
    with pytest.raises(ParameterError, match="1 images to train"):
        hearts("echo", size=64, train=1, validation=1, test=1)
    with pytest.raises(ParameterError, match="at most 9000"):
        hearts("echo", size=64, train=2, validation=1, test=20_000)


def test_a_folder_is_read_padded_and_scaled_with_its_masks(folder: Path) -> None:
    cohort = read_folder(folder, size=32, modality=Modality.MR)
    assert cohort.structures == ("gray value 100", "gray value 200")
    assert cohort.modality is Modality.MR
    for subject in (*cohort.train, *cohort.test):
        assert subject.pixels.shape == (32, 32)
        # The 40 x 60 image lies in the middle of a black square.
        assert subject.pixels[:5].max() == 0.0
        bright = subject.pixels > 0.35
        assert (bright == (subject.labels > 0)).mean() > 0.95


def test_no_subject_is_in_two_parts(folder: Path) -> None:
    parts = _names(read_folder(folder, size=32))
    assert all(parts.values())
    assert sum(len(names) for names in parts.values()) == 16
    people = [{name.split("/")[0] for name in names} for names in parts.values()]
    assert not any(a & b for i, a in enumerate(people) for b in people[i + 1 :])
    assert parts == _names(read_folder(folder, size=32))


def test_folders_of_parts_are_kept_to_and_validation_is_taken_from_training(
    tmp_path: Path,
) -> None:
    for number in range(5):
        _write(tmp_path, f"train/p{number}/x")
    _write(tmp_path, "test/p9/x")
    parts = _names(read_folder(tmp_path, size=32))
    assert parts["test"] == {"test/p9/x"}
    assert len(parts["train"]) == 4
    assert len(parts["validation"]) == 1
    _write(tmp_path, "validation/p7/x")
    parts = _names(read_folder(tmp_path, size=32))
    assert parts["validation"] == {"validation/p7/x"}
    assert len(parts["train"]) == 5


def test_labels_in_a_palette_are_its_numbers(tmp_path: Path) -> None:
    for number in range(5):
        _write(tmp_path, f"p{number}", value=2)
        path = tmp_path / f"p{number}.mask.png"
        mask = Image.fromarray(np.asarray(Image.open(path)), mode="P")
        mask.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
        mask.save(path)
    assert read_folder(tmp_path, size=32).structures == ("gray value 1", "gray value 2")


def _spoiled(folder: Path, what: str) -> None:
    mask = folder / "subject3" / "a.mask.png"
    if what == "truncated":
        mask.write_bytes(mask.read_bytes()[:60])
    elif what == "empty":
        mask.write_bytes(b"")
    elif what == "a script":
        mask.write_bytes(b"#!/bin/sh\nrm -rf /\n")
    elif what == "jpeg":
        Image.new("L", (60, 40)).save(mask, "JPEG")
    elif what == "another size":
        Image.new("L", (30, 40)).save(mask)
    elif what == "huge":
        header = struct.pack(">4sIIBBBBB", b"IHDR", 30_000, 30_000, 8, 0, 0, 0, 0)
        crc = struct.pack(">I", zlib.crc32(header))
        mask.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + crc)
    elif what == "colour":
        Image.new("RGB", (60, 40), (1, 2, 3)).save(mask)
    elif what == "smooth":
        Image.fromarray(np.tile(np.arange(60, dtype=np.uint8), (40, 1))).save(mask)
    elif what == "image missing":
        mask.with_name("a.png").unlink()
    elif what == "two images":
        mask.with_name("a.tif").write_bytes(b"II*\0")
    elif what == "image damaged":
        mask.with_name("a.png").write_bytes(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("truncated", "subject3/a.*not a PNG file that can be read"),
        ("empty", "not a PNG file"),
        ("a script", "not a PNG file"),
        ("jpeg", "not a PNG file"),
        ("another size", "30 x 40 pixels and the image 60 x 40"),
        ("huge", "not a PNG file"),
        ("colour", "colour image"),
        ("smooth", "gray values; at most 32"),
        ("image missing", "subject3/a.mask.png needs one image.*none"),
        ("two images", "found: a.png, a.tif"),
        ("image damaged", "subject3/a: The PNG file is truncated"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(folder: Path, what: str, sentence: str) -> None:
    _spoiled(folder, what)
    with pytest.raises(ReadingRoomError, match=sentence):
        read_folder(folder, size=32)


def test_folders_without_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadingRoomError, match="no folder"):
        read_folder(tmp_path / "nowhere", size=32)
    with pytest.raises(ReadingRoomError, match="No masks below"):
        read_folder(tmp_path, size=32)
    _write(tmp_path, "only")
    with pytest.raises(ReadingRoomError, match="0 images to train on"):
        read_folder(tmp_path, size=32)
    _write(tmp_path, "train/p/x")
    with pytest.raises(ReadingRoomError, match="only lies outside"):
        read_folder(tmp_path, size=32)


def test_masks_without_a_structure_are_refused(tmp_path: Path) -> None:
    for number in range(5):
        _write(tmp_path, f"p{number}", value=0)
    with pytest.raises(ReadingRoomError, match="Every mask is empty"):
        read_folder(tmp_path, size=32)
