"""One generic test for all operators: adjoint, norm, and the conditions of a pseudo-inverse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from enhancers.degrade.mr import sensitivities
from enhancers.operators import (
    Beam,
    BlockMean,
    CoilKSpace,
    Cropped,
    Identity,
    KSpace,
    Mask,
    NullSpaceOperator,
    Operator,
    PhasedKSpace,
    Projection,
    RealImage,
    filtered_back_projection,
)
from enhancers.operators.operator import power_norm

SIDE = 16
PARALLEL = Beam(SIDE, 1.5, 12)
FAN = Beam(SIDE, 1.5, 24, source=60.0)


def _pixel_mask() -> Tensor:
    return (torch.rand((SIDE, SIDE), generator=torch.Generator().manual_seed(1)) > 0.4).double()


def _spectrum_mask() -> Tensor:
    """Symmetric under frequency negation, so that every sampled frequency has its pair."""
    kept = torch.rand((SIDE, SIDE), generator=torch.Generator().manual_seed(2)) > 0.5
    mirrored = torch.roll(torch.flip(kept, (0, 1)), (1, 1), (0, 1))
    return (kept | mirrored).double()


def _phase() -> Tensor:
    drawn = torch.randn((SIDE, SIDE), generator=torch.Generator().manual_seed(3))
    return torch.polar(torch.ones((SIDE, SIDE)).double(), drawn.double())


def _coils() -> Tensor:
    return torch.from_numpy(sensitivities(4, (SIDE, SIDE), np.random.default_rng(0)))


NULL_SPACE: dict[str, NullSpaceOperator] = {
    "identity": Identity(),
    "block mean 2": BlockMean(2),
    "block mean 4": BlockMean(4),
    "block mean 8": BlockMean(8),
    "mask": Mask(_pixel_mask()),
    "k-space": KSpace(_spectrum_mask()),
    "cropped": Cropped(BlockMean(2), 8, 12, 8, 4),
}
OTHERS: dict[str, Operator] = {
    "k-space, other half": KSpace((torch.arange(SIDE) < 7).double()[:, None]),
    "k-space with a phase": PhasedKSpace(_spectrum_mask(), _phase()),
    "coils": CoilKSpace(_spectrum_mask(), _coils()),
    "coils of a real image": RealImage(CoilKSpace(_spectrum_mask(), _coils() * _phase())),
    "parallel beams": Projection(PARALLEL),
    "fan beam": Projection(FAN),
}
OPERATORS: dict[str, Operator] = {**NULL_SPACE, **OTHERS}
COMPLEX = {"coils"}
OF_COILS = {"coils", "coils of a real image"}
SINGLE = {"parallel beams", "fan beam"}


def _image(key: str, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    kind = torch.complex128 if key in COMPLEX else torch.float64
    kind = torch.float32 if key in SINGLE else kind
    channels = 1 if key in (*OF_COILS, *SINGLE) else 2
    return torch.randn((2, channels, SIDE, SIDE), generator=generator, dtype=kind)


def _product(a: Tensor, b: Tensor) -> float:
    return float((a.conj() * b).real.double().sum())


@pytest.mark.parametrize("key", OPERATORS)
def test_the_adjoint_is_exact(key: str) -> None:
    operator, x = OPERATORS[key], _image(key)
    y = operator.forward(x)
    generator = torch.Generator().manual_seed(5)
    other = torch.randn(y.shape, generator=generator, dtype=y.dtype)
    left, right = _product(y, other), _product(x, operator.adjoint(other))
    assert left == pytest.approx(right, rel=1e-5, abs=1e-5 * float(y.abs().sum()))


@pytest.mark.parametrize("key", OPERATORS)
def test_the_norm_is_the_largest_singular_value(key: str) -> None:
    operator = OPERATORS[key]
    found = power_norm(operator, _image(key)[:1], rounds=200)
    if key in OF_COILS:
        assert found <= operator.norm * (1 + 1e-6)
    else:
        assert found == pytest.approx(operator.norm, rel=1e-2)


@pytest.mark.parametrize("key", OPERATORS)
def test_images_of_a_batch_do_not_meet(key: str) -> None:
    operator, x = OPERATORS[key], _image(key)
    y = operator.forward(x)
    torch.testing.assert_close(operator.forward(x[1:]), y[1:])
    torch.testing.assert_close(operator.adjoint(y)[1:], operator.adjoint(y[1:]))
    torch.testing.assert_close(operator.pinv(y)[1:], operator.pinv(y[1:]))


@pytest.mark.parametrize("key", [*NULL_SPACE, "k-space, other half"])
def test_h_pinv_h_is_h(key: str) -> None:
    operator = OPERATORS[key]
    y = operator.forward(_image(key))
    torch.testing.assert_close(operator.forward(operator.pinv(y)), y)


@pytest.mark.parametrize("key", NULL_SPACE)
def test_pinv_h_pinv_is_pinv(key: str) -> None:
    operator = NULL_SPACE[key]
    back = operator.pinv(operator.forward(_image(key)))
    torch.testing.assert_close(operator.pinv(operator.forward(back)), back)


@pytest.mark.parametrize("key", NULL_SPACE)
def test_pinv_h_is_an_orthogonal_projection(key: str) -> None:
    operator, image = NULL_SPACE[key], _image(key)
    other = torch.roll(image, 3, -1)
    projected = operator.pinv(operator.forward(image))
    projected_other = operator.pinv(operator.forward(other))
    torch.testing.assert_close((projected * other).sum(), (image * projected_other).sum())


@pytest.mark.parametrize("key", NULL_SPACE)
def test_the_norm_scales_every_measurable_image(key: str) -> None:
    operator = NULL_SPACE[key]
    measurable = operator.pinv(operator.forward(_image(key)))
    norm = operator.forward(measurable).abs().square().sum().sqrt()
    torch.testing.assert_close(norm, operator.norm * measurable.square().sum().sqrt())


def test_block_mean_refuses_sides_it_does_not_divide() -> None:
    with pytest.raises(ValueError, match="16 x 17"):
        BlockMean(4).forward(torch.zeros((1, 1, 16, 17)))


def test_coils_with_all_of_k_space_give_the_image_back() -> None:
    image = _image("coils")
    operator = CoilKSpace(torch.ones((SIDE, SIDE)).double(), _coils())
    torch.testing.assert_close(operator.pinv(operator.forward(image)), image)


def test_coils_restore_more_than_one_does() -> None:
    """With half of the lines, four coils determine an image that one coil does not."""
    lines = (torch.arange(SIDE) % 2 == 0).double()[:, None]
    image = _image("coils")
    several, one = CoilKSpace(lines, _coils(), rounds=100), KSpace(lines)
    error = (several.pinv(several.forward(image)) - image).abs().square().mean()
    alone = (one.pinv(one.forward(image.real)) - image.real).square().mean()
    assert float(error) < 0.2 * float(alone)


def _disc(beam: Beam, x: float, y: float, radius: float) -> Tensor:
    """A disc with smooth edges (means over a pixel), (1, 1, side, side)."""
    fine = 8
    axis = (torch.arange(beam.side * fine) + 0.5) / fine - beam.side / 2
    inside = ((axis[None, :] * beam.pixel - x) ** 2 + (axis[:, None] * beam.pixel - y) ** 2) < (
        radius**2
    )
    return inside.float().reshape(beam.side, fine, beam.side, fine).mean((1, 3))[None, None]


@pytest.mark.parametrize("source", [None, 300.0])
def test_projections_of_a_disc_are_its_chords(source: float | None) -> None:
    """The place of the disc tells every view from its mirror image and its neighbours."""
    beam = Beam(64, 2.0, 48, source=source)
    measured = Projection(beam).forward(_disc(beam, 17.0, -25.0, 21.0))[0, 0].numpy()
    for angle, found in zip(beam.angles, measured, strict=True):
        turns, distances = beam.lines(float(angle))
        apart = distances - (17.0 * np.cos(turns) - 25.0 * np.sin(turns))
        chords = 2 * np.sqrt(np.maximum(21.0**2 - apart**2, 0))
        assert np.abs(found - chords).mean() < 0.35
        assert np.abs(found - chords).max() < 8.0


@pytest.mark.parametrize("source", [None, 300.0])
def test_filtered_back_projection_gives_the_values_back(source: float | None) -> None:
    beam = Beam(64, 2.0, 96, source=source)
    disc = _disc(beam, 17.0, -25.0, 21.0) * 0.02
    y = Projection(beam).forward(disc)
    sharp = filtered_back_projection(y, beam, "ramp")
    smooth = Projection(beam).pinv(y)
    inside, outside = _disc(beam, 17.0, -25.0, 15.0) == 1, _disc(beam, 17.0, -25.0, 27.0) == 0
    for found in (sharp, smooth):
        assert float(found[inside].mean()) == pytest.approx(0.02, rel=0.015)
        assert abs(float(found[outside].mean())) < 2e-4
    edges = [float((one - disc).square().mean()) for one in (sharp, smooth)]
    assert edges[0] < edges[1]


def test_noise_of_a_reconstruction_has_the_spectrum_of_the_filter() -> None:
    """White noise of variance v per ray: f W(f)² per unit of area (Riederer et al., 1978)."""
    beam = Beam(64, 1.0, 180)
    generator = torch.Generator().manual_seed(0)
    for window in ("ramp", "hann"):
        y = torch.randn((8, 1, beam.views, beam.detectors), generator=generator)
        image = filtered_back_projection(y, beam, window)[:, 0, 8:56, 8:56]
        power = torch.fft.fft2(image).abs().square().mean(0) / 48**2
        rows, columns = (torch.fft.fftfreq(48)[:, None], torch.fft.fftfreq(48)[None, :])
        frequency = torch.hypot(rows, columns)
        weight = torch.cos(math.pi * frequency).square() ** 2 if window == "hann" else 1.0
        # Linear interpolation between elements of the detector smooths: the fourth power of sinc.
        weight = weight * torch.sinc(frequency) ** 4
        theory = math.pi / beam.views * frequency * weight
        for low, high in ((0.06, 0.12), (0.15, 0.25), (0.3, 0.4)):
            ring = (frequency > low) & (frequency < high)
            ratio = float(power[ring].mean() / theory[ring].mean())
            assert 0.9 < ratio < 1.15, (window, low, ratio)


def test_a_source_inside_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        Beam(64, 2.0, 48, source=80.0)
