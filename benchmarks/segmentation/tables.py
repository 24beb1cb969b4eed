"""The rows of a run as CSV and Parquet, its facts as JSON, and means over images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from benchmarks.segmentation.measures import MEASURES
from benchmarks.segmentation.store import SegmentationRow
from benchmarks.segmentation.variants import DEGRADED
from enhancers.errors import ReadingRoomError
from enhancers.evaluation.statistics import Pair, Paired, compare

if TYPE_CHECKING:
    import pandas as pd

NAME = "segmentation"
COLUMNS = tuple(field.name for field in fields(SegmentationRow))


@dataclass(frozen=True)
class Labelled:
    """A key of the table with its label and further details."""

    key: str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class Facts:
    """The circumstances of a run, stored with its results.

    Parameters
    ----------
    command, when, machine : str
    cohorts, networks, degradations, variants : tuple of Labelled
        Keys of degradations begin with that of the cohort and a slash. Variants do not include
        "clean" and "degraded".
    seeds : int
        Number of seeds.
    recipe : str
        In words.
    versions : tuple of (package, version)
    weights : tuple of (network, SHA-256)
        Of the networks that the methods sampled from.
    codes : tuple of (method, digest)
        Of the code behind the results, see `origin.codes`.
    pictures : tuple of Labelled
        File names of pictures next to the tables, with what they show.
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
    """Mean and standard deviation over images; None where there are too few."""

    mean: float | None
    deviation: float | None

    @property
    def text(self) -> str:
        """For a table, such as "0.913 ± 0.02"."""
        if self.mean is None:
            return "–"
        digits = 3 if self.mean < 1.0 else 2
        ending = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:.{digits}f}{ending}"


def frame(rows: Sequence[SegmentationRow]) -> pd.DataFrame:
    """The rows as a table, sorted."""
    import pandas as pd

    table = pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))
    table[list(MEASURES)] = table[list(MEASURES)].astype(float)
    order = ["cohort", "network", "seed", "degradation", "variant", "subject", "structure"]
    return table.sort_values(order, kind="stable").reset_index(drop=True)


def write_tables(folder: Path, rows: Sequence[SegmentationRow], facts: Facts) -> None:
    """Write ``segmentation.csv``, ``.parquet`` and ``.json``.

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
        raise unwritable(folder, error) from error


def unwritable(folder: Path, error: OSError) -> ReadingRoomError:
    """The error for a folder that cannot be written."""
    return ReadingRoomError(f"{folder} cannot be written: {error.strerror}; name another folder.")


def read(folder: Path) -> tuple[pd.DataFrame, Facts]:
    """The stored rows and facts of a run.

    Raises
    ------
    ReadingRoomError
        There are none, or the files hold something else.
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
