from __future__ import annotations

import numpy as np
import pytest

from study.domain.errors import StatisticsError
from study.stats.models.cumulative_likelihood import CumulativeLikelihood
from study.stats.models.cumulative_logit import cumulative_logit
from study.stats.models.ordinal_scores import ordinal_scores
from study.stats.models.random_factors import Factor, RandomFactors
from study.stats.table import RatingRow
from tests.study.stats.wine import ratings

NAMES = ("warm", "contact")


def values(estimates) -> list[float]:
    return [each.value for each in estimates]


def test_the_model_without_random_effects_of_wine():
    codes, columns, _, _ = ratings()
    found = cumulative_logit(codes, columns, NAMES)
    assert values(found.coefficients) == pytest.approx([2.5031, 1.5278], abs=5e-5)
    assert [each.se for each in found.coefficients] == pytest.approx([0.5287, 0.4766], abs=5e-5)
    cuts = [-1.344382, 1.250806, 3.466878, 5.006386]
    assert values(found.thresholds) == pytest.approx(cuts, abs=5e-5)
    assert found.log_likelihood == pytest.approx(-86.491923, abs=1e-6)


def test_laplace_of_wine_is_that_of_the_package_ordinal():
    codes, columns, judges, _ = ratings()
    found = cumulative_logit(codes, columns, NAMES, [Factor.of("judges", judges)])
    assert values(found.coefficients) == pytest.approx([3.063, 1.8349], abs=5e-5)
    assert [each.se for each in found.coefficients] == pytest.approx([0.5954, 0.5125], abs=1e-4)
    cuts = [-1.6237, 1.5134, 4.2285, 6.0888]
    assert values(found.thresholds) == pytest.approx(cuts, abs=5e-5)
    assert found.deviations[0].value ** 2 == pytest.approx(1.2796, abs=2e-4)
    assert found.log_likelihood == pytest.approx(-81.565, abs=5e-4)
    assert found.deviations[0].low < found.deviations[0].value < found.deviations[0].high


def test_quadrature_of_wine():
    codes, columns, judges, _ = ratings()
    factor = [Factor.of("judges", judges)]
    found = cumulative_logit(codes, columns, NAMES, factor, points=10)
    assert values(found.coefficients) == pytest.approx([3.061898, 1.833431], abs=1e-4)
    cuts = [-1.623499, 1.51279, 4.227052, 6.086153]
    assert values(found.thresholds) == pytest.approx(cuts, abs=2e-4)
    assert found.deviations[0].value ** 2 == pytest.approx(1.287761, abs=3e-4)
    assert found.log_likelihood == pytest.approx(-81.532459, abs=1e-5)
    plain = cumulative_logit(codes, columns, NAMES)
    ratio = 2 * (found.log_likelihood - plain.log_likelihood)
    assert ratio == pytest.approx(9.918881, abs=5e-5)


def test_a_crossed_factor_without_variance_changes_nothing():
    codes, columns, judges, bottles = ratings()
    factors = [Factor.of("judges", judges), Factor.of("bottles", bottles)]
    found = cumulative_logit(codes, columns, NAMES, factors)
    assert values(found.coefficients) == pytest.approx([3.063, 1.8349], abs=1e-3)
    by_name = {each.name: each for each in found.deviations}
    assert by_name["SD of bottles"].value == 0.0
    assert "end of its range" in by_name["SD of bottles"].reason


def test_crossed_effects_are_found_again():
    rng = np.random.default_rng(3)
    item, reader = (each.ravel() for each in np.indices((120, 8)))
    column = rng.integers(0, 2, item.size).astype(float)
    latent = rng.normal(0, 1.5, 120)[item] + rng.normal(0, 0.8, 8)[reader]
    latent = latent + 1.2 * column + rng.logistic(size=item.size)
    codes = np.digitize(latent, [-2.0, -0.5, 1.0, 2.5])
    factors = [Factor("items", item), Factor("readers", reader)]
    found = cumulative_logit(codes, column[:, None], ("effect",), factors)
    [effect] = found.coefficients
    assert effect.low < 1.2 < effect.high
    assert values(found.deviations) == pytest.approx([1.5, 0.8], abs=0.35)


def crossed(items: int, readers: int, seed: int = 4):
    """Scores of items by readers, each with two methods: ranks, columns and random factors."""
    rng = np.random.default_rng(seed)
    item, reader, method = (each.ravel() for each in np.indices((items, readers, 2)))
    cell = reader * 2 + method
    latent = rng.normal(0, 1.2, items)[item] + rng.normal(0, 0.7, readers)[reader]
    latent = latent + rng.normal(0, 0.4, 2 * readers)[cell] + 0.8 * method
    ranks = np.digitize(latent + rng.logistic(size=item.size), [-1.5, -0.2, 1.0, 2.2])
    factors = [
        Factor("items", item), Factor("patients", item // 3),
        Factor("readers", reader), Factor("cells", cell),
    ]  # fmt: skip
    return ranks, method[:, None].astype(float), factors


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_the_gradient_is_that_of_the_likelihood(count):
    ranks, columns, factors = crossed(12, 4)
    model = CumulativeLikelihood(ranks, columns, RandomFactors.of(factors[:count]), 1)
    rng = np.random.default_rng(1)
    for _ in range(3):
        at = model.start + rng.normal(0, 0.4, model.start.size)
        step = 1e-5 * np.eye(at.size)
        slopes = [(model(at + one) - model(at - one)) / 2e-5 for one in step]
        assert model.gradient(at) == pytest.approx(slopes, rel=1e-5, abs=1e-5)


def test_thousands_of_ratings_take_few_evaluations(monkeypatch):
    ranks, columns, factors = crossed(200, 10)
    calls = []
    mode = CumulativeLikelihood._mode
    monkeypatch.setattr(CumulativeLikelihood, "_mode", lambda *args: calls.append(1) or mode(*args))
    found = cumulative_logit(ranks, columns, ("method",), factors)
    assert len(ranks) == 4000
    # With differences of the likelihood, each gradient took twice as many as parameters.
    assert len(calls) < 150
    assert found.coefficients[0].low < 0.8 < found.coefficients[0].high


def test_what_has_no_maximum_is_refused():
    codes = np.array([0, 0, 0, 1, 1, 1])
    separated = codes[:, None].astype(float)
    with pytest.raises(StatisticsError, match="separated"):
        cumulative_logit(codes, separated, ("x",))
    with pytest.raises(StatisticsError, match="one category"):
        cumulative_logit(np.zeros(6, dtype=int), separated, ("x",))
    two = [Factor.of("a", list("aabbcc")), Factor.of("b", list("ababab"))]
    with pytest.raises(StatisticsError, match="single random factor"):
        cumulative_logit(np.array([0, 1, 0, 1, 0, 1]), separated, ("x",), two, points=5)


def test_the_system_of_three_factors_is_solved():
    rng = np.random.default_rng(0)
    factors = RandomFactors.of([Factor(name, rng.integers(0, size, 60))
                                for name, size in (("a", 4), ("b", 12), ("c", 3))])  # fmt: skip
    weights, sds = rng.random(60), np.array([0.7, 1.3, 0.4])
    columns = [np.eye(each.levels)[each.codes] * sd
               for each, sd in zip(factors.factors, sds, strict=True)]  # fmt: skip
    effects = np.hstack(columns)
    full = np.eye(effects.shape[1]) + effects.T @ (weights[:, None] * effects)
    system = factors.system(weights, sds)
    right = rng.normal(size=(len(full), 2))
    assert system.solve(right) == pytest.approx(np.linalg.solve(full, right))
    assert system.solve(right[:, 0]) == pytest.approx(np.linalg.solve(full, right[:, 0]))
    assert system.log_determinant == pytest.approx(np.linalg.slogdet(full)[1])
    assert factors.gather(weights, sds) == pytest.approx(effects.T @ weights)
    assert factors.spread(right[:, 0], sds) == pytest.approx(effects @ right[:, 0])


def test_scores_of_methods_are_compared_in_every_pair():
    rng = np.random.default_rng(8)
    cases, readers = rng.normal(0, 1, 40), rng.normal(0, 0.5, 4)
    rows = [
        RatingRow(f"c{case}", f"R{reader}", float(np.digitize(latent, [-1.5, 0, 1.5])), "", method)
        for case in range(40)
        for reader in range(4)
        for method, effect in (("A", 0.0), ("B", 1.5), ("C", 1.5))
        for latent in [cases[case] + readers[reader] + effect + rng.logistic()]
    ]
    found = ordinal_scores(rows)
    first, second, third = found.pairs
    assert (first.first, first.second) == ("A", "B")
    assert first.log_odds.value < -0.8
    assert first.odds_ratio.value == pytest.approx(np.exp(first.log_odds.value))
    assert first.test.p < 0.001
    assert third.test.p > 0.05
    assert second.log_odds.value == pytest.approx(
        first.log_odds.value + third.log_odds.value, abs=1e-9
    )
    assert found.test.p < 0.001
    with pytest.raises(StatisticsError, match="--method"):
        ordinal_scores([RatingRow("c", "R", 1.0), RatingRow("d", "R", 2.0)])
