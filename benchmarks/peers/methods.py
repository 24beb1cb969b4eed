"""The rival denoisers as methods of a comparison, with and without what the project's own get."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.peers.install import requirements
from benchmarks.peers.packages import PEERS
from benchmarks.peers.preparation import noise_of, restored
from benchmarks.peers.process import peer_process
from enhancers.errors import ParameterError
from enhancers.evaluation.methods_under_test import MethodUnderTest, Outcome
from enhancers.evaluation.problem import Degraded, Task
from enhancers.method import ParameterValue, nearest
from enhancers.source_digest import source_digest

TASKS: tuple[Task, ...] = ("denoise", "despeckle")
PARTS = (
    "benchmarks.peers.script", "benchmarks.peers.preparation",
    "enhancers.restore_clipped", "enhancers.classical.restore_phase", "enhancers.noise",
)  # fmt: skip
"""The modules that a result depends on."""
BARE = {"clipped": "noise left clipped", "biased": "Rician bias left"}
"""Variants that get the image as it is, and what their label says."""
STRENGTHS = (1.0, 1.5, 2.0, 3.0)
"""The factors by which σ is multiplied where a filter is compared at its best strength."""
SWEPT = "tuned"
"""The variant that stands for every strength: ``bm3d:tuned`` or ``bm3d:clipped:tuned``."""


@dataclass(frozen=True)
class PeerUnderTest(MethodUnderTest):
    """A rival denoiser, which gets σ as every method does: known, or estimated as for DDNM.

    Parameters
    ----------
    restored : bool
        Whether it gets the image after `restore_clipped`, or of magnitude MR after `in_phase`, as
        the project's own methods do.
    strength : float
        Factor of σ.
    """

    restored: bool = True
    strength: float = 1.0

    def suits(self, task: Task) -> bool:
        """Whether it can be used for the task."""
        return task in TASKS

    @property
    def sampled(self) -> bool:
        """False: one seed is enough."""
        return False

    @property
    def by_device(self) -> bool:
        """Whether torch or other compiled code computes it."""
        return True

    @property
    def module(self) -> str:
        """The module that prepares the image."""
        return __name__

    def parameters(self, degraded: Degraded, task: Task) -> dict[str, ParameterValue]:
        """Everything that the result depends on besides pixels, seed and code."""
        return {"task": task, "sigma": degraded.sigma, "rician": degraded.kind == "rician",
                "restored": self.restored, "strength": self.strength}  # fmt: skip

    def stages(self, degraded: Degraded, task: Task) -> dict[str, dict[str, ParameterValue]]:
        """Empty: it runs no other methods."""
        return {}

    def prior(self, degraded: Degraded, task: Task) -> str:
        """Empty: it samples from no network of the project."""
        return ""

    def contrasted(self, degraded: Degraded, task: Task) -> bool:
        """False: it has no contrast step."""
        return False

    def code(self) -> str:
        """Digest of the code that computes the result, and of the packages."""
        return code(self.method)

    def enhance(self, degraded: Degraded, task: Task, *, seed: int, device: str) -> Outcome:
        """Run it in its process; the time is without start and files.

        Raises
        ------
        PeerFailed
            It is not installed, or gave no usable result.
        ParameterError
            It cannot do this task.
        """
        if task not in TASKS or degraded.factor > 1:
            raise ParameterError(f"{self.label} cannot {task}; leave it out.")
        started = time.perf_counter()
        sigma = noise_of(degraded)
        if sigma == 0.0:
            return Outcome(degraded.pixels, time.perf_counter() - started, 0)
        given = degraded.pixels
        if self.restored:
            given = restored(degraded, sigma, seed)
        before = time.perf_counter() - started
        found = peer_process().denoise(self.method, given, sigma * self.strength)
        return Outcome(found.pixels, before + found.seconds, 0)


def code(peer: str) -> str:
    """Digest of the code that a peer's results depend on, whether or not it is installed."""
    return hashlib.sha256(
        json.dumps([peer, source_digest(*PARTS), requirements()]).encode()
    ).hexdigest()


def peers(texts: Sequence[str]) -> list[PeerUnderTest]:
    """The rival denoisers that ``texts`` name, each once: ``bm3d``, ``ffdnet:clipped:tuned``.

    Raises
    ------
    ParameterError
        There is no such peer or variant.
    """
    found: dict[str, PeerUnderTest] = {}
    for text in texts:
        for one in _expanded(text):
            found.setdefault(one.key, one)
    return list(found.values())


def _expanded(text: str) -> Iterator[PeerUnderTest]:
    name, *variants = text.split(":")
    if name not in PEERS:
        raise ParameterError(f"No rival denoiser {name}; {nearest(name, list(PEERS))}.")
    for variant in variants:
        if variant not in (*BARE, SWEPT):
            raise ParameterError(
                f"{text} is no variant of {PEERS[name].label}; {nearest(variant, [*BARE, SWEPT])}."
            )
    bare = [BARE[variant] for variant in variants if variant in BARE]
    label = ", ".join([PEERS[name].label, *bare])
    one = PeerUnderTest(text, label, text, "method", name, restored=not bare)
    if SWEPT not in variants:
        yield one
        return
    for strength in STRENGTHS:
        yield replace(one, key=f"{text}@strength={strength:g}",
                      label=f"{label}, σ x {strength:g}", strength=strength)  # fmt: skip
