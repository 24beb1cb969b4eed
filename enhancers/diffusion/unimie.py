"""UniMIE: brighten by fitting y = f x + M, with f and M unknown, while sampling x from the prior.

Fei et al., "Lightening anything in medical images", 2024, sections 2.1 and 4. The residual and the
exposure live in [0, 1]; the network lives in [-1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from enhancers.base import PATCH, Figure, Step, Stopwatch, finished, is_constant, unchanged
from enhancers.colour import luminance, with_luminance
from enhancers.diffusion.schedule import Moment, keyed_noise, timeline
from enhancers.diffusion.tiles import Padding, Predict, Tiling, pad
from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.priors.load import pixel_prior
from enhancers.values import number, optional, whole

START = 1000
"""Key of the initial noise: no timestep has it."""
TILE, STRIDE = PATCH, 128
MULTIPLE = 16
MASK_CELL = 32
"""Side of a cell of the mask's grid: coarse, so that M takes the lighting and not the anatomy."""
EXPOSURE_CELL, REFERENCE_CELL = 16, 8
REFERENCE_GUIDANCE = 0.509
REFERENCE_EXPOSURE = 100.0
"""Brings the default exposure weight to that of the published, squared exposure loss."""
DAMPING = 0.01
"""Gauss-Newton damping of the pull f r/(f² + 0.01): at f = 0.1 the measurement still counts."""
FIT_STEPS, FIT_TRAVEL = 4, 0.4
"""Adam steps at each sampling step, and the sum of their rates over a run: however many steps are
sampled, f and M can move only so far, or the mask would take the anatomy in the end."""
FIT_SIGNAL = 0.2
"""f and M are fitted once ābar has reached this: before, the network's estimate is a vague mean
image, and the mask would take the anatomy for lighting."""
LEAST_GAIN = 0.02
EXPOSURE, HIGHLIGHT = 0.4, 0.995
FOREGROUND = 0.5
"""Share of Otsu's threshold above which a pixel belongs to the body: dark tissue counts as well."""


@dataclass(frozen=True)
class Lighting:
    """The parameters, typed; ``guidance`` is complete."""

    exposure: float | None
    variant: str
    steps: int
    guidance: float
    exposure_weight: float
    smoothness: float
    preview_every: int

    @classmethod
    def read(cls, params: Mapping[str, ParameterValue]) -> Lighting:
        """From resolved parameters."""
        variant, guidance = str(params["variant"]), optional(params, "guidance")
        if guidance is None:
            guidance = REFERENCE_GUIDANCE if variant == "reference" else 1.0
        return cls(
            exposure=optional(params, "exposure"),
            variant=variant,
            steps=whole(params, "steps"),
            guidance=guidance,
            exposure_weight=number(params, "exposure_weight"),
            smoothness=number(params, "smoothness"),
            preview_every=whole(params, "preview_every"),
        )


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, in patches."""
    height, width = (-(-max(side, TILE) // MULTIPLE) * MULTIPLE for side in image.shape)
    return Lighting.read(params).steps * len(Tiling(height, width, TILE, STRIDE).corners)


class Degradation:
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
        height, width = y.shape[-2:]
        cells = (1, 1, math.ceil(height / MASK_CELL) + 1, math.ceil(width / MASK_CELL) + 1)
        self.gain = torch.tensor(gain, device=y.device, requires_grad=True)
        self.grid = torch.zeros(cells, device=y.device, requires_grad=True)
        self.optimizer = torch.optim.Adam([self.gain, self.grid], lr=rate)

    def mask(self) -> Tensor:
        """M at full size."""
        size = tuple(self.y.shape[-2:])
        return F.interpolate(self.grid, size=size, mode="bicubic", align_corners=True)

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


@dataclass(eq=False)
class PixelDegradation:
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


def exposure_that_fits(y: Tensor, body: Tensor) -> float:
    """The published exposure, or the highest that leaves the highlights of the body unsaturated.

    y / f of the body's `HIGHLIGHT` quantile reaches 1 when f equals that quantile.
    """
    inside = y[body > 0.5]
    if inside.numel() == 0:
        return EXPOSURE
    highlight = float(np.quantile(inside.cpu().numpy(), HIGHLIGHT))
    return min(EXPOSURE, float(inside.mean()) / max(highlight, LEAST_GAIN))


def cell_means(u: Tensor, side: int) -> Tensor:
    """Every pixel replaced by the mean of its ``side`` x ``side`` cell."""
    means = F.avg_pool2d(u, side, ceil_mode=True, count_include_pad=False)
    enlarged = F.interpolate(means, scale_factor=side, mode="nearest")
    return enlarged[..., : u.shape[-2], : u.shape[-1]]


def paper_step(
    moment: Moment,
    x: Tensor,
    noise: Tensor,
    model: Degradation,
    body: Tensor,
    exposure: float,
    light: Lighting,
) -> tuple[Tensor, Tensor]:
    """Variant "paper": the clean estimate is corrected, then a deterministic step keeps ε."""
    u = (moment.clean(x, noise).clamp(-1, 1) + 1) / 2
    if moment.signal >= FIT_SIGNAL:
        model.fit(u)
    with torch.no_grad():
        pull = model.gain * model.residual(u) / (model.gain**2 + DAMPING)
        push = body * torch.sign(cell_means(u, EXPOSURE_CELL) - exposure)
        u = (u - light.guidance * pull - light.exposure_weight * push).clamp(0, 1)
        return moment.a * (2 * u - 1) + moment.s * noise, u


def reference_step(
    moment: Moment,
    x: Tensor,
    noise: Tensor,
    z: Tensor,
    model: PixelDegradation,
    exposure: float,
    light: Lighting,
) -> tuple[Tensor, Tensor]:
    """Variant "reference": an ancestral step, then guidance on x_t itself.

    The exposure target is applied to the [-1, 1] image, as published, hence its brightness of
    (E + 1)/2.
    """
    x0 = moment.clean(x, noise).clamp(-1, 1)
    u = (x0 + 1) / 2
    over = cell_means(x0, REFERENCE_CELL) - exposure
    push = REFERENCE_EXPOSURE * light.exposure_weight * over
    guide = light.guidance * (2 * model.gain * model.residual(u) + push)
    model.fit(u)
    if moment.next_signal == 1.0:
        final = (x0 - guide).clamp(-1, 1)
        return final, (final + 1) / 2
    ratio = (1 - moment.next_signal) / (1 - moment.signal)
    fresh = math.sqrt(max(ratio * (1 - moment.signal / moment.next_signal), 0.0))
    kept = math.sqrt(max(moment.s**2 - fresh**2, 0.0))
    return moment.a * x0 + kept * noise + fresh * z - guide, u


def sample(
    predict: Predict, signal: Tensor, y: Tensor, body: Tensor, light: Lighting, *, seed: int
) -> Iterator[tuple[int, Tensor, float]]:
    """Enhance the measurement ``y``, (1, 1, H, W) in [0, 1].

    Yields (steps made, clean estimate in [0, 1], gain f) after every step; the last is the result.
    """
    shape = tuple(y.shape)
    exposure = light.exposure or exposure_that_fits(y, body)
    share = float((y * body).sum() / body.sum().clamp_min(1.0))
    gain = max(share / exposure, LEAST_GAIN)
    fitted = Degradation(y, gain, light.smoothness, FIT_TRAVEL / light.steps)
    plain = PixelDegradation(y, torch.tensor(1.0, device=y.device), torch.zeros_like(y))
    x = keyed_noise(shape, seed, START).to(y.device)
    for done, moment in enumerate(timeline(signal, light.steps), start=1):
        noise = predict(x, moment.t).clone()
        if light.variant == "paper":
            x, u = paper_step(moment, x, noise, fitted, body, exposure, light)
            yield done, u, float(fitted.gain.detach())
        else:
            z = keyed_noise(shape, seed, moment.t).to(y.device)
            x, u = reference_step(moment, x, noise, z, plain, exposure, light)
            yield done, u, float(plain.gain)


def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Brighten; see `enhancers.base.Enhancer`."""
    gray = luminance(image.pixels)
    if is_constant(gray):
        yield unchanged(image.pixels)
        return
    light = Lighting.read(params)
    prior = pixel_prior(device, str(params["prior"]))
    padded, padding = pad(gray, multiple=MULTIPLE, least=TILE)
    y = torch.from_numpy(padded)[None, None].to(device)
    body = torch.from_numpy(foreground(padded))[None, None].to(device)
    height, width = padded.shape
    tiling = Tiling(height, width, TILE, STRIDE)

    def predict(x: Tensor, t: int) -> Tensor:
        return tiling.predict(prior.predict, x, t)

    watch = Stopwatch(light.steps)
    u: Tensor = y
    figures: tuple[Figure, ...] = ()
    for done, u, gain in sample(predict, prior.signal, y, body, light, seed=seed):
        figures = (Figure("gain", "Exposure factor f", gain),)
        show = done % light.preview_every == 0 and done < light.steps
        yield watch.step(done, _merged(image, u, padding) if show else None)
    yield finished(
        _merged(image, u, padding),
        figures=figures,
        calls=light.steps * len(tiling.corners),
    )


def _merged(image: MedicalImage, u: Tensor, padding: Padding) -> Pixels:
    gray = u[0, 0].clamp(0, 1).cpu().numpy().astype(np.float32)
    return with_luminance(image.pixels, padding.crop(gray), keep="saturation")
