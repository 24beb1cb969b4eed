"""Agreement in the population of readers and patients that a simulation draws from."""

from __future__ import annotations

import numpy as np

from benchmarks.coverage.simulation import Clustering, Design, simulate
from study.stats.agreement.chance_agreement import agreement_weights
from study.stats.agreement.disagreement import OrdinalDisagreement
from study.stats.reliability.anova import mean_squares
from study.stats.scale import Scale
from study.stats.table import from_matrix

READERS, PATIENTS = 400, 2500
SCALE = Scale.span(1, 5)


def population(clustering: Clustering, seed: int) -> dict[str, float]:
    """Coefficients of agreement and the standard error of measurement of very many readers."""
    study = simulate(Design(PATIENTS, 1, READERS), clustering, np.random.default_rng(seed))
    chosen = study.scores[0][:, :, None] == np.asarray(SCALE.scores)
    counts = chosen.sum(axis=1).astype(np.float64)
    share = counts.sum(axis=0) / counts.sum()
    found = {}
    for name, weighting in (
        ("kappa", "identity"),
        ("quadratic", "quadratic"),
        ("ac2", "quadratic"),
    ):
        weights = agreement_weights(SCALE, weighting)
        pairs = READERS * (READERS - 1)
        observed = float((counts * (counts @ weights - 1)).sum(axis=1).mean() / pairs)
        chance = float(share @ weights @ share)
        if name == "ac2":
            size = SCALE.size
            chance = float(weights.sum() / (size * (size - 1)) * (share * (1 - share)).sum())
        found[name] = (observed - chance) / (1 - chance)
    ordinal = OrdinalDisagreement(from_matrix(study.scores[0], SCALE))
    apart, by_chance = ordinal.of(np.ones((1, PATIENTS)))
    squares = mean_squares(study.scores[0])
    # Spearman's correlation of two readers is the product of their standardised ranks.
    ranks = (study.ranks - 2) / np.sqrt(2)
    together = float((ranks.sum(axis=2) ** 2).sum(axis=0).mean())
    return {
        **found,
        "concordance": (together - READERS) / (READERS * (READERS - 1)),
        "alpha": 1 - float(apart[0] / by_chance[0]),
        "icc": float(squares.icc("A,1")[0]),
        "sem": float(squares.sem("agreement")[0]),
    }
