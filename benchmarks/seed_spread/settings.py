"""The settings for which the spread between seeds is calibrated, and the images they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from enhancers.method import ParameterValue

FOUR = ("mr", "ct", "us", "xr")


@dataclass(frozen=True)
class Setting:
    """A method with settings, and the degradations on which it is calibrated.

    Parameters
    ----------
    key : str
    label : str
        In words, for tables.
    method : str
        The method's registry key.
    degradations : tuple of (kind, level)
        Of `enhancers.degrade`; every image gets each of them.
    params : mapping
        Parameters that differ from the defaults.
    groups : tuple of str
        Groups of images.
    fitted : bool
        Whether errors are those that one gain and one offset of the result leave, as for methods
        that brighten.
    """

    key: str
    label: str
    method: str
    degradations: tuple[tuple[str, float], ...]
    params: Mapping[str, ParameterValue] = field(default_factory=dict)
    groups: tuple[str, ...] = FOUR
    fitted: bool = False


SETTINGS = (
    Setting("denoise", "denoising", "null_space", (("gaussian", 0.05), ("gaussian", 0.15))),
    Setting(
        "denoise-rician", "denoising of magnitude MR", "null_space",
        (("rician", 0.04), ("rician", 0.1)), {"noise": "rician"}, ("mr",),
    ),
    Setting(
        "denoise-published", "denoising with η = 0.85", "null_space",
        (("gaussian", 0.05), ("gaussian", 0.15)), {"eta": 0.85},
    ),
    Setting("sr4", "enlarging 4 times", "null_space", (("downsample", 4),), {"task": "sr4"}),
    Setting(
        "unimie", "brightening, apart from one gain and offset", "unimie",
        (("low_light", 0.3),), {}, ("mr", "ct", "fundus", "micro"), fitted=True,
    ),
    Setting("sr2", "enlarging 2 times", "null_space", (("downsample", 2),), {"task": "sr2"}),
    Setting("sr8", "enlarging 8 times", "null_space", (("downsample", 8),), {"task": "sr8"}),
    Setting(
        "kspace", "undersampled MR, sampled", "null_space", (("kspace", 4.0),),
        {"task": "kspace", "filling": "sampled"}, ("mr",),
    ),
    Setting(
        "inpaint", "missing pixels, sampled", "null_space", (("missing", 0.7),),
        {"task": "inpaint", "filling": "sampled"},
    ),
)  # fmt: skip
