"""The model y = f x + M that UniMIE fits, and the foreground mask of the body."""

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
"""Cell side of the mask's grid in pixels; coarse, so that M fits lighting and not anatomy."""
FIT_STEPS = 4
"""Number of Adam steps per sampling step."""
MIN_GAIN = 0.02
FOREGROUND = 0.5
"""Factor on Otsu's threshold for the body, so that dark tissue is included."""


class DegradationFit:
    """The model y = f x + M with a scalar gain f and a mask M on a coarse grid.

    Parameters
    ----------
    y : Tensor, shape (1, 1, H, W), in [0, 1]
    gain : float
        Initial value of f.
    smoothness : float
        Weight of the total variation of M.
    rate : float
        Learning rate of Adam.
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
        """The mask M at full size."""
        return self.rows @ self.grid @ self.columns.T

    def residual(self, u: Tensor) -> Tensor:
        """The residual f u + M - y of an estimate ``u`` in [0, 1]."""
        return self.gain * u + self.mask() - self.y

    def fit(self, u: Tensor) -> None:
        """Make `FIT_STEPS` Adam steps on mean(r²) + smoothness TV(M)."""
        for _ in range(FIT_STEPS):
            rows = self.grid.diff(dim=-2).abs().mean()
            columns = self.grid.diff(dim=-1).abs().mean()
            loss = self.residual(u).square().mean() + self.smoothness * (rows + columns)
            self.optimizer.zero_grad()
            torch.autograd.backward(loss)
            self.optimizer.step()
        with torch.no_grad():
            self.gain.clamp_(min=MIN_GAIN)


def _enlarging(side: int) -> Tensor:
    """Matrix of the bicubic enlargement of cells to ``side`` pixels, shape (side, cells).

    A matrix, because the gradient of torch's interpolation is not deterministic on a GPU.
    """
    cells = math.ceil(side / MASK_CELL) + 1
    size = (side, cells)
    return F.interpolate(torch.eye(cells)[None, None], size, mode="bicubic", align_corners=True)[
        0, 0
    ]


@dataclass(eq=False)
class PixelDegradationFit:
    """The published code's model: a mask per pixel, plain gradient steps of rate 1."""

    y: Tensor
    gain: Tensor
    mask: Tensor

    def residual(self, u: Tensor) -> Tensor:
        """The residual f u + M - y of an estimate ``u`` in [0, 1]."""
        return self.gain * u + self.mask - self.y

    def fit(self, u: Tensor) -> None:
        """One gradient step on mean(r²); the mean over all pixels keeps M near zero."""
        r = self.residual(u)
        self.gain = (self.gain - 2 * (r * u).mean()).clamp_min(MIN_GAIN)
        self.mask = self.mask - 2 * r / r.numel()


def foreground(gray: Pixels) -> Pixels:
    """Soft foreground mask of the body in [0, 1], which keeps a black background black."""
    from scipy.ndimage import gaussian_filter
    from skimage.filters import threshold_otsu

    smooth = gaussian_filter(gray, 2.0)
    above: NDArray[np.bool_] = smooth > FOREGROUND * threshold_otsu(smooth)
    mask: Pixels = gaussian_filter(above.astype(np.float32), 2.0)
    return mask
