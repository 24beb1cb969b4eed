
# What follows needs Python 3.9 or later with numpy, scipy and pandas, and nothing else.

import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

PART = 0.25  # How far the weights of a resample go from all ones to those of a drawn sample.
UNDEFINED = "undefined: the data do not tell how precise the estimate is"


def read(path):
    """The main answers to the question that were not excluded, in the order of the file."""
    table = pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    kept = table[(table.question == QUESTION) & (table.role == "main") & (table.excluded == "")]
    kept = kept.assign(value=pd.to_numeric(kept.value))
    if RANKS:  # The number of worse images of a ranking, ties counted half: more is better.
        ranks = kept.groupby(["reader", "pair"]).value
        kept = kept.assign(value=ranks.transform("count") - ranks.rank(method="average"))
    return kept


def variance(of_readers, shared, readers, patients):
    """Variance of the mean, with Satterthwaite's degrees of freedom (Hillis 2007)."""
    shared = max(shared, 0.0)
    if RANDOM == "readers":
        return of_readers, readers - 1
    if RANDOM == "cases":
        return shared, patients - 1
    total = of_readers + shared
    spread = of_readers**2 / (readers - 1) + shared**2 / (patients - 1)
    return total, total**2 / spread if spread > 0 else math.nan


def scores(table):
    """Mean difference of scores, by Obuchowski and Rockette on means of patients (1995)."""
    # A reader may see an image several times: the first rating counts, even where it is missing.
    first = table[table.counts_for_kappa == "1"].set_index(["patient", "case", "reader", "method"])
    wide = first.value.unstack("method").reindex(columns=list(PAIR))
    difference = (wide[PAIR[0]] - wide[PAIR[1]]).dropna()
    means = difference.groupby(["patient", "reader"]).mean().unstack("reader").to_numpy(float)
    if not means.size:
        return None
    patients, readers = means.shape
    by_reader = np.nanmean(means, axis=0)
    value = by_reader.mean()
    few = (RANDOM != "cases" and readers < 2) or (RANDOM != "readers" and patients < 2)
    if few:
        return value, None, None
    there = ~np.isnan(means)
    centred = np.where(there, means - by_reader, 0.0)
    number, both = there.sum(axis=0), there.T.astype(float) @ there
    covariance = centred.T @ centred * both / np.maximum(both - 1, 1) / np.outer(number, number)
    if RANDOM == "cases":
        of_readers, shared = 0.0, covariance.sum() / readers**2
    else:
        of_readers = by_reader.var(ddof=1) / readers
        shared = (covariance.sum() - np.trace(covariance)) / max(readers * (readers - 1), 1)
    return (value, *variance(of_readers, shared, readers, patients))


def preferences(table):
    """Share of decided preferences, by a bootstrap over readers and patients (Owen 2007)."""
    shown = table[table.left.isin(PAIR) & table.right.isin(PAIR) & (table.left != table.right)]
    shown = shown.dropna(subset=["value"])
    preferred = shown.left.where(shown.value < 0, shown.right).where(shown.value != 0)
    decided = preferred.notna().to_numpy(float)
    won = (preferred == PAIR[0]).to_numpy(float)
    if not decided.sum():
        return None
    rows, _ = pd.factorize(shown.reader, sort=True)
    columns, _ = pd.factorize(shown.patient)
    shape = rows.max() + 1, columns.max() + 1
    wins, trials = np.zeros(shape), np.zeros(shape)
    np.add.at(wins, (rows, columns), won)
    np.add.at(trials, (rows, columns), decided)
    value, counts = wins.sum() / trials.sum(), dict(zip(("readers", "cases"), shape))
    wanted = [name for name in counts if RANDOM in (name, "both")]
    if min(counts[name] for name in wanted) < 2 or not 0 < value < 1:
        return value, None, None
    rng = np.random.default_rng(SEED)
    # The patients are drawn before the readers, as in the report.
    weights = {name: _weights(rng, counts[name]) for name in ("cases", "readers")}
    ones = {name: np.ones((RESAMPLES, counts[name])) for name in counts}

    def draws(*names):
        of_readers, of_cases = (
            (weights if name in names else ones)[name] for name in ("readers", "cases")
        )
        above = ((of_readers @ wins) * of_cases).sum(axis=1)
        return above / ((of_readers @ trials) * of_cases).sum(axis=1)

    drawn = {name: draws(name) for name in wanted}
    factor = {name: counts[name] / (counts[name] - 1) / PART**2 for name in wanted}
    part = {name: factor[name] * drawn[name].var() for name in wanted}
    if RANDOM == "both":
        # What both draws together add to the two on their own is noise, which counts once.
        noise = draws("readers", "cases") - drawn["readers"] - drawn["cases"]
        part["cases"] -= factor["readers"] * factor["cases"] * noise.var()
    found, df = variance(part.get("readers", 0.0), part.get("cases", 0.0), *shape)
    return value, found, df


def _weights(rng, count):
    return 1 + PART * (rng.multinomial(count, [1 / count] * count, size=RESAMPLES) - 1.0)


def logit(share):
    return math.log(share / (1 - share))


def conclusion(value, error, df):
    """Interval at 1 - ALPHA, and the test of the hypothesis."""
    lower, upper, centre = -MARGIN, MARGIN, value
    if PREFERENCES:  # On the log odds, where the interval has no ends.
        lower, upper = logit(0.5 - MARGIN), logit(0.5 + MARGIN)
        centre, error = logit(value), error / (value * (1 - value))
    quantile = stats.t.ppf(1 - ALPHA / 2, df)
    ends = [centre - quantile * error, centre + quantile * error]
    if PREFERENCES:
        ends = [1 / (1 + math.exp(-end)) for end in ends]
    else:
        ends = [max(ends[0], -SPAN), min(ends[1], SPAN)]
    above, below = (centre - lower) / error, (centre - upper) / error
    t, p = {
        "difference": lambda: (centre / error, 2 * stats.t.sf(abs(centre) / error, df)),
        "non-inferiority": lambda: (above, stats.t.sf(above, df)),
        "equivalence": lambda: max(
            (above, stats.t.sf(above, df)), (below, stats.t.cdf(below, df)), key=lambda one: one[1]
        ),
    }[HYPOTHESIS]()
    limit = ALPHA if HYPOTHESIS == "difference" else ALPHA / 2
    return {
        "low": ends[0], "high": ends[1], "t": t, "df": df, "p": p, "limit": limit,
        "shown": "yes" if p < limit else "no",
    }


def main():
    beside = Path(__file__).resolve().parent / "ratings.csv"
    table = read(sys.argv[1] if len(sys.argv) > 1 else beside)
    found = (preferences if PREFERENCES else scores)(table)
    what = "share of wins" if PREFERENCES else "mean difference"
    print(f"{QUESTION}: {what}, {PAIR[0]} {'over' if PREFERENCES else 'minus'} {PAIR[1]}")
    print(f"hypothesis: {HYPOTHESIS}; random: {RANDOM}; interval at {100 * (1 - ALPHA):g} %")
    if found is None:
        print("result: undefined: the two methods have no answers to compare")
        return
    value, square, df = found
    print(f"value: {value:.10g}")
    if square is None or not square > 1e-20:
        print(f"result: {UNDEFINED}")
        return
    for name, number in conclusion(value, math.sqrt(square), df).items():
        print(f"{name}: {number if isinstance(number, str) else format(number, '.10g')}")


if __name__ == "__main__":
    main()
