"""Small tables printed in the literature, and short ways to build ratings."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from study.stats.comparison.preference import Choice, Preference
from study.stats.scale import Scale
from study.stats.table import RatingRow, Ratings, from_matrix

NAN = float("nan")
FIVE = Scale.span(1, 5)

# Fleiss 1971, table 1: 30 patients, six psychiatrists, five diagnoses; raters are anonymous.
FLEISS = """
444444 222555 233335 555555 222444 113333 333355 113334 114444 555555
144444 124444 222333 144444 224445 333335 111455 111112 224444 133555
555555 244444 224555 114444 144445 222224 111155 224444 133333 555555
"""
# Gwet's example of four raters and twelve units, with missing ratings.
GWET = [
    [1, 1, NAN, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
    [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [NAN, 5, 5, 5], [NAN, NAN, 1, 1], [NAN, NAN, 3, NAN],
]  # fmt: skip
# Krippendorff 2011, section C: four observers, twelve units.
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]
# Shrout and Fleiss 1979, table 2: six targets, four judges.
SHROUT_FLEISS = [
    [9, 2, 5, 8],
    [6, 1, 3, 2],
    [8, 4, 6, 8],
    [7, 1, 2, 6],
    [10, 5, 6, 9],
    [6, 2, 4, 7],
]
# Anxiety ratings of 20 students by three raters (R package irr).
ANXIETY = """
332 361 344 464 523 542 221 346 531 231 221 632 133 533 221 221 113 233 432 342
"""
# Van Dyke et al. 1993: 114 cases, five readers, one string a modality (as in R package MRMCaov).
VAN_DYKE = {
    1: """
12213 23215 22211 12212 52311 12511 12131 12111 12212 13212 12412 12211 45412 12211 12211 12211
13312 12212 12211 12211 12123 12212 32312 12211 34421 12111 12111 22312 12211 43221 12112 12111
12211 12212 12213 32411 12112 22212 12111 22411 12111 12213 22113 32113 32212 12211 32211 12211
12232 32231 32311 12211 12111 12111 12211 12111 12111 24213 23214 12111 12112 13513 12111 32432
32211 22112 12211 12111 12213 55555 53452 55555 55552 45555 55555 55555 54555 42551 55555 55554
55555 44554 34455 42252 22312 42553 55555 55555 55555 55555 55555 55555 55554 12251 54554 43244
43253 55542 44542 55551 55555 32231 54555 52551 55555 12211 12221 55555 55555 55555 45553 43555
55555 12252
""",
    2: """
33222 32422 32213 22211 22212 22212 22332 22212 33221 22212 12112 32112 12111 22321 22221 21212
22212 22212 22121 12212 11112 12112 12211 12112 43433 22122 12112 32523 12112 22221 22112 11111
42212 32112 21222 32222 12211 22111 32222 12211 23212 21111 22111 32313 33222 12111 12122 12112
32223 32313 32322 12121 12112 32312 43212 12212 22111 43222 22312 12222 22312 42413 12111 42232
42423 22233 11121 12211 12111 55555 33242 55555 55554 55555 55555 55555 55555 42545 55554 55555
55555 53343 44554 44453 32153 34453 55555 54555 55555 55555 55555 54555 55555 32242 55555 52351
33343 55543 55552 55555 53453 42352 44555 52554 55555 55555 32333 55453 55555 55555 55555 55555
55555 12153
""",
}
# Student 1908: hours of sleep gained with two drugs.
SLEEP = {
    "drug1": [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    "drug2": [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
}
# Hollander and Wolfe, table 7.1: times of rounding first base by three techniques.
ROUNDING = {
    "round_out": [
        5.40, 5.85, 5.20, 5.55, 5.90, 5.45, 5.40, 5.45, 5.25, 5.85, 5.25, 5.65, 5.60, 5.05, 5.50,
        5.45, 5.55, 5.45, 5.50, 5.65, 5.70, 6.30,
    ],
    "narrow_angle": [
        5.50, 5.70, 5.60, 5.50, 5.85, 5.55, 5.40, 5.50, 5.15, 5.80, 5.20, 5.55, 5.35, 5.00, 5.50,
        5.55, 5.55, 5.50, 5.45, 5.60, 5.65, 6.30,
    ],
    "wide_angle": [
        5.55, 5.75, 5.50, 5.40, 5.70, 5.60, 5.35, 5.35, 5.00, 5.70, 5.10, 5.45, 5.45, 4.95, 5.40,
        5.50, 5.35, 5.55, 5.25, 5.40, 5.55, 6.25,
    ],
}  # fmt: skip
# Agresti 2002, table 10.10: American League baseball 1987, games won at home against each visitor.
TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
HOME_WINS = [
    "- 4-3 4-2 4-3 6-1 4-2 6-0",
    "3-3 - 4-2 4-3 6-0 6-1 4-3",
    "2-5 4-3 - 2-4 4-3 4-2 6-0",
    "3-3 5-1 2-5 - 4-3 4-2 6-1",
    "5-1 2-5 3-3 4-2 - 5-2 6-0",
    "2-5 3-3 3-4 4-3 4-2 - 2-4",
    "2-5 1-5 1-6 2-4 1-6 3-4 -",
]


def digits(text: str) -> list[list[float]]:
    """Rows of one-digit ratings."""
    return [[float(digit) for digit in word] for word in text.split()]


def fleiss() -> Ratings:
    return from_matrix(digits(FLEISS), FIVE)


def gwet() -> Ratings:
    return from_matrix(GWET, FIVE)


def counted(counts: Sequence[Sequence[int]], scale: Scale | None = None) -> Ratings:
    """Ratings with these numbers of raters for each category, as counts tables are printed."""
    raters = max(sum(row) for row in counts)
    rows = []
    for row in counts:
        cells = [float(k) for k, number in enumerate(row, start=1) for _ in range(number)]
        rows.append(cells + [NAN] * (raters - len(cells)))
    return from_matrix(rows, scale or Scale.span(1, len(counts[0])))


def shown(
    left: str, right: str, answers: Mapping[Preference | None, int], cluster: str = ""
) -> list[Choice]:
    return [
        Choice(f"{left}{right}{answer}{i}", "A", left, right, answer, cluster)
        for answer, count in answers.items()
        for i in range(count)
    ]


def baseball() -> list[Choice]:
    """Every game of the season, the home team at the left."""
    games = []
    for home, line in zip(TEAMS, HOME_WINS, strict=True):
        for away, cell in zip(TEAMS, line.split(), strict=True):
            if cell != "-":
                won, lost = cell.split("-")
                games += shown(home, away, {Preference.LEFT: int(won), Preference.RIGHT: int(lost)})
    return games


def rows_of(columns: dict[str, list[float]]) -> list[RatingRow]:
    """Long rows, the columns as raters."""
    return [
        RatingRow(str(item), rater, value)
        for rater, values in columns.items()
        for item, value in enumerate(values)
    ]


def write_long(path: Path, cells: Iterable[tuple[object, ...]], *more: str) -> Path:
    """A CSV of item, rater, value and further columns."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "rater", "value", *more])
        writer.writerows(cells)
    return path


def long_csv(path: Path, ratings: Ratings) -> Path:
    """The table as a long CSV, missing ratings as empty cells."""
    return write_long(
        path,
        (
            (item, rater, "" if np.isnan(score) else f"{score:g}")
            for item, row in zip(ratings.items, ratings.scores, strict=True)
            for rater, score in zip(ratings.raters, row, strict=True)
        ),
    )
