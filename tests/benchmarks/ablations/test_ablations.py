from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks import cli
from benchmarks.ablations import report
from benchmarks.ablations.recipes import BASE, RECIPES, SHIPPED, Recipe
from benchmarks.ablations.trainings import SIGMAS, Trained, share, shipped, train
from enhancers.errors import ReadingRoomError
from enhancers.networks.training.corpus import Corpus, read_corpus
from enhancers.networks.training.stage import Stage

STORED = Path(__file__).resolve().parents[3] / "assets" / "evidence"
SMALL = Recipe("small", "small", widths=(8, 8, 8, 8))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    drawn = read_corpus(None, phantoms=2)
    small = {name: images[:2, 64:128, 64:128] for name, images in drawn.validation.items()}
    return replace(drawn, validation=small)


def trained(key: str, psnr: float) -> Trained:
    levels = {f"{sigma:g}": {"mr": psnr, "ct": psnr - 2} for sigma in SIGMAS}
    return Trained(key, f"the {key}", 1000, 10, 20, 1.0, levels)


def test_every_recipe_differs_from_the_first_in_one_thing() -> None:
    base = asdict(RECIPES[0])
    assert base["key"] == BASE
    assert len({recipe.key for recipe in RECIPES}) == len(RECIPES)
    for recipe in RECIPES[1:]:
        changed = [n for n, value in asdict(recipe).items() if value != base[n]]
        assert len(set(changed) - {"key", "label"}) == 1, recipe.key


def test_a_training_is_measured_once_and_then_read(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(SMALL, corpus, 2, tmp_path, "cpu")
    assert first.steps == 2
    assert set(first.psnr) == {f"{sigma:g}" for sigma in SIGMAS}
    assert all(0 < value < 60 for groups in first.psnr.values() for value in groups.values())
    # The more noise, the less is restored, by whatever network.
    means = [first.mean(sigma, corpus.groups) for sigma in SIGMAS]
    assert means == sorted(means, reverse=True)
    monkeypatch.setattr(Stage, "fit", lambda *_: pytest.fail("it was trained already"))
    again = train(replace(SMALL, label="another name"), corpus, 2, tmp_path, "cpu")
    assert again == replace(first, label="another name")
    with pytest.raises(pytest.fail.Exception, match="trained already"):
        train(SMALL, corpus, 3, tmp_path, "cpu")


def test_a_damaged_figure_is_measured_again(corpus: Corpus, tmp_path: Path) -> None:
    first = train(SMALL, corpus, 1, tmp_path, "cpu")
    (path,) = tmp_path.rglob("trained.json")
    path.write_text(path.read_text(encoding="utf-8")[:40], encoding="utf-8")
    assert replace(train(SMALL, corpus, 1, tmp_path, "cpu"), seconds=0) == replace(first, seconds=0)


def test_a_share_takes_images_away_from_the_training_alone(corpus: Corpus) -> None:
    tenth = share(corpus, Recipe("tenth", "", share="tenth"))
    for name, images in corpus.train.items():
        assert len(tenth.train[name]) == max(1, len(images) // 10)
    assert list(share(corpus, Recipe("phantoms", "", share="phantoms")).train) == ["phantom"]
    assert tenth.validation is corpus.validation


def test_the_shipped_prior_is_far_better_than_a_few_steps(corpus: Corpus, tmp_path: Path) -> None:
    few = train(SMALL, corpus, 2, tmp_path, "cpu")
    found = shipped(corpus, "cpu")
    assert found.steps > 1000
    assert found.mean(0.1, corpus.groups) > few.mean(0.1, corpus.groups) + 5


def test_the_page_tells_every_training_and_its_change(tmp_path: Path) -> None:
    rows = (trained(BASE, 30.0), trained("narrow", 29.5), trained(SHIPPED, 33.0))
    made = report.AblationReport(
        "command", "today", "machine", (("torch", "2"),), ("mr", "ct"), 8, rows
    )
    page = report.write(tmp_path, made)
    assert report.read(tmp_path / "ingredients.json") == made
    assert "2 short trainings" in page
    assert "| the narrow | 1,000 | 20 | 10 | 28.50 | 28.50 | 28.50 | -0.50 -0.50 -0.50 |" in page
    assert "| the shipped | 33.00 | 31.00 |" in page


def test_what_is_shipped_was_written_from_the_stored_figures() -> None:
    stored = report.read(STORED / "ingredients.json")
    page = (STORED / "ingredients.md").read_text(encoding="utf-8")
    assert page == report.as_markdown(stored)
    assert [one.key for one in stored.trained] == [*(r.key for r in RECIPES), SHIPPED]


def test_figures_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ingredients.json"
    path.write_text(json.dumps({"trained": 3}), encoding="utf-8")
    with pytest.raises(ReadingRoomError, match="does not hold trainings"):
        report.read(path)


def test_an_unknown_training_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["benchmarks", "ablations", "--out", str(tmp_path), "--only", "narow"]
    monkeypatch.setattr("sys.argv", arguments)
    assert cli.main() == 2
    assert "--only narow is unknown" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
