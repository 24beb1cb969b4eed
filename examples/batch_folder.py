"""Enhance every image of a folder, in any format, and go on after an interruption.

    python -m examples.batch_folder [IMAGES] [--out RESULTS]

Without a folder the synthetic samples of Reading Room are used. The second time that it runs, every
result is there already.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from enhancers.batch import BatchPlan, LocalBackend, listed, requests, run
from enhancers.samples import write_samples

METHODS = ("nlm", "clahe")


def main() -> None:
    """Plan the batch, run it on this machine, and print a line for each result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="?", type=Path)
    parser.add_argument("--out", type=Path, default=Path("enhanced"))
    options = parser.parse_args()

    folder = options.images
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="samples-"))
        write_samples(folder)

    plan = BatchPlan(folder, options.out, requests(METHODS, {"nlm.beta": 1.1}), seed=7)
    counts: Counter[str] = Counter()
    for row in run(plan, list(listed(plan)), LocalBackend(plan)):
        counts[row.status] += 1
        print(f"{row.file:32} {row.method:8} {row.status} {row.message}".rstrip())
    print(", ".join(f"{number} {status}" for status, number in sorted(counts.items())))
    print(f"Results and summary.csv are in {options.out}.")


if __name__ == "__main__":
    main()
