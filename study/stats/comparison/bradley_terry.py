"""Strengths of methods from preferences: the Bradley-Terry model with Davidson's ties.

References
----------
R. A. Bradley, M. E. Terry, "Rank analysis of incomplete block designs", Biometrika 39, 1952.
R. R. Davidson, "On extending the Bradley-Terry model to accommodate ties in paired comparison
experiments", Journal of the American Statistical Association 65(329), 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np
from scipy.sparse.csgraph import connected_components

from study.domain.errors import StatisticsError
from study.stats.comparison.preference import Choice, Preference, choice_draws
from study.stats.estimate import LEVEL, Estimate, Floats
from study.stats.intervals import RESAMPLES, RandomOptions, z_interval

STEPS = 50
CLOSE = 1e-10
FAR = 15.0
"""A log-strength beyond this is taken as infinite: the likelihood has no maximum."""
RIDGE = 1e-12
"""Keeps the equations of resamples without a maximum solvable until they are dropped."""
SINGULAR = 1e10
"""Largest condition number of the information for which the parameters are determined."""


@dataclass(frozen=True)
class BradleyTerryFit:
    """Strengths of the methods, fitted by maximum likelihood.

    Parameters
    ----------
    reference : str
        The method whose strength is 0.
    strengths : tuple of Estimate
        Log-strength of each method minus that of the reference, under the method's name. The odds
        that a is preferred to b, given a choice, are exp(a - b).
    side : Estimate or None
        Log odds of left over right for equal methods, if requested.
    ties : Estimate or None
        Davidson's log nu; None if there are no ties.
    log_likelihood : float or None
    n : int
        Answers, without those to null pairs.
    reason : str or None
        Why there is no fit.
    """

    reference: str
    strengths: tuple[Estimate, ...]
    side: Estimate | None
    ties: Estimate | None
    log_likelihood: float | None
    n: int
    reason: str | None = None

    def of(self, method: str) -> Estimate:
        """The strength of one method."""
        for strength in self.strengths:
            if strength.name == method:
                return strength
        raise StatisticsError(f"there is no method {method!r}")


def bradley_terry(
    choices: Sequence[Choice],
    reference: str | None = None,
    *,
    side: bool = False,
    **options: Unpack[RandomOptions],
) -> BradleyTerryFit:
    """Maximum-likelihood strengths with large-sample standard errors.

    Parameters
    ----------
    choices : sequence of Choice
        Null pairs and missing answers are left out.
    reference : str, optional
        The method whose strength is 0; by default the first in alphabetical order.
    side : bool
        Also estimate an advantage of the left side.
    **options
        See `RandomOptions`.

    Raises
    ------
    StatisticsError
        There are fewer than two methods, or the reference is not one of them.
    """
    answered = [c for c in choices if c.preferred is not None and not c.null]
    methods = sorted({method for c in answered for method in (c.left, c.right)})
    if len(methods) < 2:
        raise StatisticsError(f"strengths need two methods, got {', '.join(methods) or 'none'}")
    reference = methods[0] if reference is None else reference
    if reference not in methods:
        raise StatisticsError(f"there is no method {reference!r}: choose from {', '.join(methods)}")
    model, level = _LogitModel(answered, methods, reference, side), options.get("level", LEVEL)
    reason = model.undetermined()
    if reason is None:
        theta, covariance, likelihood = model.fit(model.chosen.sum(axis=0))
        if np.isfinite(theta).all():
            found = _estimates(model, answered, (theta[0], covariance[0]), **options)
            return _result(model, found, float(likelihood[0]), len(answered), None)
        reason = (
            "the likelihood has no single maximum: the effect of the side cannot be separated from "
            "the strengths"
        )
    missing = Estimate("", None, "maximum likelihood", len(answered), level=level, reason=reason)
    found = [replace(missing, name=name) for name in model.names]
    return _result(model, found, None, len(answered), reason)


class _LogitModel:
    """The outcomes of each choice as a multinomial logit, linear in the parameters.

    The parameters are the log-strengths of all methods except the reference, then the advantage of
    the left side if requested, then log nu if there are ties.
    """

    def __init__(
        self, choices: Sequence[Choice], methods: Sequence[str], reference: str, side: bool
    ) -> None:
        self.methods, self.reference, self.side = methods, reference, side
        self.free = [method for method in methods if method != reference]
        self.ties = any(c.preferred == Preference.TIE for c in choices)
        self.names = [*self.free, *["side"] * side, *["ties"] * self.ties]
        outcomes = [Preference.LEFT, Preference.RIGHT, *[Preference.TIE] * self.ties]
        self.shown = sorted({(c.left, c.right) for c in choices})
        self.design: Floats = np.array(
            [[self._weights(pair, outcome) for outcome in outcomes] for pair in self.shown]
        )
        self.chosen: Floats = np.zeros((len(choices), len(self.shown), len(outcomes)))
        for i, c in enumerate(choices):
            assert c.preferred is not None
            place = self.shown.index((c.left, c.right))
            self.chosen[i, place, outcomes.index(c.preferred)] = 1.0

    def _weights(self, pair: tuple[str, str], outcome: Preference) -> list[float]:
        """Coefficients of the parameters in the logit of an outcome."""
        left = {Preference.LEFT: 1.0, Preference.RIGHT: 0.0, Preference.TIE: 0.5}[outcome]
        weights = [left * (pair[0] == m) + (1 - left) * (pair[1] == m) for m in self.free]
        weights += [left - 0.5] * self.side
        return weights + [float(outcome == Preference.TIE)] * self.ties

    def undetermined(self) -> str | None:
        """The reason why no finite strengths exist (Ford's condition), or None."""
        beats = np.zeros((len(self.methods), len(self.methods)))
        for pair, outcome in zip(self.shown, self.chosen.sum(axis=0), strict=True):
            left, right = (self.methods.index(method) for method in pair)
            tied = outcome[2] if self.ties else 0.0
            beats[left, right] += outcome[0] + tied
            beats[right, left] += outcome[1] + tied
        parts, part = connected_components(beats > 0, directed=True, connection="strong")
        if parts == 1:
            return None
        groups = [
            ", ".join(m for m, p in zip(self.methods, part, strict=True) if p == i)
            for i in range(parts)
        ]
        return (
            f"the groups ({'), ('.join(groups)}) never meet, or one always wins against another: "
            "some strength is infinite or unknown"
        )

    def fit(self, counts: Floats) -> tuple[Floats, Floats, Floats]:
        """Newton's method on all resamples at once, from how often each outcome was chosen.

        Returns the parameters, covariances and log-likelihoods of each resample. Parameters are
        NaN for resamples without a single finite maximum.
        """
        counts = counts.reshape(-1, *self.chosen.shape[1:])
        size = len(self.names)
        theta = np.zeros((len(counts), size))
        ridge = RIDGE * np.eye(size)
        converged = np.zeros(len(counts), dtype=bool)
        for _ in range(STEPS):
            gradient, information, _likelihood = self._derivatives(theta, counts)
            step = np.linalg.solve(information + ridge, gradient[:, :, None])[:, :, 0]
            largest = np.abs(step).max(axis=1)
            converged = largest < CLOSE
            if converged.all():
                break
            theta = np.clip(theta + step / np.maximum(1.0, largest)[:, None], -2 * FAR, 2 * FAR)
        _gradient, information, likelihood = self._derivatives(theta, counts)
        lost = ~converged | (np.abs(theta).max(axis=1) > FAR)
        lost |= np.linalg.cond(information + ridge) > SINGULAR
        information[lost] = np.eye(size)
        theta[lost] = np.nan
        covariance: Floats = np.linalg.inv(information).astype(np.float64)
        return theta, covariance, likelihood

    def _derivatives(self, theta: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
        """Gradient, information and log-likelihood of each resample."""
        logits = np.einsum("pok,bk->bpo", self.design, theta)
        logits -= logits.max(axis=2, keepdims=True)
        log_sums = np.log(np.exp(logits).sum(axis=2, keepdims=True))
        chances = np.exp(logits - log_sums)
        shown = counts.sum(axis=2)
        mean = np.einsum("bpo,pok->bpk", chances, self.design)
        gradient = np.einsum("bpo,pok->bk", counts, self.design)
        gradient -= np.einsum("bp,bpk->bk", shown, mean)
        information = np.einsum(
            "bp,bpo,pok,pol->bkl", shown, chances, self.design, self.design, optimize=True
        )
        information -= np.einsum("bp,bpk,bpl->bkl", shown, mean, mean, optimize=True)
        return gradient, information, (counts * (logits - log_sums)).sum(axis=(1, 2))


def _estimates(
    model: _LogitModel,
    choices: Sequence[Choice],
    fitted: tuple[Floats, Floats],
    **options: Unpack[RandomOptions],
) -> list[Estimate]:
    (theta, covariance), level = fitted, options.get("level", LEVEL)
    draws = resamples = None
    if options.get("resamples", RESAMPLES):
        resamples, draws = choice_draws(
            choices, model.chosen.reshape(len(choices), -1), lambda sums: model.fit(sums)[0],
            **options,
        )  # fmt: skip
    found = []
    for i, name in enumerate(model.names):
        value, se = float(theta[i]), float(np.sqrt(covariance[i, i]))
        bootstrap = None
        if resamples is not None and draws is not None:
            bootstrap = resamples.interval(value, draws.of(i), level)
        fit = Estimate(
            name, value, "maximum likelihood", len(choices), se, level=level, bootstrap=bootstrap
        )
        found.append(fit.with_interval(z_interval(value, se, level)))
    return found


def _result(
    model: _LogitModel, found: list[Estimate], likelihood: float | None, n: int, reason: str | None
) -> BradleyTerryFit:
    base = Estimate(model.reference, 0.0, "the reference", n, reason="it is 0 by definition")
    if reason is not None:
        base = replace(base, value=None, reason=reason)
    strengths = dict(zip(model.free, found, strict=False))
    rest = found[len(model.free) :]
    return BradleyTerryFit(
        model.reference,
        tuple(strengths.get(method, base) for method in model.methods),
        rest[0] if model.side else None,
        rest[-1] if model.ties else None,
        likelihood,
        n,
        reason,
    )
