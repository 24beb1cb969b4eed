"""What UniMIE fits: y = f x + M with f and M unknown, and which pixels belong to the body."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from enhancers.image import Pixels

MASK_CELL = 32
"""Side of a cell of the mask's grid: coarse, so that M takes the lighting and not the anatomy."""
FIT_STEPS = 4
"""Adam steps at each sampling step."""
LEAST_GAIN = 0.02
FOREGROUND = 0.5
"""Share of Otsu's threshold above which a pixel belongs to the body: dark tissue counts as well."""


class DegradationFit:
    """The unknown y = f x + M: a scalar gain and a mask on a coarse grid.

    Parameters
    ----------
    y : Tensor, shape (1, 1, H, W), in [0, 1]
    gain : float
        First value of f.
    smoothness : float
        Weight of the total variation of M.
    rate : float
        Of Adam.
    """

    def __init__(self, y: Tensor, gain: float, smoothness: float, rate: float = 0.01) -> None:
        self.y = y
        self.smoothness = smoothness
        self.rows, self.columns = (_enlarging(side).to(y.device) for side in y.shape[-2:])
        cells = (1, 1, self.rows.shape[1], self.columns.shape[1])
        self.gain = torch.tensor(gain, device=y.device, requires_grad=True)
        self.grid = torch.zeros(cells, device=y.device, requires_grad=True)
        on_gpu = y.device.type == "cuda"
        self.optimizer = torch.optim.Adam([self.gain, self.grid], lr=rate, fused=on_gpu)

    def mask(self) -> Tensor:
        """M at full size."""
        return self.rows @ self.grid @ self.columns.T

    def residual(self, u: Tensor) -> Tensor:
        """The residual f u + M - y of an estimate ``u`` in [0, 1]."""
        return self.gain * u + self.mask() - self.y

    def fit(self, u: Tensor) -> None:
        """A few Adam steps on mean(r²) + smoothness TV(M)."""
        for _ in range(FIT_STEPS):
            rows = self.grid.diff(dim=-2).abs().mean()
            columns = self.grid.diff(dim=-1).abs().mean()
            loss = self.residual(u).square().mean() + self.smoothness * (rows + columns)
            self.optimizer.zero_grad()
            torch.autograd.backward(loss)
            self.optimizer.step()
        with torch.no_grad():
            self.gain.clamp_(min=LEAST_GAIN)


def _enlarging(side: int) -> Tensor:
    """Bicubic enlargement of a row of cells to ``side`` pixels, shape (side, cells).

    As a matrix, because the gradient of torch's own enlargement adds up in any order on a GPU.
    """
    cells = math.ceil(side / MASK_CELL) + 1
    size = (side, cells)
    return F.interpolate(torch.eye(cells)[None, None], size, mode="bicubic", align_corners=True)[
        0, 0
    ]


@dataclass(eq=False)
class PixelDegradationFit:
    """The published code's y = f x + M: a mask of every pixel, plain gradient steps of rate 1."""

    y: Tensor
    gain: Tensor
    mask: Tensor

    def residual(self, u: Tensor) -> Tensor:
        """The residual f u + M - y of an estimate ``u`` in [0, 1]."""
        return self.gain * u + self.mask - self.y

    def fit(self, u: Tensor) -> None:
        """One gradient step on mean(r²); a pixel's share of the mean is why M hardly moves."""
        r = self.residual(u)
        self.gain = (self.gain - 2 * (r * u).mean()).clamp_min(LEAST_GAIN)
        self.mask = self.mask - 2 * r / r.numel()


def foreground(gray: Pixels) -> Pixels:
    """Soft mask of the body in [0, 1], so that a black background stays black."""
    from scipy.ndimage import gaussian_filter
    from skimage.filters import threshold_otsu

    smooth = gaussian_filter(gray, 2.0)
    above: NDArray[np.bool_] = smooth > FOREGROUND * threshold_otsu(smooth)
    mask: Pixels = gaussian_filter(above.astype(np.float32), 2.0)
    return mask
