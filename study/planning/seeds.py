"""Random numbers from the master seed, with a separate stream for each purpose."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

import numpy as np

from study.domain.errors import ProtocolError

SEED_BYTES = 32
SHARED = -1
"""Reader index of streams that all readers share."""


def generator(
    seed: bytes, study_id: str, reader: int, session: int, purpose: str
) -> np.random.Generator:
    """The random numbers of one purpose: PCG64 from an HMAC-SHA256 under the master seed.

    Parameters
    ----------
    seed : bytes
        Master seed, 32 random bytes.
    study_id : str
    reader : int
        Index of the reader from 0; -1 for streams that all readers share.
    session : int
    purpose : str
        Such as "order" or "side".

    Raises
    ------
    ProtocolError
        The seed is not 32 bytes long: a short one could be guessed.
    """
    if len(seed) != SEED_BYTES:
        raise ProtocolError(f"The master seed has {len(seed)} bytes; it needs {SEED_BYTES}.")
    message = f"{study_id}|{reader}|{session}|{purpose}".encode()
    digest = hmac.new(seed, message, hashlib.sha256).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


@dataclass(frozen=True)
class SeedStreams:
    """The streams of one reader."""

    seed: bytes
    study_id: str
    reader: int

    def of(self, session: int, purpose: str, reader: int | None = None) -> np.random.Generator:
        """The stream of a purpose, for this reader or another one."""
        who = self.reader if reader is None else reader
        return generator(self.seed, self.study_id, who, session, purpose)
