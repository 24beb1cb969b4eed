"""What a result of the morphology-consistent diffusion shows: its structures and curve angles."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from enhancers.colour import luminance
from enhancers.curve_angle import CLASSES, CurveAngle, LevelLine, spine_angles
from enhancers.image import Pixels
from enhancers.method import ParameterValue
from enhancers.networks.load_morphology import morphology_networks
from enhancers.networks.morphology.enhance import segmentation

COLOURS = dict(zip(CLASSES[1:], ((0.9, 0.6, 0.0), (0.0, 0.6, 0.5), (0.35, 0.7, 0.9)), strict=True))
"""RGB of the structures, told apart by readers who do not see all colours (Okabe and Ito)."""
OPACITY = 0.55
LINE = (1.0, 1.0, 0.2)
BEYOND = 0.35
"""How far the line of a level goes on at its ends, in shares of its length."""


def structures(pixels: Pixels, params: Mapping[str, ParameterValue]) -> NDArray[np.uint8]:
    """The structures that the segmentation network finds in a result, as places in `CLASSES`."""
    networks = morphology_networks("cpu", str(params["variant"]), str(params["prior"]))
    return segmentation(networks, luminance(pixels))


def overlay(pixels: Pixels, classes: NDArray[np.uint8]) -> tuple[Pixels, str]:
    """Structures over an image with the lines between which the curve angles lie, and the angles.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
    classes : ndarray, uint8, shape (H, W)

    Returns
    -------
    ndarray, float32, shape (H, W, 3), and str
    """
    drawn = np.repeat(luminance(pixels)[..., None], 3, axis=2)
    for place, name in enumerate(CLASSES):
        if place:
            inside = classes == place
            drawn[inside] = (1 - OPACITY) * drawn[inside] + OPACITY * np.array(
                COLOURS[name], np.float32
            )
    angles = spine_angles(classes)
    said = []
    for name, angle in (("UCA-T", angles.thoracic), ("UCA-L", angles.lumbar)):
        if angle is not None:
            _draw(drawn, angle)
            said.append(f"{name} {angle.degrees:.1f}°")
    return np.clip(drawn, 0.0, 1.0), ", ".join(said) or "Structures, no angle"


def _draw(drawn: Pixels, angle: CurveAngle) -> None:
    for line in (angle.upper, angle.lower):
        start, end = _longer(line)
        cv2.line(drawn, start, end, LINE, max(1, round(min(drawn.shape[:2]) / 256)), cv2.LINE_AA)


def _longer(line: LevelLine) -> tuple[tuple[int, int], tuple[int, int]]:
    left, right = np.array(line.left), np.array(line.right)
    more = BEYOND * (right - left)
    (x0, y0), (x1, y1) = np.round(left - more).astype(int), np.round(right + more).astype(int)
    return (int(x0), int(y0)), (int(x1), int(y1))
