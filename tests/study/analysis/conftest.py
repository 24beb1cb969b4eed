from __future__ import annotations

import pytest

from study.analysis.dataset import Dataset
from tests.support.simulated_datasets import dataset


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Four readers, eight cases, three methods; R04 has stopped in the middle."""
    return dataset(read={"R04": 12})
