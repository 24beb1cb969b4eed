"""Randall 1989: bitterness of wine, as in the R package ordinal."""

from __future__ import annotations

import numpy as np

# One line a judge: cold without contact (two bottles), cold with, warm without, warm with.
RATINGS = "23344455 12132354 23325544 32323253 23433333 32322454 11222323 22233334 12323244"


def ratings() -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    """Category, warm and contact, judge and bottle of each rating."""
    codes, columns, judges, bottles = [], [], [], []
    for judge, line in enumerate(RATINGS.split()):
        for bottle, digit in enumerate(line):
            codes.append(int(digit) - 1)
            columns.append([float(bottle >= 4), float(bottle // 2 % 2)])
            judges.append(f"judge {judge}")
            bottles.append(f"bottle {bottle}")
    return np.array(codes), np.array(columns), judges, bottles
