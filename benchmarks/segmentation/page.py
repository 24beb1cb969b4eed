"""The page ``segmentation.md``, made from the stored results.

The current code and weights determine only whether it says that the results are out of date.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.segmentation import origin
from benchmarks.segmentation.measures import MEASURES
from benchmarks.segmentation.store import SegmentationRow
from benchmarks.segmentation.tables import (
    NAME,
    Facts,
    Labelled,
    against_degraded,
    read,
    spread,
    unwritable,
    write_tables,
)
from benchmarks.segmentation.variants import CLEAN, DEGRADED, NONE
from enhancers.evaluation.statistics import Paired, holm

if TYPE_CHECKING:
    import pandas as pd

SHOWN_DIGITS = 12
"""Digits of a network's digest on the page."""
PICTURED = (
    "The true outlines are blue, those found by the first network with the first seed are orange; "
    "of each cohort the test image whose degraded version it segments worst."
)
LABELS = {"dice": "Dice", "iou": "IoU", "hd95": "HD95, px", "asd": "ASD, px"}
ALWAYS = (Labelled(CLEAN, CLEAN), Labelled(DEGRADED, DEGRADED))


def write(folder: Path, rows: Sequence[SegmentationRow], facts: Facts) -> str:
    """Write all files of a run and return the page.

    The same rows and facts give the same bytes, until the code behind them changes.

    Raises
    ------
    ReadingRoomError
        The folder cannot be written.
    """
    write_tables(folder, rows, facts)
    return write_page(folder)


def write_page(folder: Path) -> str:
    """Write ``segmentation.md`` from the stored results and return it.

    Raises
    ------
    ReadingRoomError
        There are no results, or the folder cannot be written.
    """
    text = as_markdown(*read(folder))
    try:
        (folder / f"{NAME}.md").write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(folder, error) from error
    return text


def as_markdown(table: pd.DataFrame, facts: Facts) -> str:
    """The page: circumstances, a table for each cohort, and Dice by structure."""
    lines = [
        "# Segmentation of enhanced images", "",
        f"Written by `{facts.command}`; one row an image in `{NAME}.csv`.", "",
        _circumstances(facts), "",
        *_outdated(facts),
        f"Trained on clean images, {facts.seeds} seeds each: {facts.recipe}. "
        "Scores are means over structures and seeds, ± the standard deviation over the test "
        "images. Change is that of Dice against the degraded images, with its 95 % interval over "
        "the same images; p is of Wilcoxon's signed-rank test, adjusted by Holm over the table; "
        "a structure that was missed altogether counts with the diagonal of the image as its "
        "distances.", "",
        *(f"- {each.label}: {each.detail}" for each in (*facts.networks, *facts.variants)
          if each.detail),
        "",
    ]  # fmt: skip
    for cohort in facts.cohorts:
        part = table[table["cohort"] == cohort.key]
        count = part["subject"].nunique()
        lines += [
            f"## {cohort.label}", "",
            f"{cohort.detail}. Of {count} images no p below {2 / 2**count:.2g} can come, before "
            "the adjustment.", "",
        ]  # fmt: skip
        for damage in facts.degradations:
            owner, _, name = damage.key.partition("/")
            if owner == cohort.key:
                # The clean images belong to every degradation.
                here = part[part["degradation"].isin([name, NONE])]
                lines += [f"### {cohort.label}: {damage.label}", ""]
                lines += _scores(here, facts)
                lines += ["Dice by structure, all networks and seeds together:", ""]
                lines += _structures(here, facts)
    if facts.pictures:
        lines += ["## Pictures", "", PICTURED, ""]
        lines += [f"![{each.label}]({each.key})\n\n{each.label}.\n" for each in facts.pictures]
    return "\n".join(lines).rstrip() + "\n"


def _circumstances(facts: Facts) -> str:
    """Date, machine, versions and networks, in a line."""
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions)
    networks = ", ".join(f"{key} `{digest[:SHOWN_DIGITS]}`" for key, digest in facts.weights)
    sampled = f" Networks that the methods sampled from: {networks}." if networks else ""
    return f"Run {facts.when}: {facts.machine}. {versions}.{sampled}"


def _outdated(facts: Facts) -> Iterator[str]:
    """Notes on code and weights that changed since the run."""
    if code := origin.changed_code(facts.codes):
        yield from (f"**Measured before the last change of: {', '.join(code)}.**", "")
    if weights := origin.changed_weights(facts.weights):
        yield from (f"**Measured with other weights than those of now: {', '.join(weights)}.**", "")


def _scores(here: pd.DataFrame, facts: Facts) -> list[str]:
    heads = ["network", "images", *(LABELS[key] for key in MEASURES), "change of Dice", "p",
             "better, worse"]  # fmt: skip
    cells: list[list[str]] = []
    found: list[Paired | None] = []
    for network, variant in itertools.product(facts.networks, (*ALWAYS, *facts.variants)):
        own = here[here["network"] == network.key]
        means = [spread(own[own["variant"] == variant.key], key).text for key in MEASURES]
        cells.append([network.label, variant.label, *means])
        always = variant.key in (CLEAN, DEGRADED)
        found.append(None if always else against_degraded(own, variant.key))
    adjusted = holm([paired.wilcoxon if paired else None for paired in found])
    rows = [
        [*cell, *_change(paired, p)]
        for cell, paired, p in zip(cells, found, adjusted, strict=True)
    ]  # fmt: skip
    return _table(heads, rows)


def _structures(here: pd.DataFrame, facts: Facts) -> list[str]:
    names = list(dict.fromkeys(here["structure"]))
    rows = []
    for variant in (*ALWAYS, *facts.variants):
        own = here[here["variant"] == variant.key]
        means = [spread(own[own["structure"] == name], "dice").text for name in names]
        rows.append([variant.label, *means])
    return _table(["images", *names], rows)


def _change(paired: Paired | None, p: float | None) -> list[str]:
    if paired is None:
        return ["", "", ""]
    interval = paired.by_image
    text = f"{interval.mean:+.3f}"
    if interval.low is not None and interval.high is not None:
        text += f" ({interval.low:+.3f} to {interval.high:+.3f})"
    return [text, "" if p is None else _p(p), f"{paired.above}, {paired.below}"]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]
