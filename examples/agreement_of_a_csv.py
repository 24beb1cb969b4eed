"""How well do readers agree? Fleiss' kappa, its interval, and who disagrees with whom.

    python -m examples.agreement_of_a_csv [RATINGS.csv] [--scale 1:5]

The table has the columns item, rater and value, one line for each rating. Where there is no such
file a small one is written: four readers rate the quality of eight images.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from study.stats.kinds.catalog import run_kind

READERS = ("anna", "bert", "carla", "dan")
QUALITY = ("5554", "4443", "3333", "2221", "1112", "4545", "3234", "2222")
"""The ratings of each image, one digit for each reader."""


def write_ratings(path: Path) -> None:
    """Write the small table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("item", "rater", "value"))
        for number, ratings in enumerate(QUALITY, start=1):
            for reader, rating in zip(READERS, ratings, strict=True):
                writer.writerow((f"image{number}", reader, rating))


def main() -> None:
    """Read the ratings and print the statistics of agreement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ratings", nargs="?", type=Path, default=Path("ratings.csv"))
    parser.add_argument("--scale", default="1:5")
    options = parser.parse_args()

    if not options.ratings.exists():
        write_ratings(options.ratings)
    for kind in ("fleiss", "cohen"):
        print(run_kind(kind, options.ratings, options.scale).as_text(), end="\n\n")


if __name__ == "__main__":
    main()
