"""Agreement in the population of readers and patients that a simulation draws from."""

from __future__ import annotations

import numpy as np

from benchmarks.coverage.simulation import Clustering, Design, simulate
from study.stats.agreement.chance_agreement import agreement_weights
from study.stats.scale import Scale

READERS, PATIENTS = 400, 2500
SCALE = Scale.span(1, 5)


def population(clustering: Clustering, seed: int) -> dict[str, float]:
    """Fleiss' kappa, its quadratic form and quadratic AC2 of very many readers and patients."""
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
    return found
