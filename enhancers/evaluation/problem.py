"""A test image with a known truth, its degraded version, and the task to solve on it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from enhancers.image import MedicalImage, Pixels, from_array
from enhancers.measured import Measured
from enhancers.method import Modality

Task = Literal["denoise", "enlarge", "despeckle", "lighten", "improve", "inpaint", "kspace"]
"""What a method has to do.

"despeckle" is speckle or Rician noise of an unknown level; "inpaint" and "kspace" are to fill in
pixels or samples of k-space that were not measured.
"""


@dataclass(frozen=True, eq=False)
class TestImage:
    """An image with a known truth.

    Parameters
    ----------
    key : str
        Unique among the images of a run, such as "ct-0031".
    modality : Modality
    truth : ndarray, float32, shape (H, W), in [0, 1]
    mask : ndarray, bool, shape (H, W), or None
        The structure of which signal-to-noise ratios are measured.
    background : ndarray, bool, shape (H, W), or None
        The tissue with which it is compared, where that is known; otherwise all other tissue.
    seed : int
        Of the degradation. It depends on the key alone, so that an image is degraded in the same
        way whatever other images a run has.
    group : str
        Means are taken over each group and then over the groups, such as "ct".
    subject : str
        Whose image it is: images of one subject are not independent.
    image : MedicalImage or None
        The truth as it was read, with units and spacing, where it came from a file.
    """

    # Keeps pytest from collecting it.
    __test__ = False

    key: str
    modality: Modality
    truth: Pixels
    mask: NDArray[np.bool_] | None = None
    seed: int = 0
    group: str = ""
    subject: str = ""
    image: MedicalImage | None = None
    background: NDArray[np.bool_] | None = None

    @property
    def medical(self) -> MedicalImage:
        """The truth as a `MedicalImage`."""
        return from_array(self.truth, self.modality) if self.image is None else self.image


@dataclass(frozen=True, eq=False)
class Degraded:
    """The input of every method: the same pixels and the same knowledge about them.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H / factor, W / factor), in [0, 1]
    modality : Modality
    sigma : float or None
        Standard deviation of the noise in [0, 1] units, known to every method: 0 for no noise,
        None where each method has to estimate it.
    factor : int
        Enlargement that is asked for.
    kind : str
        The degradation, for tables.
    level : float
        Its level, in the units of ``kind``.
    measured : Measured or None
        The known pixels, or the samples of k-space, where not all of the image was measured.
    """

    pixels: Pixels
    modality: Modality
    sigma: float | None = None
    factor: int = 1
    kind: str = "none"
    level: float = 0.0
    measured: Measured | None = None


def seed_of(key: str) -> int:
    """The seed of the test image with this key."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:4], "big")


def usable_mask(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask marks something, and not everything."""
    return bool(mask.any() and not mask.all())
