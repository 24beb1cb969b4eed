"""The noise of each timestep, drawn on the CPU from the recorded seed."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

START = 1000
"""Key of the initial noise; not a timestep."""
PREFETCHED, PREFETCH_THREADS = 4, 2
"""With a GPU: how many noise tensors are drawn ahead, and by how many threads."""


def noise_for_timestep(
    shape: tuple[int, ...], seed: int, t: int, sample: int = 0, *, pinned: bool = False
) -> Tensor:
    """Standard normal noise that depends on (seed, sample, t) alone, drawn on the CPU.

    Schedules that share a timestep share its noise, so that skipping steps changes nothing else.
    ``pinned`` allocates page-locked memory, for asynchronous copies to a GPU.
    """
    text = f"{seed}/{sample}/{t}".encode()
    key = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
    return torch.randn(shape, generator=torch.Generator().manual_seed(key), pin_memory=pinned)


class NoisePrefetcher:
    """`noise_for_timestep` on the network's device, prefetched where that is a GPU.

    With a GPU, threads draw the noise a few steps ahead into pinned memory and copy it on a
    separate stream. On a CPU drawing would compete with the network, so that noise is drawn on
    request. Leaving the context stops the threads.

    Parameters
    ----------
    shape : tuple of int
    seed : int
    times : sequence of int
        The timesteps in the order of use.
    device : torch.device
    sample : int
    threads : int, optional
        By default `PREFETCH_THREADS` for an NVIDIA GPU, none elsewhere.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        seed: int,
        times: Sequence[int],
        device: torch.device,
        sample: int = 0,
        threads: int | None = None,
    ) -> None:
        self.shape, self.seed, self.sample, self.device = shape, seed, sample, device
        self._stream: Any = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            threads = PREFETCH_THREADS if threads is None else threads
        self._pool = ThreadPoolExecutor(threads, "noise") if threads else None
        self._times = deque(times)
        self._prefetched: deque[tuple[int, Future[tuple[Tensor, Any]]]] = deque()
        self._prefetch()

    def __enter__(self) -> NoisePrefetcher:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def take(self, t: int) -> Tensor:
        """The noise of timestep ``t``, on the device."""
        if self._prefetched and self._prefetched[0][0] == t:
            noise, copied = self._prefetched.popleft()[1].result()
            self._prefetch()
            if copied is not None:
                current = torch.cuda.current_stream(self.device)
                current.wait_event(copied)
                noise.record_stream(current)
            return noise
        return noise_for_timestep(self.shape, self.seed, t, self.sample).to(self.device)

    def _prefetch(self) -> None:
        while self._pool is not None and self._times and len(self._prefetched) < PREFETCHED:
            t = self._times.popleft()
            self._prefetched.append((t, self._pool.submit(self._draw, t)))

    def _draw(self, t: int) -> tuple[Tensor, Any]:
        if self._stream is None:
            return noise_for_timestep(self.shape, self.seed, t, self.sample).to(self.device), None
        noise = noise_for_timestep(self.shape, self.seed, t, self.sample, pinned=True)
        with torch.cuda.stream(self._stream):
            there = noise.to(self.device, non_blocking=True)
            copied = self._stream.record_event()
        return there, copied
