"""``benchmarks denoisers``: one table of all denoisers, and whether the network is ahead."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import pytest

from benchmarks import denoisers as table
from benchmarks.__main__ import main
from benchmarks.cli.denoisers import instead
from benchmarks.evidence.chapters import CHAPTERS
from benchmarks.peers import install
from enhancers.errors import ParameterError
from enhancers.evaluation.cases import read_cases
from enhancers.evaluation.store import Measured, ResultRow
from enhancers.settings import get_settings

CONDITION = "gaussian-0.1"


def rows(**scores: tuple[float, float]) -> list[ResultRow]:
    """Rows by method, with the PSNR of an MR and of a CT image; SSIM is a hundredth of it."""
    return [
        ResultRow(CONDITION, group, group, group, 0.1, method, method, method, 0,
                  measured=Measured({"psnr": psnr, "ssim": psnr / 100}))
        for method, own in scores.items()
        for group, psnr in zip(("mr", "ct"), own, strict=True)
    ]  # fmt: skip


def text_of(found: list[ResultRow]) -> str:
    cases = read_cases("phantoms", ("mr", "ct"), limit=1, side=32)
    plan = table.plan(cases, table.methods(("denoiser",)), "cpu")
    labels = {**table.METHODS, **{one.key: one.label for one in plan.candidates}}
    return "\n".join(table.verdicts(table.means(found), labels))


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ((32.5, 30.5), "+0.50 dB and SSIM +0.005 against FFDNet, clipped noise restored: ahead."),
        ((32.1, 30.1), "+0.10 dB and SSIM +0.001 against FFDNet, clipped noise restored: **NOT"),
        ((34.0, 29.9), "+0.95 dB and SSIM +0.010 against FFDNet, clipped noise restored, below it "
                       "in CT: **NOT AHEAD**."),
    ],
)  # fmt: skip
def test_the_network_has_to_lead_in_the_mean_and_nowhere_be_behind(
    own: tuple[float, float], told: str
) -> None:
    assert told in text_of(rows(ffdnet=(32.0, 30.0), denoiser=own))


def test_without_the_rival_there_is_no_verdict() -> None:
    text = text_of(rows(denoiser=(32.0, 30.0)))
    assert (
        text
        == "FFDNet was not measured here; install it with `python -m benchmarks peers install`."
    )


def test_a_row_that_failed_counts_for_nothing() -> None:
    failed = [ResultRow(CONDITION, "mr", "mr", "mr", 0.1, "ffdnet", "ffdnet", "", 0, error="no")]
    assert [one.method for one in table.means([*rows(denoiser=(32.0, 30.0)), *failed])] == [
        "denoiser"
    ]


def test_the_evidence_measures_the_same_methods_on_the_same_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chapter = CHAPTERS["denoisers"]
    assert {*chapter.methods, *chapter.peers} == set(table.METHODS)
    monkeypatch.setattr(install, "installed", lambda: True)
    assert [one.key for one in table.methods()] == list(table.METHODS)
    monkeypatch.setattr(install, "installed", lambda: False)
    assert not {"bm3d", "ffdnet"} & {one.method for one in table.methods()}


def test_another_network_takes_the_place_of_the_embedded_one_for_a_while(tmp_path: Path) -> None:
    before = get_settings().priors_dir
    network = tmp_path / "trained"
    for part in ("unet", "scheduler"):
        with pytest.raises(ParameterError, match=f"has no folder {part}"), instead(network):
            pass
        (network / part).mkdir(parents=True)
    with instead(network):
        assert (get_settings().priors_dir / "pixel").resolve() == network.resolve()
    assert get_settings().priors_dir == before
    assert "READINGROOM_PRIORS_DIR" not in os.environ
    with instead(None):
        assert get_settings().priors_dir == before


def test_the_command_on_drawn_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "installed", lambda: False)
    monkeypatch.setattr(table, "EACH", 1)
    monkeypatch.setattr(table, "FOUR", ("mr",))
    monkeypatch.setattr(table, "read_cases", partial(read_cases, side=64))
    out = tmp_path / "denoisers.md"
    words = ["--methods", "input,tv:auto", "--device", "cpu", "--work", str(tmp_path / "work"),
             "--out", str(out)]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["benchmarks", "denoisers", *words])
    assert main() == 0
    said = capsys.readouterr()
    assert "without BM3D and FFDNet" in said.err
    text = out.read_text(encoding="utf-8")
    assert text.strip() in said.out
    assert text.count("| Total variation, clipped noise restored | ") == 3
    assert "| | PSNR / SSIM | MR | processor seconds |" in text
    assert "FFDNet was not measured here" in text
    monkeypatch.setattr(sys, "argv", ["benchmarks", "denoisers", "--methods", "median"])
    assert main() == 2
    assert "--methods median is none of input, " in capsys.readouterr().err


def test_an_image_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table, "read_cases", lambda *_, **__: [])
    monkeypatch.setattr(
        sys, "argv", ["benchmarks", "denoisers", "--data", str(tmp_path), "--images", "mr-0001"]
    )
    assert main() == 2
    assert "has no image mr-0001 of a subject that training held out" in capsys.readouterr().err
