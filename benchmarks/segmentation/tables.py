"""Rows as CSV and Parquet, and a summary as Markdown that is made of what is stored.

Only whether it is out of date the summary has from the code and the weights of now.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from benchmarks.segmentation import origin
from benchmarks.segmentation.measures import MEASURES
from benchmarks.segmentation.store import SegmentationRow
from benchmarks.segmentation.variants import CLEAN, DEGRADED, NONE
from enhancers.errors import ReadingRoomError
from enhancers.evaluation.statistics import Pair, Paired, compare, holm

if TYPE_CHECKING:
    import pandas as pd

NAME = "segmentation"
SHOWN_DIGITS = 12
"""Of the digest of a network, in the summary."""
COLUMNS = tuple(field.name for field in fields(SegmentationRow))
PICTURED = (
    "The true outlines are blue, those found by the first network with the first seed are orange; "
    "of each cohort the test image whose degraded version it segments worst."
)
LABELS = {"dice": "Dice", "iou": "IoU", "hd95": "HD95, px", "asd": "ASD, px"}


@dataclass(frozen=True)
class Labelled:
    """A key of the table and what a reader reads for it; ``detail`` is more about it."""

    key: str
    label: str
    detail: str = ""


ALWAYS = (Labelled(CLEAN, CLEAN), Labelled(DEGRADED, DEGRADED))


@dataclass(frozen=True)
class Facts:
    """What the numbers are about; written beside them.

    Parameters
    ----------
    command, when, machine : str
    cohorts, networks, degradations, variants : tuple of Labelled
        Degradations with the cohort's key before a slash; variants without clean and degraded.
    seeds : int
    recipe : str
        In words.
    versions : tuple of (package, version)
    weights : tuple of (network, SHA-256)
        Of the networks that the methods sampled from, in the order of their names.
    codes : tuple of (method, digest)
        Of the code that made the results, see `origin.codes`.
    pictures : tuple of Labelled
        File names beside the tables, with what they show.
    """

    command: str
    when: str
    machine: str
    cohorts: tuple[Labelled, ...]
    networks: tuple[Labelled, ...]
    degradations: tuple[Labelled, ...]
    variants: tuple[Labelled, ...]
    seeds: int
    recipe: str
    versions: tuple[tuple[str, str], ...]
    weights: tuple[tuple[str, str], ...]
    codes: tuple[tuple[str, str], ...]
    pictures: tuple[Labelled, ...] = ()


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over images; None for one image, or none."""

    mean: float | None
    deviation: float | None

    @property
    def text(self) -> str:
        """As in "0.913 ± 0.02"."""
        if self.mean is None:
            return "–"
        digits = 3 if self.mean < 1.0 else 2
        ending = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:.{digits}f}{ending}"


def frame(rows: Sequence[SegmentationRow]) -> pd.DataFrame:
    """The rows as a table, in one order whatever order they came in."""
    import pandas as pd

    table = pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))
    table[list(MEASURES)] = table[list(MEASURES)].astype(float)
    order = ["cohort", "network", "seed", "degradation", "variant", "subject", "structure"]
    return table.sort_values(order, kind="stable").reset_index(drop=True)


def write(folder: Path, rows: Sequence[SegmentationRow], facts: Facts) -> str:
    """Write ``segmentation.csv``, ``.parquet``, ``.json`` and ``.md``; returns the Markdown.

    The same rows and facts give the same bytes, until the code they were made with changes.

    Raises
    ------
    ReadingRoomError
        The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        table = frame(rows)
        table.to_csv(folder / f"{NAME}.csv", index=False, lineterminator="\n")
        table.to_parquet(folder / f"{NAME}.parquet", index=False)
        stored = TypeAdapter(Facts).dump_json(facts, indent=2).decode("utf-8")
        (folder / f"{NAME}.json").write_text(f"{stored}\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error) from error
    return write_page(folder)


def write_page(folder: Path) -> str:
    """Write ``segmentation.md`` anew from what else `write` wrote; returns it.

    Raises
    ------
    ReadingRoomError
        There is nothing stored, or the folder cannot be written.
    """
    text = as_markdown(*read(folder))
    try:
        (folder / f"{NAME}.md").write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error) from error
    return text


def _unwritable(folder: Path, error: OSError) -> ReadingRoomError:
    return ReadingRoomError(f"{folder} cannot be written: {error.strerror}; name another folder.")


def read(folder: Path) -> tuple[pd.DataFrame, Facts]:
    """What `write` wrote.

    Raises
    ------
    ReadingRoomError
        There is none, or it is something else.
    """
    import pandas as pd

    try:
        facts = TypeAdapter(Facts).validate_json((folder / f"{NAME}.json").read_bytes())
        table = pd.read_csv(folder / f"{NAME}.csv", keep_default_na=False, na_values=[""])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ReadingRoomError(
            f"{folder / NAME}.json holds no results of benchmarks segmentation as it is now "
            f"({place or 'the file'}: {first['msg']}); run it again with --out {folder}."
        ) from error
    except (OSError, ValueError) as error:
        raise ReadingRoomError(
            f"{folder} holds no results of benchmarks segmentation; run it with --out {folder}."
        ) from error
    if list(table.columns) != list(COLUMNS):
        raise ReadingRoomError(
            f"{folder / NAME}.csv has other columns; run benchmarks segmentation."
        )
    return table, facts


def as_markdown(table: pd.DataFrame, facts: Facts) -> str:
    """The summary: circumstances, a table for each cohort, and Dice by structure."""
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
    """When, on what, and with which networks, in a line."""
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions)
    networks = ", ".join(f"{key} `{digest[:SHOWN_DIGITS]}`" for key, digest in facts.weights)
    told = f" Networks that the methods sampled from: {networks}." if networks else ""
    return f"Run {facts.when}: {facts.machine}. {versions}.{told}"


def _outdated(facts: Facts) -> Iterator[str]:
    """What has changed since it was measured, if anything has."""
    if code := origin.changed_code(facts.codes):
        yield from (f"**Measured before the last change of: {', '.join(code)}.**", "")
    if weights := origin.changed_weights(facts.weights):
        yield from (f"**Measured with other weights than those of now: {', '.join(weights)}.**", "")


def by_image(table: pd.DataFrame, measure: str) -> pd.Series[float]:
    """Mean over structures and seeds of each test image, by the subject's key."""
    return table.groupby("subject", sort=True)[measure].mean()


def spread(table: pd.DataFrame, measure: str) -> Spread:
    """Mean and standard deviation over the test images."""
    values = by_image(table, measure).dropna()
    if values.empty:
        return Spread(None, None)
    return Spread(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None)


def against_degraded(part: pd.DataFrame, variant: str, measure: str = "dice") -> Paired | None:
    """A variant against the degraded images, on the rows of one network and degradation."""
    first = by_image(part[part["variant"] == variant], measure)
    second = by_image(part[part["variant"] == DEGRADED], measure)
    shared = [name for name in first.index if name in second.index]
    pairs = [Pair("all", str(name), float(first[name]), float(second[name])) for name in shared]
    return compare(pairs)


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
