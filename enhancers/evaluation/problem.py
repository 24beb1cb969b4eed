"""A clean image, what became of it, and what is to be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from enhancers.image import MedicalImage, Pixels, from_array
from enhancers.method import Modality

Task = Literal["denoise", "enlarge", "despeckle", "lighten", "improve"]
"""What a method is asked for; "despeckle" is speckle and Rician noise, whose level nobody tells."""


@dataclass(frozen=True, eq=False)
class TestImage:
    """An image with a known truth.

    Parameters
    ----------
    key : str
        Unique among the cases of a run, such as "ct-0031".
    modality : Modality
    truth : ndarray, float32, shape (H, W), in [0, 1]
    mask : ndarray, bool, shape (H, W), or None
        The structure that signal-to-noise ratios are about.
    seed : int
        Of the degradation; it comes from the key, so that a case does not depend on the others.
    group : str
        What means are taken over before the mean of all, such as "ct".
    subject : str
        Whose image it is: images of one subject are not independent.
    image : MedicalImage or None
        The truth as it was read, where it came from a file: with its units and spacing.
    """

    key: str
    modality: Modality
    truth: Pixels
    mask: NDArray[np.bool_] | None = None
    seed: int = 0
    group: str = ""
    subject: str = ""
    image: MedicalImage | None = None

    @property
    def medical(self) -> MedicalImage:
        """The truth as a `MedicalImage`."""
        return from_array(self.truth, self.modality) if self.image is None else self.image


@dataclass(frozen=True, eq=False)
class Degraded:
    """What every method is given: the same pixels and the same knowledge of them.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H / factor, W / factor), in [0, 1]
    modality : Modality
    sigma : float or None
        Standard deviation of the noise in [0, 1] units as told to every method: 0 for noise-free,
        None where each has to find out.
    factor : int
        Enlargement that is asked for.
    kind : str
        How it was degraded, for tables.
    level : float
        How much, in the units of ``kind``.
    """

    pixels: Pixels
    modality: Modality
    sigma: float | None = None
    factor: int = 1
    kind: str = "none"
    level: float = 0.0
