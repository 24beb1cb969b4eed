"""CT: line integrals of an image along parallel or fan beams, and filtered back-projection.

The projection is a sparse matrix by Joseph's method (IEEE Trans Med Imaging 1, 1982, 192): a ray
takes from each row that it crosses the value between two pixels, or from each column if it is
nearer to horizontal. Quarter turns of the image, and mirroring, give the other views, so that the
matrix holds a quarter (parallel) or an eighth (fan) of them.
"""

from __future__ import annotations

import functools
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from enhancers.operators.beam import Beam
from enhancers.operators.operator import power_norm

if TYPE_CHECKING:
    from torch import Tensor

Window = Literal["hann", "ramp"]

KEPT = 2
"""Matrices that are kept in memory, about 170 MB each for 256 x 256 pixels."""


@dataclass(frozen=True)
class Projection:
    """A: line integrals in the image's units times mm; A' is exact, A⁺ filtered back-projection.

    Images are (B, 1, side, side), measurements (B, 1, views, detectors), float32.
    """

    beam: Beam
    window: Window = "hann"

    @property
    def norm(self) -> float:
        """The largest singular value, by power iterations."""
        return _norm(self.beam)

    def forward(self, x: Tensor) -> Tensor:
        """The line integrals of an image."""
        import torch

        beam, parts = self.beam, range(self.beam.octants)
        rays, _ = _matrices(beam, str(x.device))
        images = torch.stack([_turned(x.flatten(0, -3), part) for part in parts])
        columns = images.reshape(-1, beam.side**2).T
        shape = (beam.views_per_octant, beam.detectors, len(parts), -1)
        octants = (rays @ columns).reshape(shape).permute(2, 3, 0, 1)
        views = torch.cat([_oriented(octants[part], part) for part in parts], dim=1)
        return views.reshape(*x.shape[:-2], beam.views, beam.detectors)

    def adjoint(self, y: Tensor) -> Tensor:
        """The back-projection of line integrals, without a filter."""
        import torch

        beam, parts = self.beam, range(self.beam.octants)
        _, pixels = _matrices(beam, str(y.device))
        octants = y.reshape(-1, len(parts), beam.views_per_octant, beam.detectors)
        views = torch.stack([_oriented(octants[:, part], part) for part in parts])
        columns = views.reshape(-1, beam.views_per_octant * beam.detectors).T
        images = (pixels @ columns).T.reshape(len(parts), -1, beam.side, beam.side)
        turned = [_turned_back(images[part], part) for part in parts]
        return torch.stack(turned).sum(0).reshape(*y.shape[:-2], beam.side, beam.side)

    def pinv(self, y: Tensor) -> Tensor:
        """Filtered back-projection (`filtered_back_projection`)."""
        return filtered_back_projection(y, self.beam, self.window)


def filtered_back_projection(y: Tensor, beam: Beam, window: Window = "hann") -> Tensor:
    """The image of line integrals (Kak and Slaney, sections 3.3 and 3.4.2).

    Parameters
    ----------
    y : Tensor, shape (..., views, detectors)
    beam : Beam
    window : {"hann", "ramp"}
        The ramp with a Hann window that reaches zero at the Nyquist frequency, or as it is.

    Returns
    -------
    Tensor, shape (..., side, side)
    """
    import torch

    u = torch.from_numpy(beam.positions).to(y)
    if beam.source is not None:
        y = y * (beam.source / torch.hypot(u, torch.tensor(beam.source)))
    filtered = _ramp_filtered(y, beam.pixel, window)
    middle = (beam.side - 1) / 2
    axis = (torch.arange(beam.side, device=y.device, dtype=torch.float32) - middle) * beam.pixel
    rows, columns = axis[:, None], axis[None, :]
    image = y.new_zeros((*y.shape[:-2], beam.side, beam.side))
    for view, angle in enumerate(beam.angles):
        cosine, sine = math.cos(angle), math.sin(angle)
        place = columns * cosine + rows * sine
        weight: Tensor | float = 1.0
        if beam.source is not None:
            # How far a pixel is along the central ray, in distances of the source.
            depth = 1 - (rows * cosine - columns * sine) / beam.source
            place, weight = place / depth, depth.square().reciprocal() / 2
        place = place / beam.pixel + beam.detectors // 2
        left = place.floor().clamp(0, beam.detectors - 2)
        part, index = place - left, left.long()
        row = filtered[..., view, :]
        image += (row[..., index] * (1 - part) + row[..., index + 1] * part) * weight
    return image * beam.step


def _ramp_filtered(y: Tensor, pixel: float, window: Window) -> Tensor:
    """Views filtered by the ramp."""
    import torch

    response = ramp_response(y.shape[-1]) / pixel
    if window == "hann":
        response = response * (0.5 + 0.5 * torch.cos(torch.linspace(0, math.pi, len(response))))
    length = 2 * (len(response) - 1)
    spectrum = torch.fft.rfft(y, length) * response.to(y)
    filtered: Tensor = torch.fft.irfft(spectrum, length)[..., : y.shape[-1]]
    return filtered


def ramp_response(detectors: int) -> Tensor:
    """Response of the band-limited ramp for views that are padded with zeros to twice their length.

    Kak and Slaney, equation 61 of chapter 3, for detector elements at a distance of 1.

    Returns
    -------
    Tensor, float64, shape (length / 2 + 1,)
        From the zero frequency to the Nyquist frequency, of a power of two.
    """
    import torch

    length = 2 ** math.ceil(math.log2(2 * detectors))
    offset = torch.fft.fftfreq(length, 1.0 / length, dtype=torch.float64)
    kernel = torch.where(offset % 2 == 0, 0.0, -1 / (math.pi * offset).square())
    kernel[0] = 0.25
    response: Tensor = torch.fft.rfft(kernel).real
    return response


def _turned(x: Tensor, part: int) -> Tensor:
    """The image in which the first octant of views sees what octant ``part`` sees in ``x``.

    A quarter turn for every second octant; odd ones are mirrored at the second diagonal besides.
    """
    turned = x.rot90(part // 2, (-2, -1))
    return turned.mT.flip((-2, -1)) if part % 2 else turned


def _turned_back(x: Tensor, part: int) -> Tensor:
    """The inverse of `_turned`, which is its adjoint."""
    upright = x.mT.flip((-2, -1)) if part % 2 else x
    return upright.rot90(-(part // 2), (-2, -1))


def _oriented(views: Tensor, part: int) -> Tensor:
    """Views of octant ``part``, (B, views, detectors), in the order of the first one, and back."""
    return views.flip((1, 2)) if part % 2 else views


@functools.lru_cache(KEPT)
def _matrices(beam: Beam, device: str) -> tuple[Tensor, Tensor]:
    """The sparse matrix from pixels to the rays of the first octant, and its transpose."""
    from scipy.sparse import csr_matrix

    views = [_view_weights(beam, angle) for angle in beam.angles[: beam.views_per_octant]]
    counts, pixels, weights = (np.concatenate(parts) for parts in zip(*views, strict=True))
    starts = np.concatenate([[0], np.cumsum(counts)])
    rays = csr_matrix((weights, pixels, starts), shape=(len(counts), beam.side**2))
    return _on_device(rays, device), _on_device(rays.T.tocsr(), device)


def _on_device(matrix: Any, device: str) -> Tensor:
    import torch

    with warnings.catch_warnings():
        # Sparse tensors are announced as a beta feature.
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr), torch.from_numpy(matrix.indices),
            torch.from_numpy(matrix.data), matrix.shape, device=device, check_invariants=False,
        )  # fmt: skip


def _view_weights(
    beam: Beam, angle: float
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Of each ray of a view the number of pixels that it meets; the pixels and their weights."""
    turns, distances = beam.lines(angle)
    side, middle = beam.side, (beam.side - 1) / 2
    along = np.arange(side)
    cosine, sine = np.cos(turns)[:, None], np.sin(turns)[:, None]
    steep = np.abs(cosine) >= np.abs(sine)
    main, other = np.where(steep, cosine, sine), np.where(steep, sine, cosine)
    # Where each ray crosses each row (a flat one: each column), in pixels.
    place = (distances[:, None] / beam.pixel - (along - middle) * other) / main + middle
    low = np.floor(place)
    share, length = place - low, beam.pixel / np.abs(main)
    across = np.stack([low, low + 1], axis=-1).astype(np.int32)
    weights = np.stack([length * (1 - share), length * share], axis=-1).astype(np.float32)
    inside = (across >= 0) & (across < side) & (weights > 0)
    ahead, aside = np.where(steep, side, 1)[..., None], np.where(steep, 1, side)[..., None]
    pixels = (along[:, None] * ahead + across * aside).astype(np.int32)
    return inside.sum((1, 2), dtype=np.int32), pixels[inside], weights[inside]


@functools.lru_cache(16)
def _norm(beam: Beam) -> float:
    import torch

    return power_norm(Projection(beam), torch.ones((1, 1, beam.side, beam.side)))
