"""The parts of a DDNM result: what was measured, what the network added, and what it corrected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from enhancers.colour import luminance
from enhancers.diffusion import fill_missing
from enhancers.diffusion.missing_data import read_problem
from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.networks.tiles import pad
from enhancers.operators import BlockMean, Identity, NullSpaceOperator


@dataclass(frozen=True, eq=False)
class Parts:
    """A result x̂ of measurements y = H x + n as a sum of three images, in [0, 1] units.

    Parameters
    ----------
    measured : ndarray, float32, shape (H, W)
        H⁺ y: the measurement, and 0 in the null space.
    added : ndarray, float32, shape (H, W)
        x̂ - H⁺ H x̂, the null space: nothing of it was measured, all is from the network.
    corrected : ndarray, float32, shape (H, W)
        H⁺ (H x̂ - y): by how much the result departs from the measurement, taken as noise.
    """

    measured: Pixels
    added: Pixels
    corrected: Pixels


def parts(image: MedicalImage, params: Mapping[str, ParameterValue], result: Pixels) -> Parts:
    """Split the result of `enhancers.diffusion.null_space`; of colour images, the luminance.

    Parameters
    ----------
    image : MedicalImage
        The input.
    params : mapping
        Complete.
    result : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
    """
    gray = luminance(result)
    operator, y, x = _problem(image, params, gray)
    fitted = operator.pinv(operator.forward(x))
    measured = operator.pinv(y)
    height, width = gray.shape
    found = (measured, x - fitted, fitted - measured)
    return Parts(*(np.ascontiguousarray(part[0, 0, :height, :width].numpy()) for part in found))


def _problem(
    image: MedicalImage, params: Mapping[str, ParameterValue], gray: Pixels
) -> tuple[NullSpaceOperator, torch.Tensor, torch.Tensor]:
    """H, y and the result as tensors in [0, 1] units."""
    task = str(params["task"])
    if task in fill_missing.TASKS:
        operator, y = read_problem(image, params).measurement(1, 1, "cpu")
        x = torch.from_numpy(gray)[None, None]
        # From [-1, 1], in which H is linear too.
        return operator, (y + operator.forward(torch.ones_like(x))) / 2, x
    if task == "denoise":
        y = torch.from_numpy(luminance(image.pixels))[None, None]
        return Identity(), y, torch.from_numpy(gray)[None, None]
    factor = int(task.removeprefix("sr"))
    operator = BlockMean(factor)
    padded, _ = pad(gray, multiple=factor, least=1)
    x = torch.from_numpy(padded)[None, None]
    source = luminance(image.pixels)
    if not params["degrade_first"]:
        return operator, torch.from_numpy(source)[None, None], x
    source, _ = pad(source, multiple=factor, least=1)
    return operator, operator.forward(torch.from_numpy(source)[None, None]), x
