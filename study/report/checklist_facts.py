"""What a study's own data say about the items of reporting checklists, as sentences by key.

A sentence is empty where the data say nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from enhancers import __version__
from study.analysis.categories import CategoryResult
from study.analysis.measures import MeasureResult
from study.analysis.records import (
    EXCLUDED,
    INCLUDED,
    NEVER_JOINED,
    NOT_QUALIFIED,
    WITHDRAWN,
)
from study.analysis.results import CriterionResult
from study.domain.formatting import date_time, decimal, percent, plural
from study.domain.inference import Hypothesis
from study.domain.questions import CANNOT_JUDGE
from study.domain.terms import Role
from study.report.accuracy import cutoff_words
from study.report.cells import limits
from study.report.context import ReportContext
from study.report.overview import pairs_of_each_role, session_words
from study.stats.estimate import Estimate
from study.stats.reliability.intra_reader import POOLED, RepeatReliability


def facts(context: ReportContext) -> Mapping[str, str]:
    """All sentences, by the keys that `study.report.checklists` uses."""
    return {
        **_design(context),
        **_people(context),
        **_cases(context),
        **_conduct(context),
        **_results(context),
    }


def _design(context: ReportContext) -> dict[str, str]:
    data, study, unit = context.data, context.data.study, context.unit
    protocol = data.protocol
    goal = "No primary comparison was declared; all results are secondary."
    found = context.analysis.primary
    if found is not None:
        relation = {
            Hypothesis.DIFFERENCE: "differ",
            Hypothesis.NON_INFERIORITY: "non-inferiority of the first",
            Hypothesis.EQUIVALENCE: "equivalence",
        }[found.outcome.hypothesis]
        goal = (
            f"Primary comparison, declared before the first rating: {context.method(found.first)} "
            f"and {context.method(found.second)}, {context.question_name(found.question)}, "
            f"{relation}; α = {protocol.alpha:g}."
        )
    sides = "" if protocol.single else "sides in balanced blocks, "
    named = sum(bool(one.parameters) for one in data.methods)
    return {
        "goal": goal,
        "prospective": f"Ratings were collected prospectively by a protocol frozen on "
        f"{date_time(study.frozen_at)}." if study.frozen_at else "",
        "questions": f"{plural(len(protocol.questions), 'question')}: "
        f"{', '.join(context.question_name(one.code) for one in protocol.questions)}; scales under "
        "Design and protocol.",
        "process": f"Blinded {unit}s of {plural(len(data.methods), 'method')}; randomised "
        f"({sides}an order of each reader’s own); for each reader {pairs_of_each_role(context)}. "
        f"{session_words(context)}".rstrip(),
        "blinding": "Readers saw neither methods nor file names: raw pixels of equal length under "
        "random names; names were in a key file outside the study."
        + (_guessed(context) or ""),
        "independence": "Each reader read a plan of their own and saw no answer of others.",
        "rendering": "All images of a case had the same size, depth and display window, and were "
        "rendered before the freeze.",
        "metadata": "Readers got pixels without metadata; labels of cases and patients in this "
        "report are random.",
        "methods": f"{plural(len(data.methods), 'method')}: "
        f"{', '.join(one.label for one in data.methods)}."
        + (f" Parameters of {named} are under Design and protocol." if named else ""),
        "protocol": f"Protocol frozen on {date_time(study.frozen_at)}, SHA-256 "
        f"{study.protocol_sha256[:16]}…, before the first rating." if study.frozen_at else "",
        "exports": "Ratings, codebook and this report are exported; the same ratings and seed "
        "reproduce the report.",
        "software": f"Reading Room {__version__}; libraries under Reproducibility.",
        "statistics": f"Obuchowski–Rockette for mean scores and areas, bootstrap of "
        f"{context.analysis.options.resamples} samples for agreement and preferences; random: "
        f"{context.random}; {context.level} intervals; α = {protocol.alpha:g}; Bonferroni, Holm.",
        "sensitivity": "Paired t, Wilcoxon and binomial tests as secondary analyses.",
        "dates": f"Read from {date_time(study.opened_at)} to {date_time(study.closed_at)}."
        if study.opened_at and study.closed_at
        else "",
        "title": f"“{protocol.title}”",
    }  # fmt: skip


def _guessed(context: ReportContext) -> str:
    found = context.analysis.blinding
    if found is None:
        return ""
    value = found.index.james.value
    return f" James’s blinding index {decimal(value)}." if value is not None else ""


def _people(context: ReportContext) -> dict[str, str]:
    readers = context.data.readers
    included = [one for one in readers if one.state == INCLUDED]
    simulated = sum(one.simulated for one in included)
    counted = Counter(one.state for one in readers)
    others = [
        f"{counted[state]} {words}"
        for state, words in (
            (WITHDRAWN, "withdrew"), (EXCLUDED, "excluded"), (NEVER_JOINED, "never joined"),
            (NOT_QUALIFIED, "did not qualify"),
        )
        if counted[state]
    ]  # fmt: skip
    number = plural(len(included), "reader") + " analysed"
    if others:
        number += f" ({', '.join(others)})"
    if simulated:
        number += f"; {simulated} of them simulated by a program"
    people = [one for one in included if not one.simulated]
    fields = Counter(one.specialty for one in people if one.specialty)
    years = [one.experience_years for one in people if one.experience_years is not None]
    expertise = ""
    if fields:
        expertise = f"Specialty: {', '.join(f'{name} {n}' for name, n in fields.items())}."
    if years:
        expertise += (
            f" Years of experience: median {decimal(float(np.median(years)), 0)} ({min(years)} to "
            f"{max(years)}), stated by {len(years)} of {len(people)}."
        )
    checked = sum(one.display_check == "passed" for one in included)
    return {
        "readers": f"{number}.",
        "expertise": expertise.strip(),
        "displays": f"Display check passed by {checked} of {plural(len(included), 'reader')}.",
    }


def _cases(context: ReportContext) -> dict[str, str]:
    data, mains = context.data, context.main_observations
    cases, patients = len({one.case for one in mains}), len({one.patient for one in mains})
    used = {one.case for one in mains}
    kinds = Counter(one.modality for one in data.cases if one.case in used and one.modality)
    what = f" ({', '.join(f'{name} {n}' for name, n in sorted(kinds.items()))})" if kinds else ""
    truths = Counter(one.truth for one in data.cases if one.case in used and one.truth)
    out = sum(one.kind == "case" and not one.undoes for one in data.exclusions)
    training = sum(one.training for one in data.cases)
    apart = f"; {plural(training, 'case')} for training only" if training else ""
    return {
        "cases": f"{plural(cases, 'case')} of {plural(patients, 'patient')}{what}{apart}.",
        "excluded": f"{plural(out, 'decision')} to exclude a case, and those about readers, are "
        "under Withdrawals, exclusions, comments.",
        "truth": f"Truth of the cases: {truths['yes']} positive, {truths['no']} negative."
        if truths
        else "",
        "clusters": "Cases of a patient are one unit in tests and intervals.",
    }


def _conduct(context: ReportContext) -> dict[str, str]:
    data, mains = context.data, context.main_observations
    included = [one for one in data.readers if one.state == INCLUDED]
    missing = Counter(one.missing for one in mains if one.missing)
    reasons = ", ".join(f"{reason} {number}" for reason, number in sorted(missing.items()))
    repeats = {(one.reader, one.pair) for one in data.observations if one.role is Role.REPEAT}
    seconds = [one.seconds for one in context.analysis.conduct.readers if one.seconds is not None]
    unit = context.unit
    return {
        "numbers": f"{sum(one.read for one in included)} of "
        f"{sum(one.planned for one in included)} main {unit}s read; {len(mains)} answers planned, "
        f"{sum(missing.values())} missing.",
        "repeats": f"{len(repeats)} hidden repeats planned over all readers." if repeats else "",
        "missing": f"Missing answers: {reasons or 'none'}; not imputed, counted by method.",
        "indeterminate": f"“Cannot judge”: {missing[CANNOT_JUDGE]} of {len(mains)} answers "
        f"({percent(missing[CANNOT_JUDGE] / len(mains), 1)}), left out of means and areas."
        if mains
        else "",
        "time": f"Median of the readers’ median time: {decimal(float(np.median(seconds)), 0)} s "
        f"per {unit}." if seconds else "",
    }  # fmt: skip


def _results(context: ReportContext) -> dict[str, str]:
    analysis = context.analysis
    found = dict.fromkeys(("agreement", "intra", "accuracy", "cutoff", "estimates", "primary"), "")
    criteria = sorted(analysis.criteria, key=lambda one: not one.primary)
    scored = [
        (
            one.primary, one.question, one.repeats,
            f"Fleiss’ κ {_value(one.agreement[-1].fleiss)}, ", one.agreement[-1].reliability,
        )
        for one in criteria
    ]  # fmt: skip
    scored += [
        (one.primary, one.question, one.repeats, "", one.reliability[-1][1])
        for one in analysis.measures
    ]
    if scored:
        _, code, repeats, kappa, between = min(scored, key=lambda one: not one[0])
        name = context.question_name(code)
        found["agreement"] = (
            f"{name}, all methods: {kappa}ICC(A,1) {_value(between.form('A,1'))}; by method under "
            "each question."
        )
        found["intra"] = _intra(name, repeats)
    curves: list[CriterionResult | MeasureResult] = [*criteria, *analysis.measures]
    for result in sorted(curves, key=lambda one: not one.primary):
        if not found["accuracy"] and result.roc is not None and result.roc.areas is not None:
            areas = ", ".join(
                f"{context.method(one.name)} {_value(one)}" for one in result.roc.areas.methods
            )
            found["accuracy"] = f"ROC area, {context.question_name(result.question)}: {areas}."
    found |= _accuracy(context, found["accuracy"])
    found["estimates"] = f"All estimates have {context.level} intervals or the reason why not."
    primary = analysis.primary
    if primary is not None and primary.estimate.value is not None:
        share = context.question(primary.question).of_pair
        found["primary"] = f"Primary estimate: {_value(primary.estimate, share=share)}."
    return found


def _accuracy(context: ReportContext, areas: str) -> dict[str, str]:
    """Sensitivity and specificity of the first question that has them, after the ROC areas."""
    analysis = context.analysis
    results: list[CriterionResult | MeasureResult | CategoryResult] = [
        *analysis.criteria, *analysis.measures, *analysis.categories
    ]  # fmt: skip
    for one in sorted(results, key=lambda result: not result.primary):
        known = one.accuracy.found if one.accuracy is not None else None
        if known is None or not known.sensitivity or not known.specificity:
            continue
        name = context.question_name(one.question)
        shares = ", ".join(
            f"{context.method(first.name)} {_value(first, share=True)} and "
            f"{_value(second, share=True)}"
            for first, second in zip(
                known.sensitivity.methods, known.specificity.methods, strict=True
            )
        )
        words = cutoff_words(context.question(one.question))
        return {
            "accuracy": f"{areas} Sensitivity and specificity, {name}: {shares}.".strip(),
            "cutoff": f"Answers to {name} that call a case positive: {words}, the upper part of "
            "the scale, fixed before the first rating. Counts by reader and method are under the "
            "question.",
        }
    return {"accuracy": areas}


def _intra(name: str, repeats: Iterable[RepeatReliability]) -> str:
    for one in repeats:
        if one.rater == POOLED:
            return f"Hidden repeats, {name}: ICC(A,1) {_value(one.icc)}."
    return ""


def _value(estimate: Estimate, *, share: bool = False) -> str:
    if estimate.value is None:
        return "undefined"
    written = percent(estimate.value) if share else decimal(estimate.value)
    ends = limits(estimate.bootstrap or estimate, share=share)
    return f"{written} ({ends})" if ends else written
