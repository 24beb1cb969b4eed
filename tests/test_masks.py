"""Masks and complex samples on the command line: one image, and a batch."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from enhancers.__main__ import main
from enhancers.errors import ImageReadError
from enhancers.load import load
from enhancers.load.mask import read_mask
from enhancers.phantoms import phantom
from enhancers.save import WHITE, read_png16, save_png16
from tests.support import image_files

TRUTH = phantom("cardiac_mr", size=64, seed=3).pixels
MISSING = np.zeros((64, 64), np.bool_)
MISSING[30:38, 20:44] = True
INPAINT = ("--set", "task=inpaint", "--set", "steps=5")


def _call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["enhancers", *map(str, arguments)])
    return main()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "scan.png"
    path.parent.mkdir()
    save_png16(path, np.where(MISSING, np.float32(0), TRUTH))
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "masks" / "scan.png"
    path.parent.mkdir(parents=True)
    save_png16(path, MISSING.astype(np.float32))
    return path


def test_a_mask_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, image: Path, mask: Path
) -> None:
    out, record = tmp_path / "out.png", tmp_path / "out.json"
    asked = ("run", image, "--method", "null_space", *INPAINT, "--out", out, "--json", record)
    assert _call(monkeypatch, *asked, "--mask", mask) == 0
    before, after = read_png16(image.read_bytes()), read_png16(out.read_bytes())
    np.testing.assert_array_equal(after[~MISSING], before[~MISSING])
    assert after[MISSING].mean() > 0.05
    facts = json.loads(record.read_text(encoding="utf-8"))["input"]["measured"]
    assert facts["pixels"] == pytest.approx(1 - MISSING.mean())


def test_a_mask_of_a_volume_may_be_blank_elsewhere() -> None:
    """The slice of the image's index counts, also where the volume's middle slice is blank."""
    volume = np.zeros((64, 64, 3), np.uint8)
    volume[..., 0] = MISSING.T
    image = load(image_files.nifti(volume + 1), slice_index=0)
    assert np.array_equal(read_mask(partial(load, image_files.nifti(volume)), image), ~MISSING)
    with pytest.raises(ImageReadError, match="same value everywhere"):
        read_mask(partial(load, image_files.nifti(np.zeros_like(volume))), image)
    with pytest.raises(ImageReadError, match="mask has 2 slices and the image 3; give"):
        read_mask(partial(load, image_files.nifti(volume[..., :2])), image)


def test_a_mask_of_a_volume_is_cut_in_the_plane_of_the_image(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    values = np.random.default_rng(0).integers(1, 900, (20, 24, 18)).astype(np.int16)
    missing = np.zeros(values.shape, np.uint8)
    missing[4:9, 7, 2:5] = 1
    image, mask, record = (tmp_path / name for name in ("image.nii", "mask.nii", "record.json"))
    placed = np.eye(3, 4)
    image.write_bytes(image_files.nifti(values, affine=placed))
    mask.write_bytes(image_files.nifti(missing, affine=placed))
    # The first coronal slice is the most anterior.
    index = values.shape[1] - 1 - 7
    asked = ("run", image, "--plane", "coronal", "--method", "null_space", *INPAINT)
    written = ("--out", tmp_path / "out.png", "--json", record)
    assert _call(monkeypatch, *asked, "--slice", index, "--mask", mask, *written) == 0
    facts = json.loads(record.read_text(encoding="utf-8"))["input"]["measured"]
    assert facts["pixels"] == pytest.approx(1 - missing[:, 7].mean())


def test_without_a_mask_the_command_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    image: Path,
) -> None:  # fmt: skip
    asked = ("run", image, "--method", "null_space", *INPAINT, "--out", tmp_path / "out.png")
    assert _call(monkeypatch, *asked) == 2
    assert "give a mask, from a file" in capsys.readouterr().err


def test_a_degraded_scan_is_a_file_that_ddnm_completes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    image, scan, out = (tmp_path / name for name in ("truth.png", "scan.npz", "out.png"))
    save_png16(image, TRUTH)
    degraded = ("degrade", image, "--kind", "kspace", "--level", 2, "--out", scan)
    assert _call(monkeypatch, *degraded) == 0
    spectrum = load(scan).measured
    assert spectrum is not None
    assert spectrum.spectrum is not None
    assert spectrum.spectrum.real
    asked = ("run", scan, "--method", "null_space", "--set", "task=kspace", "--out", out)
    assert _call(monkeypatch, *asked, "--set", "steps=5") == 0
    assert read_png16(out.read_bytes()).shape == (64, 64)


def test_the_mask_of_missing_pixels_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    image: Path,
) -> None:  # fmt: skip
    out, hidden = tmp_path / "out.png", tmp_path / "mask.png"
    asked = ("degrade", image, "--level", 0.5, "--out", out, "--mask", hidden)
    assert _call(monkeypatch, *asked, "--kind", "missing") == 0
    marked = read_png16(hidden.read_bytes()) == WHITE
    assert not read_png16(out.read_bytes())[marked].any()
    assert 0.4 < marked.mean() < 0.6
    assert _call(monkeypatch, *asked, "--kind", "speckle") == 2
    assert "--mask mask.png is for the kind missing" in capsys.readouterr().err


def test_a_batch_takes_each_mask_of_a_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    image: Path, mask: Path,
) -> None:  # fmt: skip
    settings = [part.replace("task", "null_space.task").replace("steps", "null_space.steps")
                for part in INPAINT]  # fmt: skip
    asked = ("batch", image.parent, "--methods", "null_space", *settings, "--out",
             tmp_path / "out", "--device", "cpu", "--jobs", 1)  # fmt: skip
    with_masks = (*asked, "--masks", mask.parent)
    assert _call(monkeypatch, *with_masks) == 0
    assert "1 done" in capsys.readouterr().out
    assert _call(monkeypatch, *with_masks) == 0
    assert "1 kept" in capsys.readouterr().out
    [result] = (tmp_path / "out").rglob("*.png")
    np.testing.assert_array_equal(
        read_png16(result.read_bytes())[~MISSING], read_png16(image.read_bytes())[~MISSING]
    )
    save_png16(mask, np.roll(MISSING, 5).astype(np.float32))
    assert _call(monkeypatch, *with_masks) == 0
    assert "1 done" in capsys.readouterr().out
