"""The command line as a user types it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from enhancers.__main__ import main
from enhancers.phantoms import phantom
from enhancers.registry import METHODS
from enhancers.save import read_png16, save_png16
from tests.support import image_files


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    save_png16(path, phantom("ct", size=64, seed=1).pixels)
    return path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["enhancers", *map(str, arguments)])
    return main()


def fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> str:
    assert call(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("error: ")
    return error


def test_list_names_every_method_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['enhancers', 'list', '--json']\n"
        "from enhancers.__main__ import main\n"
        "main()\n"
        "heavy = {'torch', 'numpy', 'gradio', 'pandas', 'typer', 'pydantic'} & set(sys.modules)\n"
        "print(heavy, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [m["key"] for m in json.loads(done.stdout)["methods"]] == [m.key for m in METHODS]
    assert done.stderr.strip() == "set()"


def test_the_presets_of_the_hybrid_are_named_before_a_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (("run", "--help"), ("list", "pseudo_label")):
        assert call(monkeypatch, *arguments) == 0
        said = " ".join(capsys.readouterr().out.split())
        for preset in ("published", "from the image", "two-call denoiser"):
            assert preset in said
    assert "did you mean pseudo_label?" in fails(monkeypatch, capsys, "list", "pseudo_labl")


def test_run_writes_image_and_record(
    monkeypatch: pytest.MonkeyPatch, picture: Path, tmp_path: Path
) -> None:
    out, record = tmp_path / "out.png", tmp_path / "out.json"
    assert call(monkeypatch, "run", picture, "--method", "clahe", "--set", "clip_limit=3",
                "--seed", 1, "--out", out, "--json", record) == 0  # fmt: skip
    assert read_png16(out.read_bytes()).shape == (64, 64)
    facts = json.loads(record.read_text())
    assert facts["method"] == "clahe"
    assert facts["params"]["clip_limit"] == 3.0
    assert facts["seed"] == 1


def test_same_seed_same_file(
    monkeypatch: pytest.MonkeyPatch, picture: Path, tmp_path: Path
) -> None:
    outs = [tmp_path / f"{index}.png" for index in range(2)]
    for out in outs:
        assert call(monkeypatch, "run", picture, "--method", "null_space", "--set", "sigma=0.05",
                    "--seed", 4, "--out", out) == 0  # fmt: skip
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_several_seeds_give_their_mean_the_maps_and_what_they_are_worth(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    picture: Path,
    tmp_path: Path,
) -> None:
    out, maps, record = tmp_path / "out.png", tmp_path / "maps", tmp_path / "r.json"
    assert call(monkeypatch, "run", picture, "--method", "null_space", "--set", "sigma=0.05",
                "--seeds", 2, "--out", out, "--maps", maps, "--json", record) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert "RMS spread of 2 seeds" in said
    assert "Not calibrated" in said or "held the true value at" in said
    assert json.loads(record.read_text(encoding="utf-8"))["seeds"] == 2
    spread = tifffile.imread(maps / "null_space_spread.tif")
    assert spread.shape == (64, 64)
    assert spread.max() > 0
    assert (maps / "null_space_measured.tif").is_file()


def test_degrade_and_measure(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    picture: Path,
    tmp_path: Path,
) -> None:
    noisy = tmp_path / "noisy.png"
    assert call(monkeypatch, "degrade", picture, "--kind", "gaussian", "--level", 0.1,
                "--seed", 1, "--out", noisy) == 0  # fmt: skip
    capsys.readouterr()
    assert call(monkeypatch, "metrics", noisy, "--reference", picture, "--json") == 0
    found = json.loads(capsys.readouterr().out)["metrics"]
    assert 19 < found["psnr"]["value"] < 24
    assert found["niqe"]["value"] is not None or found["niqe"]["reason"]


def test_a_run_can_degrade_first(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    picture: Path,
    tmp_path: Path,
) -> None:
    out, record = tmp_path / "out.png", tmp_path / "record.json"
    assert call(monkeypatch, "run", picture, "--degrade", "ct_dose:0.3", "--method", "tv_recon",
                "--out", out, "--json", record) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert "Iterations:" in said
    assert "Neither projections" not in said
    assert "ct_dose, dose fraction 0.3, beam parallel" in record.read_text(encoding="utf-8")
    asked = ("run", picture, "--method", "tv", "--out", out, "--degrade")
    assert "no number after the colon" in fails(monkeypatch, capsys, *asked, "blur:much")
    assert "did you mean speckle" in fails(monkeypatch, capsys, *asked, "spekle")


def test_a_scanner_is_set_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    picture: Path,
    tmp_path: Path,
) -> None:
    few, many = tmp_path / "few.tif", tmp_path / "many.tif"
    for views, out in ((8, few), (720, many)):
        assert call(monkeypatch, "degrade", picture, "--kind", "ct_dose", "--level", 1,
                    "--set", f"views={views}", "--out", out) == 0  # fmt: skip
    errors = [
        float(
            np.square(tifffile.imread(one) / 65535 - phantom("ct", size=64, seed=1).pixels).mean()
        )
        for one in (few, many)
    ]
    assert errors[0] > 2 * errors[1]
    asked = ("degrade", picture, "--kind", "ct_dose", "--out", few, "--set")
    assert "has no parameter angle" in fails(monkeypatch, capsys, *asked, "angle=2")


def test_half_bright_files_are_compared_in_one_window(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A 16-bit file whose maximum is low must not be stretched before it is measured."""
    pixels = phantom("ct", size=64, seed=1).pixels
    save_png16(tmp_path / "a.png", (pixels * 0.4).astype(np.float32))
    save_png16(tmp_path / "b.png", pixels)
    call(monkeypatch, "metrics", tmp_path / "a.png", "--reference", tmp_path / "b.png", "--json")
    found = json.loads(capsys.readouterr().out)["metrics"]
    expected = -10 * np.log10(np.mean((0.6 * pixels) ** 2))
    assert found["psnr"]["value"] == pytest.approx(expected, abs=0.1)


def test_samples_are_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert call(monkeypatch, "samples", "--out", tmp_path / "s") == 0
    assert len(list((tmp_path / "s").glob("*.png"))) == 15
    assert len(list((tmp_path / "s").glob("*.tif"))) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("run", "{in}", "--method", "nlm", "--seeds", "3", "--out", "{out}.png"),
            "seeds=3 is for methods that sample, and Non-local means does not",
        ),
        (
            ("run", "{in}", "--method", "clahee", "--out", "{out}.png"),
            "No method clahee; did you mean clahe?",
        ),
        (
            ("run", "{in}", "--method", "clahe", "--set", "clip=2", "--out", "{out}.png"),
            "clahe has no parameter clip; it has clip_limit, tiles.",
        ),
        (
            ("run", "{in}", "--method", "unimie", "--set", "smoothness=0", "--out", "{out}.png"),
            "unimie has no parameter smoothness: it was removed in version 0.2.0, in which the "
            "mask follows a smooth field without such a weight. Leave it out, or give evenness "
            "(0 to 1) for how much of the lighting is removed.",
        ),
        (
            ("run", "{in}", "--method", "clahe", "--set", "tiles=0.5", "--out", "{out}.png"),
            "tiles=0.5 is not possible; give a whole number from 1 to 32.",
        ),
        (
            ("run", "{in}", "--method", "clahe", "--set", "tiles", "--out", "{out}.png"),
            "--set tiles is not name=value.",
        ),
        (
            ("run", "{in}", "--method", "clahe", "--out", "{out}.bmp"),
            "--out o.bmp has no known ending; use one of .png, .tif, .tiff, .nii, "
            ".nii.gz, .nrrd, .mha, .dcm.",
        ),
        (
            ("run", "{in}", "--method", "clahe", "--device", "cuda:9", "--out", "{out}.png"),
            "The device cuda:9 is not available; this machine has",
        ),
        (
            ("run", "{in}x", "--method", "clahe", "--out", "{out}.png"),
            "There is no such file; check the path.",
        ),
        (("run", "{text}", "--method", "clahe", "--out", "{out}.png"), "This is a text file"),
        (
            ("degrade", "{in}", "--kind", "fog", "--level", "1", "--out", "{out}.png"),
            "No degradation fog; it has gaussian, speckle,",
        ),
        (
            ("degrade", "{in}", "--kind", "blur", "--level", "99", "--out", "{out}.png"),
            "σ in pixels=99 is not possible for blur; give 0 to 10.",
        ),
        (("networks", "train", "--which", "other"), "'other' is not one of 'pixel', 'latent'"),
        (("metrics",), "Missing argument 'A'."),
        (("dance",), "No such command 'dance'."),
    ],
)
def test_every_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    picture: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    text = tmp_path / "notes.dcm"
    text.write_text("this is not an image")
    filled = [a.format(**{"in": picture, "out": tmp_path / "o", "text": text}) for a in arguments]
    assert says in fails(monkeypatch, capsys, *filled)


def test_pairs_of_two_folders_are_one_table(monkeypatch, capsys, tmp_path: Path) -> None:
    images, truths = tmp_path / "images", tmp_path / "truths"
    for folder in (images, truths):
        (folder / "sub").mkdir(parents=True)
    values = np.random.default_rng(0).integers(0, 255, (64, 48), dtype=np.uint8)
    (images / "=a.png").write_bytes(image_files.png(values))
    (images / "sub" / "b.png").write_bytes(image_files.png(values))
    (images / "sub" / "alone.png").write_bytes(image_files.png(values))
    (truths / "=a.tif").write_bytes(image_files.tiff(values))
    (truths / "sub" / "b.png").write_bytes(image_files.png(values[:, ::-1]))
    out = tmp_path / "table.csv"
    assert call(monkeypatch, "metrics", "pairs", images, truths, "--out", out) == 1
    assert "1 of 3 images were not measured" in capsys.readouterr().err
    rows = {row["image"]: row for row in csv.DictReader(io.StringIO(out.read_text()))}
    assert list(rows) == ["'=a.png", "sub/alone.png", "sub/b.png"]
    assert (rows["'=a.png"]["reference"], rows["'=a.png"]["psnr"]) == ("'=a.tif", "inf")
    assert 0 < float(rows["sub/b.png"]["psnr"]) < 30
    assert not rows["sub/alone.png"]["psnr"]
    assert "no file of this name" in rows["sub/alone.png"]["error"]
    (images / "sub" / "alone.png").unlink()
    assert call(monkeypatch, "metrics", "pairs", images, truths, "--json") == 0
    pairs = json.loads(capsys.readouterr().out)["pairs"]
    assert [one["metrics"]["psnr"]["value"] == "inf" for one in pairs] == [True, False]
