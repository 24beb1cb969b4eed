"""Kinds of preferences in pairs, and of guesses: they are not scores of images."""

from __future__ import annotations

from collections.abc import Sequence

from study.domain.errors import StatisticsError
from study.domain.formatting import plural
from study.stats.comparison.blinding_index import Guess, blinding_index
from study.stats.comparison.bradley_terry import bradley_terry
from study.stats.comparison.preference import Choice, null_pairs, side_check, win_rates
from study.stats.intervals import proportion
from study.stats.kinds.results import Entries, KindOptions, MethodResults
from study.stats.multiple_testing import correct


def preference(choices: Sequence[Choice], options: KindOptions) -> MethodResults:
    """Win rates, Bradley-Terry strengths, and the effect of the side."""
    shown = [choice for choice in choices if not choice.null]
    if not shown:
        raise StatisticsError("no pair shows two methods: there is nothing to prefer")
    rates = win_rates(shown, **options.intervals)
    results: Entries = {
        "pairs": rates,
        "corrected": correct([rate.test.p for rate in rates]),
        "strengths": bradley_terry(shown, side=True, **options.intervals),
        "side": side_check(shown),
    }
    if len(shown) < len(choices):
        results["identical_pairs"] = null_pairs(choices)
    answered = sum(choice.preferred is not None for choice in choices)
    items, readers = {one.item for one in choices}, {one.reader for one in choices}
    return MethodResults("", len(items), len(readers), answered, results)


def blinding(guesses: Sequence[Guess]) -> tuple[Entries, str]:
    """Blinding indices and shares of correct guesses; and how many guesses there are."""
    index = blinding_index(guesses)
    correct_ones = [
        proportion(f"{method} guessed correctly", row[place], sum(row[:-1]))
        for place, (method, row) in enumerate(zip(index.methods, index.counts, strict=True))
    ]
    return {**vars(index), "correct": correct_ones}, plural(len(guesses), "guess", "guesses")
