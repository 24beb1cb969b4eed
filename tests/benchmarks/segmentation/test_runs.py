import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.segmentation import origin, page, pictures, runs, tables, training
from benchmarks.segmentation.runs import Experiment, run
from benchmarks.segmentation.store import RunStore, SegmentationRow
from benchmarks.segmentation.subjects import hearts
from benchmarks.segmentation.tables import Facts, Labelled
from benchmarks.segmentation.training import Recipe
from benchmarks.segmentation.variants import damage, damaged, methods
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.evaluation.method_text import method_under_test
from enhancers.evaluation.methods_under_test import MethodUnderTest
from enhancers.method import Modality
from enhancers.networks.load import identity
from enhancers.save import save_png16

pytest.importorskip("monai")

ROOT = Path(__file__).resolve().parents[3]
EVIDENCE = ROOT / "assets" / "evidence"
REWRITE = "run: python -m benchmarks segmentation --page --out assets/evidence"


@pytest.fixture(scope="module")
def plan() -> Experiment:
    return Experiment(
        cohorts=(hearts("cardiac_mr", size=32, train=6, validation=2, test=3),),
        networks=("unet",),
        methods=methods(["nlm:auto", "clahe"]),
        seeds=(0, 1),
        recipe=Recipe(epochs=2, learning_rate=1e-2, batch=4),
        degradations=("paper", "dark"),
    )


@pytest.fixture(scope="module")
def done(
    plan: Experiment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[SegmentationRow]]:
    folder = tmp_path_factory.mktemp("done")
    return folder, run(plan, folder)


@pytest.fixture
def facts(plan: Experiment) -> Facts:
    return Facts(
        command="python -m benchmarks segmentation",
        when="2026-01-02 03:04 UTC",
        machine="An old one, 2 cores",
        cohorts=(Labelled("cardiac_mr", "MR", "Simulated"),),
        networks=(Labelled("unet", "U-Net"),),
        degradations=(Labelled("cardiac_mr/paper", "rician"), Labelled("cardiac_mr/dark", "dark")),
        variants=(Labelled("nlm:auto", "NLM"), Labelled("clahe", "CLAHE")),
        seeds=2,
        recipe="two epochs",
        versions=(("torch", "2"),),
        weights=origin.weights(replace(plan, methods=methods(["null_space"]))),
        codes=origin.codes(methods(["nlm:auto", "clahe"])),
    )


def _forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("this was computed before")

    monkeypatch.setattr(training, "train", forbidden)
    monkeypatch.setattr(MethodUnderTest, "enhance", forbidden)


def test_there_is_a_row_for_every_structure_of_every_image(
    plan: Experiment, done: tuple[Path, list[SegmentationRow]]
) -> None:
    _, rows = done
    # Clean once; degraded and two methods under two degradations; 3 images, 3 structures, 2 seeds.
    assert len(rows) == (1 + 2 * 3) * 3 * 3 * 2
    assert len({(r.seed, r.degradation, r.variant, r.subject, r.structure) for r in rows}) == 126
    assert {r.variant for r in rows} == {"clean", "degraded", "nlm:auto", "clahe"}
    for row in rows:
        assert (row.level == 0.0) == (row.variant == "clean")
        assert row.dice is not None
        assert 0.0 <= row.dice <= 1.0
    assert {0.02 <= r.level <= 0.04 for r in rows if r.degradation == "paper"} == {True}


def test_a_second_run_computes_nothing_and_gives_the_same_table(
    plan: Experiment, done: tuple[Path, list[SegmentationRow]], facts: Facts, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder, rows = done
    _forbid(monkeypatch)
    pieces: list[int] = []
    again = run(plan, folder, lambda _, count: pieces.append(count))
    assert again == rows
    assert sum(pieces) == plan.pieces
    for name, found in (("one", rows), ("two", list(reversed(again)))):
        page.write(tmp_path / name, found, facts)
    written = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert written == [f"segmentation.{end}" for end in ("csv", "json", "md", "parquet")]
    for name in written:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_run_of_its_own_gives_the_same_rows(
    plan: Experiment, done: tuple[Path, list[SegmentationRow]], tmp_path: Path
) -> None:
    assert run(replace(plan, seeds=(1,)), tmp_path) == [row for row in done[1] if row.seed == 1]


def test_an_interrupted_run_goes_on_from_networks_and_images(
    plan: Experiment, done: tuple[Path, list[SegmentationRow]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rows = done
    kept = (folder / "rows.jsonl").read_bytes()
    lines = kept.splitlines(keepends=True)
    # All of the second seed is gone, and the last line of the first was cut short.
    (folder / "rows.jsonl").write_bytes(b"".join(lines[:6]) + lines[6][:50])
    _forbid(monkeypatch)
    assert run(plan, folder) == rows
    assert run(plan, folder) == rows
    assert len((folder / "rows.jsonl").read_bytes().splitlines()) == len(lines)


def test_damaged_files_are_made_again(
    plan: Experiment, done: tuple[Path, list[SegmentationRow]], tmp_path: Path
) -> None:
    folder, rows = done
    image = next((folder / "enhanced").glob("*.npy"))
    weights = next((folder / "networks").glob("*.safetensors"))
    before = np.load(image)
    image.write_bytes(b"\x93NUMPY")
    weights.write_bytes(weights.read_bytes()[:200])
    (folder / "rows.jsonl").write_bytes(b'not json\n{"key": 3}\n\xff\xfe\n')
    assert run(plan, folder) == rows
    assert np.array_equal(np.load(image), before)


def test_pictures_are_drawn_of_kept_networks_alone(
    plan: Experiment,
    done: tuple[Path, list[SegmentationRow]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, _ = done
    run(plan, folder)
    _forbid(monkeypatch)
    found = pictures.draw(plan, folder, tmp_path / "one")
    assert [path.name for path in found] == ["segmentation-paper.png", "segmentation-dark.png"]
    for path in found:
        with Image.open(path) as image:
            # A row of four panels: clean, degraded and two methods.
            assert image.width > 2 * image.height
    again = pictures.draw(plan, folder, tmp_path / "two")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in found]
    untrained = replace(plan, seeds=(7,))
    assert pictures.draw(untrained, folder, tmp_path / "three") == []
    assert pictures.file_name("speckle:0.1-0.3") == "segmentation-speckle-0.1-0.3.png"


def test_what_determines_the_rows_is_in_their_key(plan: Experiment) -> None:
    cohort = plan.cohorts[0]
    first = runs.training_digest(plan, cohort, "unet", 0)
    assert first == runs.training_digest(plan, cohort, "unet", 0)
    other = replace(plan, recipe=replace(plan.recipe, epochs=3))
    fewer = replace(cohort, train=cohort.train[:-1])
    assert len({
        first,
        runs.training_digest(plan, cohort, "unet", 1),
        runs.training_digest(plan, cohort, "unetr", 0),
        runs.training_digest(other, cohort, "unet", 0),
        runs.training_digest(plan, fewer, "unet", 0),
    }) == 5  # fmt: skip


def test_two_runs_do_not_work_in_one_folder(tmp_path: Path) -> None:
    with RunStore(tmp_path), pytest.raises(ReadingRoomError, match="Another run uses"):
        RunStore(tmp_path).__enter__()
    with RunStore(tmp_path):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(ReadingRoomError, match="cannot be written"):
        RunStore(tmp_path / "file").__enter__()


def test_noise_of_a_subject_does_not_depend_on_the_others(plan: Experiment) -> None:
    cohort = plan.cohorts[0]
    how = damage("paper", Modality.MR)
    alone = replace(cohort, test=cohort.test[2:])
    first, again = (damaged(each, each.test[-1], how) for each in (cohort, alone))
    assert first.level == again.level
    assert np.array_equal(first.pixels, again.pixels)
    assert len({damaged(cohort, each, how).level for each in cohort.test}) == 3


@pytest.mark.parametrize(
    ("text", "modality", "expected"),
    [
        ("paper", Modality.US, "speckle, σ 0.1 to 0.3"),
        ("paper", Modality.MR, "rician, σ 0.02 to 0.04"),
        ("strong", Modality.XR, "gaussian, σ 0.1 to 0.3"),
        ("dark", Modality.CT, "under_exposure, exposure factor 0.2 to 0.6"),
        ("blur", Modality.CT, "blur, σ in pixels 1.5"),
        ("speckle:0.2", Modality.CT, "speckle, σ 0.2"),
        ("kspace:2-6", Modality.MR, "kspace, acceleration 2 to 6"),
    ],
)
def test_degradations_are_read(text: str, modality: Modality, expected: str) -> None:
    assert damage(text, modality).text == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("fog", "No degradation fog to segment under; use paper, strong, dark"),
        ("downsample", "No degradation downsample"),
        ("speckle:2", "not possible for speckle"),
        ("speckle:nan", "not possible for speckle"),
        ("speckle:0.3-0.1", "in the wrong order"),
        ("speckle:much", "is not a degradation"),
    ],
)
def test_impossible_degradations_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        damage(text, Modality.US)


def test_methods_that_do_not_fit_are_refused(plan: Experiment, tmp_path: Path) -> None:
    for always in ("clean", "degraded", "input"):
        with pytest.raises(ParameterError, match=always):
            methods([always])
    with pytest.raises(ReadingRoomError, match="No method nothing"):
        methods(["nothing"])
    small = replace(plan, methods=methods(["bicubic"]))
    with pytest.raises(ParameterError, match="bicubic cannot"):
        run(small, tmp_path)


def _row(variant: str, subject: str, dice: float | None, structure: str = "a") -> SegmentationRow:
    degradation = "none" if variant == "clean" else "paper"
    return SegmentationRow("cardiac_mr", "unet", 0, degradation, variant, subject, 0.0, structure,
               dice, dice, 1.0, 1.0)  # fmt: skip


def test_the_summary_is_the_mean_over_images_and_compares_the_same_images(facts: Facts) -> None:
    degraded, better = (0.5, 0.6, 0.7), (0.6, 0.7, 0.8)
    rows = [_row("degraded", f"s{n}", value) for n, value in enumerate(degraded)]
    rows += [_row("nlm:auto", f"s{n}", value) for n, value in enumerate(better)]
    rows += [
        _row("clean", "s0", 0.9),
        _row("clean", "s0", 0.7, "b"),
        _row("clean", "s0", None, "c"),
    ]
    table = tables.frame(rows)
    shown = tables.spread(table[table["variant"] == "degraded"], "dice")
    assert shown.text == "0.600 ± 0.100"
    assert tables.spread(table[table["variant"] == "clean"], "dice").text == "0.800"
    assert tables.spread(table[table["variant"] == "clahe"], "dice").text == "–"
    paired = tables.against_degraded(table, "nlm:auto")
    assert paired is not None
    assert (paired.images, paired.above, paired.below) == (3, 3, 0)
    assert paired.by_image.mean == pytest.approx(0.1)
    text = page.as_markdown(table, replace(facts, degradations=facts.degradations[:1]))
    assert "| U-Net | NLM | 0.700 ± 0.100 | 0.700 ± 0.100 | 1.00 ± 0.00 |" in text
    assert "+0.100 (+0.100 to +0.100)" in text


@pytest.mark.parametrize("content", ["", "{}", "[1]", "nonsense"])
def test_results_that_are_none_are_told(tmp_path: Path, content: str) -> None:
    with pytest.raises(ReadingRoomError, match="no results of benchmarks segmentation"):
        tables.read(tmp_path)
    (tmp_path / "segmentation.json").write_text(content)
    (tmp_path / "segmentation.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ReadingRoomError, match="benchmarks segmentation"):
        tables.read(tmp_path)


@pytest.mark.parametrize("field", ["when", "machine", "weights", "codes"])
def test_results_that_do_not_say_what_they_were_made_with_are_refused(
    facts: Facts, field: str, tmp_path: Path
) -> None:
    page.write(tmp_path, [_row("clean", "s0", 0.9)], facts)
    stored = tmp_path / "segmentation.json"
    kept = json.loads(stored.read_bytes())
    del kept[field]
    stored.write_text(json.dumps(kept), encoding="utf-8")
    with pytest.raises(
        ReadingRoomError, match=rf"benchmarks segmentation .*{field}: .* run it again"
    ):
        tables.read(tmp_path)


def test_the_page_says_when_where_and_from_which_networks(facts: Facts) -> None:
    [(key, digest)] = facts.weights
    assert digest == identity("pixel").removeprefix("pixel:")
    text = page.as_markdown(tables.frame([]), facts)
    line = next(line for line in text.splitlines() if line.startswith("Run "))
    assert line == (
        "Run 2026-01-02 03:04 UTC: An old one, 2 cores. torch 2. "
        f"Networks that the methods sampled from: {key} `{digest[:12]}`."
    )
    assert "sampled from" not in page.as_markdown(tables.frame([]), replace(facts, weights=()))
    assert "**Measured" not in text


def _with_code(facts: Facts, key: str) -> Facts:
    codes = [(name, "0" * 12 if name == key else digest) for name, digest in facts.codes]
    return replace(facts, codes=tuple(codes))


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("clahe", "CLAHE"),
        ("degradations", "the degradations"),
        ("training", "the networks, their training and its images"),
        ("measures", "the measures"),
    ],
)
def test_code_that_has_changed_since_is_told(facts: Facts, key: str, label: str) -> None:
    text = page.as_markdown(tables.frame([]), _with_code(facts, key))
    assert f"**Measured before the last change of: {label}.**\n" in text


def test_what_is_gone_or_was_trained_anew_is_told(facts: Facts) -> None:
    codes = (*facts.codes, ("sharpen", "0" * 12))
    before = replace(facts, codes=codes, weights=(("pixel", "0" * 64), ("mine", "1" * 64)))
    text = page.as_markdown(tables.frame([]), before)
    assert "**Measured before the last change of: sharpen.**" in text
    assert "**Measured with other weights than those of now: pixel, mine.**" in text


def test_the_code_of_all_that_makes_the_scores_is_told_apart(plan: Experiment) -> None:
    found = origin.codes(methods(["classical", "classical:plain", "null_space", "retinex"]))
    keys = [key for key, _ in found]
    assert keys == [
        "classical", "null_space", "retinex", "degradations", "training", "measures"
    ]  # fmt: skip
    assert len({digest for _, digest in found}) == len(found)
    assert {len(digest) for _, digest in found} == {12}
    hybrid = replace(plan, methods=methods(["nlm", "pseudo_label", "null_space", "unimie"]))
    assert [key for key, _ in origin.weights(hybrid)] == ["latent", "pixel"]
    assert origin.weights(plan) == ()


def _command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    from benchmarks import cli

    monkeypatch.setattr(sys, "argv", ["benchmarks", "segmentation", *words])
    return cli.main()


def test_the_command_writes_what_it_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    status = _command(
        monkeypatch,
        "--out", str(out), "--work", str(tmp_path / "work"), "--size", "32", "--train", "4",
        "--test", "2", "--epochs", "1",
        "--seeds", "1", "--networks", "unet", "--methods", "clahe", "--device", "cpu",
    )  # fmt: skip
    told = capsys.readouterr()
    assert status == 0, told.err
    assert told.out == (out / "segmentation.md").read_text(encoding="utf-8")
    assert "Cardiac MR" in told.out
    _, found = tables.read(out)
    assert "--size 32" in found.command
    assert str(tmp_path) not in found.command
    assert found.machine in told.out
    assert {"Python", "torch", "monai"} <= dict(found.versions).keys()
    assert found.codes == origin.codes(methods(["clahe"]))


def test_the_page_alone_is_written_anew(
    facts: Facts, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    page.write(tmp_path, [_row("clean", "s0", 0.9)], _with_code(facts, "clahe"))
    path = tmp_path / "segmentation.md"
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    path.write_text("words of before", encoding="utf-8")
    _forbid(monkeypatch)
    assert _command(monkeypatch, "--page", "--out", str(tmp_path)) == 0
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert capsys.readouterr().out == path.read_text(encoding="utf-8")
    assert "before the last change of: CLAHE" in path.read_text(encoding="utf-8")
    assert _command(monkeypatch, "--page", "--out", str(tmp_path / "nothing")) == 2
    assert "holds no results of benchmarks segmentation" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()


def test_the_command_takes_images_and_masks_of_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = tmp_path / "Jane Doe", tmp_path / "out"
    data.mkdir()
    for subject in hearts("echo", size=48, train=4, validation=1, test=1).train * 2:
        name = f"{subject.key}-{len(list(data.iterdir()))}"
        save_png16(data / f"{name}.png", subject.pixels)
        Image.fromarray(subject.labels * 40).save(data / f"{name}.mask.png")
    status = _command(
        monkeypatch,
        "--data", str(data), "--modality", "us", "--out", str(out), "--size", "32",
        "--work", str(tmp_path / "work"), "--epochs", "1",
        "--seeds", "1", "--networks", "unet", "--methods", "clahe", "--device", "cpu",
    )  # fmt: skip
    told = capsys.readouterr()
    assert status == 0, told.err
    assert "gray value 80" in told.out
    assert "speckle" in told.out
    # The folder may be named after a patient.
    assert not any("Jane" in path.read_text("utf-8") for path in out.glob("segmentation.[jm]*"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--size", "50"), "multiple of 16"),
        (("--networks", "vnet"), "No segmentation network vnet"),
        (("--methods", ","), "A list is empty"),
        (("--degradation", "fog"), "No degradation fog"),
        (("--data", "/nowhere/at/all"), "no folder /nowhere/at/all"),
    ],
)
def test_wrong_options_are_one_line(
    tmp_path: Path, words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert _command(monkeypatch, "--out", str(tmp_path), *words) == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("error: ")
    assert "\n" not in told
    assert sentence in told


@pytest.mark.exhaustive
def test_the_evidence_says_what_its_rows_say() -> None:
    table, facts = tables.read(EVIDENCE)
    text = (EVIDENCE / "segmentation.md").read_text(encoding="utf-8")
    assert text == page.as_markdown(table, facts), REWRITE
    assert len(set(table["network"])) >= 2
    assert table.groupby(["cohort", "network"])["seed"].nunique().min() >= 3
    assert all((EVIDENCE / picture.key).is_file() for picture in facts.pictures)


def test_the_evidence_says_what_it_was_made_with() -> None:
    _, facts = tables.read(EVIDENCE)
    made = [method_under_test(variant.key) for variant in facts.variants]
    assert [key for key, _ in facts.codes] == [key for key, _ in origin.codes(made)]
    assert [key for key, _ in facts.weights] == ["latent", "pixel"]
    other = [k for k, digest in facts.weights if digest != identity(k).partition(":")[2]]
    text = (EVIDENCE / "segmentation.md").read_text(encoding="utf-8")
    changed = origin.changed_code(facts.codes)
    told = re.findall(r"\*\*Measured before the last change of: (.*)\.\*\*", text)
    assert told == ([", ".join(changed)] if changed else []), REWRITE
    told = re.findall(r"\*\*Measured with other weights than those of now: (.*)\.\*\*", text)
    assert told == ([", ".join(other)] if other else []), REWRITE
