"""Separation of the body, or the sector of an ultrasound probe, from the frame around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enhancers.image import Pixels
from enhancers.method import Modality

Mask = NDArray[np.bool_]

BLACK = np.float32(1 / 255)
"""Largest value of padding and of what lies outside a sector: one gray level of 8 bits."""
AIR = 0.5
"""Air around a body is darker than this multiple of Otsu's threshold of all but the padding."""
LEAST_PART = 0.1
"""Smallest part of a body that counts, of the area of the largest; letters are smaller."""
WITH_AIR = (Modality.MR, Modality.CT)
"""Modalities whose images show air with noise around the body; others end at a sector or edge."""


def body(truth: Pixels, modality: Modality) -> Mask:
    """The pixels inside the body or sector; they do not depend on black padding.

    Outside is what is black and connected to the border of the image, and in `WITH_AIR` also what
    is as dark as air and connected to it. Dark regions inside, such as vessels, are inside.

    Parameters
    ----------
    truth : ndarray, float32, shape (H, W), in [0, 1]
        The image without degradation, so that every method is measured in the same region.
    modality : Modality

    Returns
    -------
    ndarray, bool, shape (H, W)
        False everywhere for a black image.
    """
    outside = _from_border(truth <= BLACK)
    shown = truth[~outside]
    if modality in WITH_AIR and shown.size and np.ptp(shown) > 0:
        from skimage.filters import threshold_otsu

        outside = _from_border(outside | (truth <= AIR * threshold_otsu(shown)))
    return _large_parts(~outside)


def _from_border(dark: Mask) -> Mask:
    """The pixels of ``dark`` that are connected to the border of the image."""
    from scipy.ndimage import label

    parts, _ = label(dark)
    border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    return np.isin(parts, border[border > 0])


def _large_parts(inside: Mask) -> Mask:
    from scipy.ndimage import label

    parts, count = label(inside)
    if not count:
        return inside
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    return np.asarray((areas >= LEAST_PART * areas.max())[parts] & inside)
