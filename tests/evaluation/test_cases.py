"""Test images from archives, from anyone's folder, and drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from enhancers.errors import ImageReadError, ParameterError, ReadingRoomError
from enhancers.evaluation.cases import read_cases
from enhancers.evaluation.conditions import cropped
from enhancers.image_folders import MASK_ENDING, held_out
from enhancers.method import Modality
from enhancers.phantoms import phantom
from enhancers.save import save_png16
from tests.support.image_files import dicom, ramp


def archive(path: Path, *, images: int = 30, subjects: int = 10, masks: bool = False) -> list[str]:
    rng = np.random.default_rng(0)
    names = [f"s{index % subjects}" for index in range(images)]
    pixels = rng.integers(0, 256, (images, 32, 32)).astype(np.uint8)
    marked = {"masks": pixels > 128} if masks else {}
    np.savez(path, images=pixels, subject_id=np.array(names), **marked)
    return names


def picture(path: Path, *, size: int = 64, kind: str = "echo", seed: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_png16(path, phantom(kind, size=size, seed=seed).pixels)


def test_only_held_out_subjects_of_an_archive_are_taken(tmp_path: Path) -> None:
    names = archive(tmp_path / "mr.npz")
    held = held_out(names)
    cases = read_cases(tmp_path, ["mr"])
    assert {case.subject for case in cases} == held
    assert len(cases) == sum(name in held for name in names)
    with np.load(tmp_path / "mr.npz") as stored:
        first = stored["images"][int(cases[0].key.removeprefix("mr-"))]
    assert np.array_equal(cases[0].truth, first.astype(np.float32) / 255)


def test_a_limit_spreads_evenly_and_keeps_every_seed(tmp_path: Path) -> None:
    archive(tmp_path / "mr.npz", images=60)
    every = {case.key: case.seed for case in read_cases(tmp_path, ["mr"])}
    few = read_cases(tmp_path, ["mr"], limit=3)
    assert len(few) == 3
    assert few[0].key == next(iter(every))
    assert few[-1].key == list(every)[-1]
    assert all(every[case.key] == case.seed for case in few)
    assert len(set(every.values())) == len(every)


def test_masks_of_an_archive_come_along(tmp_path: Path) -> None:
    archive(tmp_path / "us.npz", masks=True)
    assert all(case.mask is not None for case in read_cases(tmp_path, ["us"], needs_mask=True))


def test_a_folder_of_images_with_masks(tmp_path: Path) -> None:
    for name in ("anna/one.png", "anna/two.png", "bert/three.png"):
        picture(tmp_path / name)
    mask = np.zeros((64, 64), np.float32)
    mask[20:40, 20:40] = 1
    save_png16(tmp_path / f"anna/one{MASK_ENDING}", mask)
    (tmp_path / "notes.txt").write_text("not an image")
    told: list[str] = []
    cases = read_cases(tmp_path, ["us"], tell=told.append)
    assert [case.key for case in cases] == ["anna/one.png", "anna/two.png", "bert/three.png"]
    assert [case.subject for case in cases] == ["anna", "anna", "bert"]
    assert {case.modality for case in cases} == {Modality.US}
    assert cases[0].mask is not None
    assert np.array_equal(cases[0].mask, mask > 0)
    assert cases[1].mask is None
    assert len(told) == 1
    assert "notes.txt" in told[0]
    [marked] = read_cases(tmp_path, ["us"], needs_mask=True)
    assert marked.key == "anna/one.png"


def test_files_side_by_side_are_subjects_of_their_own(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        picture(tmp_path / name)
    assert len({case.subject for case in read_cases(tmp_path, ["us"])}) == 2


def test_the_modality_that_is_given_counts(tmp_path: Path) -> None:
    picture(tmp_path / "one.png", kind="ct")
    [case] = read_cases(tmp_path, ["us"], modality=Modality.MR)
    assert case.modality is Modality.MR
    assert case.group == "mr"


def test_colour_counts_as_its_luminance(tmp_path: Path) -> None:
    picture(tmp_path / "one.png", kind="fundus")
    [case] = read_cases(tmp_path, ["fundus"])
    assert case.truth.shape == (64, 64)
    assert case.medical.pixels.shape == (64, 64)


@pytest.mark.parametrize(
    ("mask", "words"),
    [(np.zeros((64, 64), np.float32), "every pixel is 0"),
     (np.linspace(0.5, 1, 64 * 64, dtype=np.float32).reshape(64, 64), "marks everything"),
     (np.eye(32, 64, dtype=np.float32), "64x32 but its image is 64x64")],
)  # fmt: skip
def test_a_mask_that_does_not_fit_is_told(tmp_path: Path, mask: np.ndarray, words: str) -> None:
    picture(tmp_path / "one.png")
    save_png16(tmp_path / f"one{MASK_ENDING}", mask)
    with pytest.raises(ImageReadError, match=words):
        read_cases(tmp_path, ["us"])


def test_a_mask_that_is_no_image_is_told(tmp_path: Path) -> None:
    picture(tmp_path / "one.png")
    (tmp_path / f"one{MASK_ENDING}").write_bytes(b"no")
    with pytest.raises(ImageReadError, match="cannot be read as a mask"):
        read_cases(tmp_path, ["us"])


def test_damaged_files_are_left_out_and_told(tmp_path: Path) -> None:
    picture(tmp_path / "good.png")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "short.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    told: list[str] = []
    assert len(read_cases(tmp_path, ["us"], tell=told.append)) == 1
    assert len(told) == 2


def test_phantoms_are_held_out_ones_with_masks_where_they_have_labels() -> None:
    cases = read_cases("phantoms", ["us", "mr", "ct"], limit=2, side=64)
    assert [case.group for case in cases] == ["us", "us", "mr", "mr", "ct", "ct"]
    assert all(int(case.key.split("-")[1]) >= 10_000 for case in cases)
    assert all((case.mask is not None) == (case.group != "ct") for case in cases)
    assert cases[0].truth.shape == (64, 64)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"text"])
def test_a_broken_archive_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ct.npz").write_bytes(content)
    with pytest.raises(ImageReadError, match=r"ct\.npz cannot be read"):
        read_cases(tmp_path, ["ct"])


def test_an_archive_of_the_wrong_kind_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "ct.npz", images=np.zeros((3, 8, 8)), subject_id=np.array(["a"] * 3))
    with pytest.raises(ImageReadError, match="float64"):
        read_cases(tmp_path, ["ct"])
    hostile = np.array([{"a": 1}] * 3, dtype=object)
    np.savez(tmp_path / "ct.npz", images=hostile, subject_id=hostile)
    with pytest.raises(ImageReadError, match="cannot be read"):
        read_cases(tmp_path, ["ct"])


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReadingRoomError, match="no readable ct image"):
        read_cases(tmp_path, ["ct"])
    with pytest.raises(ReadingRoomError, match="is not a folder"):
        read_cases(tmp_path / "absent", ["ct"])
    archive(tmp_path / "mr.npz")
    with pytest.raises(ReadingRoomError, match=r"has no ct\.npz"):
        read_cases(tmp_path, ["ct"])
    with pytest.raises(ReadingRoomError, match="has a mask"):
        read_cases(tmp_path, ["mr"], needs_mask=True)
    with pytest.raises(ParameterError, match="No group cat"):
        read_cases(tmp_path, ["cat"])
    with pytest.raises(ReadingRoomError, match="no phantom of micro"):
        read_cases("phantoms", ["micro"])


def test_cropping_keeps_image_and_mask_together(tmp_path: Path) -> None:
    picture(tmp_path / "one.png", size=70)
    mask = np.zeros((70, 70), np.float32)
    mask[10:20, 10:20] = 1
    save_png16(tmp_path / f"one{MASK_ENDING}", mask)
    [case] = read_cases(tmp_path, ["us"])
    smaller = cropped(case, 8)
    assert smaller.mask is not None
    assert smaller.truth.shape == smaller.mask.shape == smaller.medical.pixels.shape == (64, 64)
    with pytest.raises(ReadingRoomError, match="too few"):
        cropped(case, 128)


def test_files_of_other_groups_are_left_out_and_told(tmp_path: Path) -> None:
    (tmp_path / "chest.dcm").write_bytes(dicom(ramp(32, 32), Modality="CT"))
    (tmp_path / "heart.dcm").write_bytes(dicom(ramp(32, 32), Modality="US"))
    told: list[str] = []
    [case] = read_cases(tmp_path, ["us"], tell=told.append)
    assert (case.key, case.group) == ("heart.dcm", "us")
    assert told == ["chest.dcm is left out: it is ct, not us."]


def test_strictly_a_file_must_say_what_it_is_and_no_group_may_lack(tmp_path: Path) -> None:
    (tmp_path / "heart.dcm").write_bytes(dicom(ramp(32, 32), Modality="US"))
    picture(tmp_path / "photo.png")
    told: list[str] = []
    assert len(read_cases(tmp_path, ["us"])) == 2
    [case] = read_cases(tmp_path, ["us"], strict=True, tell=told.append)
    assert case.key == "heart.dcm"
    assert told == ["photo.png is left out: it does not state its modality."]
    with pytest.raises(ReadingRoomError, match="has no mr image"):
        read_cases(tmp_path, ["us", "mr"], strict=True)
