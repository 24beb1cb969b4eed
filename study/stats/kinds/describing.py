"""Kinds that describe the ratings of one method: agreement, reliability, repeatability."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from study.stats.agreement import coefficients as agreement
from study.stats.agreement.chance_agreement import WEIGHTINGS
from study.stats.agreement.cohen import pairwise_kappas
from study.stats.agreement.krippendorff import METRICS, krippendorff_alpha
from study.stats.kinds.results import Entries, KindOptions
from study.stats.reliability.inter_reader import FORMS, reliability
from study.stats.reliability.intra_reader import all_repeats
from study.stats.reliability.repeatability import repeatability, subjects
from study.stats.scale import Scale
from study.stats.summary import summarise
from study.stats.table import RatingRow, Ratings, tabulate

Kind = Callable[[Sequence[RatingRow], Scale, KindOptions], Entries]


def _fleiss(ratings: Ratings, options: KindOptions) -> Entries:
    return {
        "kappa": agreement.fleiss_kappa(ratings, **options.intervals),
        "kappa_linear": agreement.fleiss_kappa(ratings, "linear", **options.intervals),
        "kappa_quadratic": agreement.fleiss_kappa(ratings, "quadratic", **options.intervals),
        "kappa_per_category": agreement.category_kappas(ratings),
        "null_test": agreement.null_test(ratings),
        "conger": agreement.conger_kappa(ratings, **options.intervals),
        # Kappa collapses where one category prevails, so these are always reported with it.
        "agreement": agreement.raw_agreement(ratings, **options.intervals),
        "ac1": agreement.gwet_ac(ratings, **options.intervals),
        "summary": summarise(ratings),
    }


def _gwet(ratings: Ratings, options: KindOptions) -> Entries:
    found: Entries = {}
    metrics = {"identity": "nominal", "quadratic": "interval"}
    for weighting in WEIGHTINGS:
        ending = "" if weighting == "identity" else f"_{weighting}"
        found[f"ac2{ending}" if ending else "ac1"] = agreement.gwet_ac(
            ratings, weighting, **options.intervals
        )
        found[f"fleiss{ending}"] = agreement.fleiss_kappa(ratings, weighting, **options.intervals)
        found[f"conger{ending}"] = agreement.conger_kappa(ratings, weighting, **options.intervals)
        found[f"brennan_prediger{ending}"] = agreement.brennan_prediger(
            ratings, weighting, **options.intervals
        )
        if weighting in metrics:
            found[f"krippendorff{ending}"] = krippendorff_alpha(
                ratings, metrics[weighting], **options.intervals
            )
        found[f"agreement{ending}"] = agreement.raw_agreement(
            ratings, weighting, **options.intervals
        )
    return found


def _alpha(ratings: Ratings, options: KindOptions) -> Entries:
    return {metric: krippendorff_alpha(ratings, metric, **options.intervals) for metric in METRICS}


def _cohen(ratings: Ratings, _: KindOptions) -> Entries:
    names = {"identity": "unweighted"}
    return {names.get(each, each): pairwise_kappas(ratings, each) for each in WEIGHTINGS}


def _icc(ratings: Ratings, options: KindOptions) -> Entries:
    found = reliability(ratings, **options.intervals)
    forms = dict(zip((f"ICC({form})" for form in FORMS), found.icc, strict=True))
    return {
        **forms,
        "anova": found.anova,
        "complete_items": found.items - found.incomplete,
        "incomplete_items": found.incomplete,
        "flagged_below_0.8": found.flagged,
    }


def _reliability(rows: Sequence[RatingRow], scale: Scale, options: KindOptions) -> Entries:
    first = [row for row in rows if row.replicate == 1]
    found: Entries = {}
    if len({row.rater for row in first}) > 1 or len(first) == len(rows):
        found["between_readers"] = reliability(tabulate(first, scale), **options.intervals)
    if len(first) < len(rows):
        found["within_reader"] = all_repeats(rows, scale, **options.intervals)
    return found


def _within_subject(rows: Sequence[RatingRow], _: Scale, __: KindOptions) -> Entries:
    return vars(repeatability(subjects(rows)))


def _of_table(kind: Callable[[Ratings, KindOptions], Entries]) -> Kind:
    """A kind of a table, for ratings in long form."""
    return lambda rows, scale, options: kind(tabulate(rows, scale), options)


DESCRIBING: Mapping[str, Kind] = {
    "fleiss": _of_table(_fleiss),
    "gwet": _of_table(_gwet),
    "alpha": _of_table(_alpha),
    "icc": _of_table(_icc),
    "cohen": _of_table(_cohen),
    "reliability": _reliability,
    "within-subject": _within_subject,
}
"""Kinds by name."""
REPEATED = frozenset({"reliability", "within-subject"})
"""Kinds that use repeat readings."""
SCALED = frozenset({"fleiss", "gwet", "alpha", "cohen"})
"""Kinds that depend on all categories of the scale, including unused ones."""
