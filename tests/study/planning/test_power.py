"""Power by simulation, against the formulas that hold for special cases, and from a pilot."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from study.analysis.scores import score_rows
from study.cli import main
from study.domain.errors import ProtocolError, StatisticsError
from study.domain.inference import Hypothesis, Random
from study.domain.protocol import Protocol
from study.domain.questions import CATALOG, PREFERENCE, RANKING, Question, QuestionKind
from study.domain.terms import Shown
from study.planning.lifecycle import close_study
from study.planning.power.grid import grid_cases, grid_readers, numbers_of, power_plan
from study.planning.power.model import RatingModel, Spread, assumed
from study.planning.power.pilot import (
    pilot_choices,
    pilot_rankings,
    pilot_scores,
    pilot_study,
    table_rankings,
)
from study.stats.panel import Panel, panel_of
from study.stats.table import RatingRow
from tests.support.read_study import play
from tests.support.simulated_datasets import dataset

QUALITY = replace(CATALOG[0], primary=True)
SCORES = Protocol(questions=(QUALITY,), repeats=0, random=Random.CASES)
CHOICES = Protocol(questions=(replace(PREFERENCE, primary=True),), repeats=0)


def simple(effect: float, noise: float) -> RatingModel:
    """Differences that vary by noise alone, on a scale so long that rounding does not matter."""
    nothing = Spread(0.0, 0.0, 0.0, 0.0)
    return RatingModel(-1000, 1000, 0.0, effect, Spread(0.0, 0.0, 50.0, 0.0),
                       replace(nothing, noise=noise), "test")  # fmt: skip


def power(protocol: Protocol, model: RatingModel, readers: int, cases: int, **more: int) -> float:
    [found] = power_plan(
        protocol, model, methods=2, readers=(readers,), cases=(cases,), simulations=400, **more
    ).designs
    return found.power


def test_one_reader_has_the_power_of_the_paired_t_test():
    # The sizes for dz 0.5: 33.367 pairs for 80 % at 0.05, 47.758 at 0.0125.
    formula = TTestPower()
    for alpha, size in ((0.05, 33.367131), (0.0125, 47.758434)):
        assert formula.solve_power(0.5, alpha=alpha, power=0.8) == pytest.approx(size, abs=5e-5)
        found = power(SCORES.with_(alpha=alpha), simple(50.0, 100.0), 1, round(size))
        assert found == pytest.approx(0.8, abs=0.06)


def test_without_a_difference_the_power_is_the_level():
    model = replace(assumed(QUALITY), effect=0.0)
    assert power(SCORES.with_(random=Random.BOTH), model, 5, 20) <= 0.09


def test_readers_who_differ_are_not_made_up_for_by_cases():
    model = assumed(QUALITY)
    protocol = SCORES.with_(random=Random.BOTH)
    few, many, more_readers = (
        power(protocol, model, readers, cases) for readers, cases in ((4, 20), (4, 320), (12, 20))
    )
    assert few < many < more_readers


def test_non_inferiority_has_the_power_of_its_formula():
    protocol = SCORES.with_(
        questions=(replace(QUALITY, maximum=9, anchors=()),),
        hypothesis=Hypothesis.NON_INFERIORITY,
        margin=6.0,
    )
    cases, noise = 80, 20.0
    shift = protocol.margin / (noise / np.sqrt(cases))
    expected = stats.nct.sf(stats.t.ppf(0.975, cases - 1), cases - 1, shift)
    assert power(protocol, simple(0.0, noise), 1, cases) == pytest.approx(expected, abs=0.07)
    equivalence = protocol.with_(hypothesis=Hypothesis.EQUIVALENCE)
    assert power(equivalence, simple(0.0, noise), 1, cases) < expected


def test_the_smallest_design_is_the_one_with_fewest_readings():
    found = power_plan(
        SCORES.with_(random=Random.BOTH), assumed(QUALITY), methods=2, readers=(3, 8, 12),
        cases=(20, 40), simulations=200, target=0.75,
    )  # fmt: skip
    reaching = [one for one in found.designs if one.power >= 0.75]
    assert found.smallest is not None
    assert found.smallest.readers * found.smallest.cases == min(
        one.readers * one.cases for one in reaching
    )
    widths = {(one.readers, one.cases): one.half_width for one in found.designs}
    assert widths[12, 40] < widths[3, 40]
    text = found.as_text()
    assert "smallest that reaches 75 %" in text
    never = replace(found, smallest=None).as_text()
    assert "--grid-readers" in never


def test_preferences_have_a_power():
    model = assumed(CHOICES.questions[0])
    assert model.share(model.effect) == pytest.approx(0.65)
    small, large = (
        power_plan(CHOICES, model.with_share(share), methods=2, readers=(6,), cases=(30,),
                   simulations=40).designs[0]
        for share in (0.55, 0.8)
    )  # fmt: skip
    assert small.power < 0.5 < large.power
    assert 0 < large.half_width < 0.3
    with pytest.raises(ProtocolError, match=r"from 0.02 to 0.98"):
        model.with_share(1.0)


def ranking(images: int, *, ties: bool = False, block: int = 0) -> Protocol:
    question = replace(RANKING, maximum=images, ties=ties)
    return Protocol(questions=(question,), presentation=Shown.RANKING, nulls=0, repeats=0,
                    random=Random.CASES, block=block, control="m0" if block else "")  # fmt: skip


@pytest.mark.parametrize(("images", "ties"), [(3, False), (4, True), (6, False)])
def test_simulated_ranks_differ_by_what_is_asked_for(images: int, ties: bool):
    model = assumed(ranking(images, ties=ties).questions[0]).with_rank_difference(0.8)
    noise = Spread(0.0, 0.0, 0.0, model.difference.total)
    worse = replace(model, difference=noise).rankings(np.random.default_rng(5), 20, np.arange(2000))
    assert worse.shape == (images, 2000, 20)
    np.testing.assert_allclose(worse.sum(axis=0), images * (images - 1) / 2)
    means = worse.mean(axis=(1, 2))
    assert means[0] - means[1] == pytest.approx(0.8, abs=0.04)
    assert means[2:] == pytest.approx((images - 1) / 2, abs=0.04)
    assert ((worse % 1).any() or (np.diff(np.sort(worse, axis=0), axis=0) == 0).any()) == ties
    with pytest.raises(ProtocolError, match="give --effect in ranks"):
        model.with_rank_difference(images - 1)


def test_rankings_of_one_reader_have_the_power_of_the_paired_t_test():
    model = replace(simple(0.0, 1.0), tie=0.0, images=4).with_rank_difference(0.8)
    opinions = np.random.default_rng(3).normal(size=(100_000, 4)) * np.sqrt(0.5)
    opinions += [model.effect / 2, -model.effect / 2, 0.0, 0.0]
    places = opinions.argsort(axis=1).argsort(axis=1)
    apart = places[:, 0] - places[:, 1]
    expected = TTestPower().power(apart.mean() / apart.std(), 40, 0.05)
    found = power_plan(ranking(4), model, methods=4, readers=(1,), cases=(40,)).designs[0].power
    assert found == pytest.approx(expected, abs=0.07)


def test_incomplete_blocks_have_the_power_of_the_cases_with_both_methods():
    # One of two methods in each block of 5 besides the control is in 40 % of the cases.
    protocol = SCORES.with_(block=2, control="m0", presentation=Shown.SINGLE, nulls=0)
    found = power_plan(protocol, simple(50.0, 100.0), methods=6, readers=(1,), cases=(80,))
    assert "both methods in 40 % of the cases" in found.as_text()
    expected = TTestPower().power(0.5, 32, 0.05)
    assert found.designs[0].power == pytest.approx(expected, abs=0.07)
    # A reader of few cases may never see both: such a study shows nothing.
    tiny = power_plan(protocol, simple(50.0, 100.0), methods=12, readers=(1,), cases=(2,),
                      simulations=100).designs[0]  # fmt: skip
    assert tiny.power <= 0.05
    assert tiny.half_width is None


def test_preferences_and_rankings_in_blocks_have_less_power_than_complete_ones():
    ranked = ranking(3).questions[0]
    for complete, model, methods in (
        (CHOICES, assumed(CHOICES.questions[0]), (3, 3)),
        (ranking(3), assumed(ranked), (3, 5)),
    ):
        block = complete.images - 1
        whole, parts = (
            power_plan(protocol, model, methods=number, readers=(4,), cases=(30,), simulations=30)
            .designs[0].half_width
            for protocol, number in zip(
                (complete, complete.with_(block=block, control="m0")), methods, strict=True
            )
        )  # fmt: skip
        assert whole * 1.2 < parts


def test_a_pilot_of_rankings_gives_back_what_it_was_made_with():
    question = ranking(4).questions[0]
    model = assumed(question).with_rank_difference(1.0)
    model = replace(model, difference=Spread(0.0, 0.0, 0.3, 0.9))
    made = model.rank_difference(model.effect)
    worse = model.rankings(np.random.default_rng(4), 6, np.arange(80))
    rows = [
        RatingRow(f"c{case}", f"R{reader}", float(4 - value), method="ABCD"[image])
        for (image, case, reader), value in np.ndenumerate(worse)
    ]
    found = pilot_rankings(table_rankings(rows), question, ("A", "B"))
    assert (found.readers, found.cases, found.model.images) == (6, 80, 4)
    assert found.model.rank_difference(found.model.effect) == pytest.approx(made, abs=0.2)
    turned = pilot_rankings(table_rankings(rows), question, ("B", "A"))
    assert turned.model.effect == pytest.approx(-found.model.effect)


def pilot_panel(rng: np.random.Generator, model: RatingModel, readers: int, cases: int) -> Panel:
    patient = np.arange(cases) // 3
    scores = model.ratings(rng, readers, patient)
    return Panel(
        tuple(f"c{case}" for case in range(cases)),
        tuple(f"R{reader}" for reader in range(readers)),
        ("A", "B"),
        scores.transpose(1, 2, 0),
        tuple(f"P{number}" for number in patient),
    )


def test_a_pilot_gives_back_what_it_was_made_with():
    wide = RatingModel(
        1, 100, 50.0, 6.0, Spread(5.0, 8.0, 6.0, 4.0), Spread(4.0, 5.0, 3.0, 9.0), ""
    )
    found = pilot_scores(pilot_panel(np.random.default_rng(2), wide, 16, 120), (1, 100))
    assert found.model.effect == pytest.approx(6.0, abs=2.5)
    for name, within in (("reader", 2.0), ("patient", 1.6), ("case", 1.6), ("noise", 0.5)):
        made = getattr(wide.difference, name)
        assert getattr(found.model.difference, name) == pytest.approx(made, abs=within), name
        made = getattr(wide.shared, name)
        assert getattr(found.model.shared, name) == pytest.approx(made, abs=within + 1), name
    assert (found.readers, found.patients, found.cases) == (16, 40, 120)
    assert found.cases_per_patient == 3.0


def test_a_pilot_of_preferences_gives_back_its_shares():
    model = assumed(CHOICES.questions[0]).with_share(0.7)
    choices = model.choices(np.random.default_rng(1), 12, np.arange(150))
    found = pilot_choices(choices, ("A", "B"))
    assert found.model.share(found.model.effect) == pytest.approx(0.7, abs=0.06)
    assert pilot_choices(choices, ("B", "A")).model.effect == pytest.approx(-found.model.effect)
    with pytest.raises(StatisticsError, match="needs 8"):
        pilot_choices(choices[:3])


def test_what_cannot_be_planned_says_what_to_do():
    model = assumed(QUALITY)
    two = replace(CATALOG[0], primary=False), replace(CATALOG[1], primary=False)
    with pytest.raises(ProtocolError, match='"primary": true'):
        power_plan(Protocol(questions=two), model, methods=2, readers=(3,), cases=(20,))
    with pytest.raises(ProtocolError, match="more cases, or fewer repeats"):
        power_plan(SCORES.with_(repeats=50), model, methods=2, readers=(3,), cases=(2, 3))
    with pytest.raises(ProtocolError, match="too many: give fewer or smaller"):
        power_plan(SCORES, model, methods=2, readers=(100_000,), cases=(100_000,))
    with pytest.raises(ProtocolError, match="too many: give fewer or smaller"):
        power_plan(SCORES, model, methods=2, readers=(99,), cases=(999,), simulations=100_000)
    with pytest.raises(ProtocolError, match="such as 3,5,8"):
        numbers_of("3;5", "--grid-readers")
    assert numbers_of("3, 5,8", "--grid-readers") == (3, 5, 8)
    assert grid_readers(6) == (3, 5, 6, 8, 12)
    assert grid_cases(40) == (20, 40, 80, 160)


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["study", "plan", "--power", *map(str, arguments)])
    return main()


def test_the_command_plans_from_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    model = replace(assumed(QUALITY), effect=0.8)
    panel = pilot_panel(np.random.default_rng(3), model, 4, 30)
    lines = ["case;reader;method;value;patient"]
    for (case, reader, method), score in np.ndenumerate(panel.scores):
        lines.append(f"{panel.items[case]};{panel.readers[reader]};{panel.methods[method]};"
                     f"{score:g};{panel.clusters[case]}")  # fmt: skip
    path = tmp_path / "pilot.csv"
    path.write_text("\n".join(lines), "utf-8-sig")
    grid = ("--grid-readers", "3,6", "--grid-cases", "30", "--simulations", "60")
    size = ("--cases", 30, "--methods", 2)
    assert command(monkeypatch, *size, "--pilot", path, *grid) == 0
    said = capsys.readouterr().out
    assert "spreads of the pilot, readers and patients random" in said
    # Three cases of a patient, as in the pilot.
    table = [
        line.split()[:3] for line in said.splitlines() if line.strip().startswith(("3 ", "6 "))
    ]
    assert table == [["3", "10", "30"], ["6", "10", "30"]]
    assert command(monkeypatch, *size, "--effect", 9) == 2
    assert "give --effect in its points" in capsys.readouterr().err
    protocol = tmp_path / "ranked.json"
    protocol.write_text(ranking(3).to_json())
    path.write_text("\n".join(_ranked_lines()))
    size = ("--cases", 30, "--methods", 3, "--protocol", protocol)
    assert command(monkeypatch, *size, "--pilot", path, *grid, "--effect", 0.5) == 0
    assert "+0.50 in the mean rank of 3 images" in capsys.readouterr().out
    assert command(monkeypatch, *size[:3], 2, *size[4:]) == 2
    assert "Rankings of 3 images do not fit 2 methods" in capsys.readouterr().err


def _ranked_lines() -> list[str]:
    rng = np.random.default_rng(7)
    lines = ["case,reader,method,value"]
    for case, reader in np.ndindex(12, 3):
        ranks = rng.normal([0.0, 0.5, 1.0]).argsort().argsort() + 1
        lines += [
            f"{case},R{reader},{name},{rank}" for name, rank in zip("ABC", ranks, strict=True)
        ]
    return lines


def test_measures_are_planned_too():
    line = Question("line", "How good?", QuestionKind.VAS, 0, 100, primary=True)
    model = assumed(line)
    assert (model.low, model.high, model.whole) == (0.0, 100.0, False)
    assert model.effect == pytest.approx(12.5)
    scores = model.ratings(np.random.default_rng(0), 3, np.arange(5))
    assert (scores != np.rint(scores)).any()
    angle = Question("angle", "Angle?", QuestionKind.ANGLE, 0, 0, primary=True)
    with pytest.raises(ProtocolError, match="--pilot"):
        assumed(replace(angle, kind=QuestionKind.LENGTH))
    yes = Question("seen", "Seen?", QuestionKind.YES_NO, 0, 1, primary=True)
    with pytest.raises(ProtocolError, match="mark another question"):
        assumed(yes)


def test_a_closed_study_is_a_pilot():
    data = dataset()
    found = pilot_study(data, data.protocol.question("quality"))
    panel = panel_of(score_rows(data, data.protocol.question("quality")))
    first, second = found.pair
    effect = np.nanmean(panel.differences(first, second))
    assert found.model.effect == pytest.approx(float(effect))
    assert (found.readers, found.cases) == (4, 8)
    liked = pilot_study(data, data.protocol.question("preference"))
    assert liked.model.difference.total == pytest.approx(1.0)
    other = replace(data.protocol.question("quality"), maximum=7, anchors=())
    with pytest.raises(ProtocolError, match="no question quality on the same scale"):
        pilot_study(data, other)


def test_a_pilot_that_is_too_small_or_open_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    played = play(tmp_path, close=False)
    folder = played.store.folder
    options = ("--cases", 30, "--methods", 3, "--pilot", folder)
    assert command(monkeypatch, *options) == 2
    assert "close" in capsys.readouterr().err
    close_study(played.store, actor="coordinator")
    played.store.close()
    # Three readers rated three cases: nine at most.
    monkeypatch.setattr("study.planning.power.pilot.LEAST", 10)
    assert command(monkeypatch, *options) == 2
    assert "without --pilot" in capsys.readouterr().err
