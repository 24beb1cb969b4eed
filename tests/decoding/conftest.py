import pytest

from enhancers.decoding import DecodePool


@pytest.fixture(scope="session")
def pool():
    """Workers with the limits of the settings."""
    workers = DecodePool(2, 2_500_000_000, 20)
    yield workers
    workers.close()
