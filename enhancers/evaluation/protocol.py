"""The types of a protocol: how images are degraded, which methods run, what is measured."""

from __future__ import annotations

from dataclasses import dataclass

from enhancers.evaluation.problem import Task


@dataclass(frozen=True)
class Condition:
    """A degradation y = H D(x), where D is a kind of `enhancers.degrade` and H a block mean.

    Parameters
    ----------
    key, label : str
    task : Task
    kind : str
        A key of `enhancers.degrade.KINDS`, or "none".
    low, high : float
        The level is drawn evenly between them, by the seed of the case.
    factor : int
        Of the block mean; 1 for none.
    noise_known : bool
        Whether every method is given the standard deviation of the noise.
    groups : tuple of str
        Where they differ from the protocol's.
    """

    key: str
    label: str
    task: Task
    kind: str = "none"
    low: float = 0.0
    high: float = 0.0
    factor: int = 1
    noise_known: bool = False
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Protocol:
    """A protocol.

    Parameters
    ----------
    key, title, source : str
        ``source`` names the paper, its table or section, and what differs here.
    groups : tuple of str
        Groups of images to measure: "ct", "mr", ...
    conditions : tuple of Condition
    methods : tuple of str
        Methods that run by default.
    more : tuple of str
        Further methods, run when named or with "all": slow ones and ablations.
    subject : str
        The method with which the others are compared; empty for none.
    measures : tuple of str
        Keys of `enhancers.evaluation.measures`; the first decides which strength of a filter is
        its best.
    needs_mask : bool
        Whether images without a mask are left out.
    needs_neighbours : bool
        Whether images without a slice on either side are left out.
    against_calls : bool
        Whether quality is plotted against network calls.
    spectra : bool
        Whether the noise power spectrum of every result is stored and plotted.
    """

    key: str
    title: str
    source: str
    groups: tuple[str, ...]
    conditions: tuple[Condition, ...]
    methods: tuple[str, ...]
    more: tuple[str, ...]
    subject: str
    measures: tuple[str, ...]
    needs_mask: bool = False
    needs_neighbours: bool = False
    against_calls: bool = False
    spectra: bool = False
