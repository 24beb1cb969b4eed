from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from enhancers.depths import depth_weights
from enhancers.errors import ParameterError
from enhancers.networks.morphology.sampling import inverted, samples, signal
from enhancers.networks.morphology.tuner import (
    VARIANTS,
    MorphologyTuner,
    features_of,
    fused,
)
from enhancers.networks.morphology.unet import Features, MorphologyUNet
from enhancers.registry import DEPTH_WEIGHTS

WIDTHS = (16, 16, 24, 32)


def network(**config: object) -> MorphologyUNet:
    torch.manual_seed(0)
    made = MorphologyUNet(block_out_channels=WIDTHS, **config).eval()
    torch.nn.init.normal_(made.conv_out.weight, std=0.1)
    return made


def test_features_have_the_same_shapes_with_and_without_time() -> None:
    images = torch.randn(2, 1, 32, 48)
    noise, own = network().run(images, torch.tensor([3, 500]))
    logits, there = network(out_channels=4, timed=False).run(images)
    assert noise.shape == images.shape
    assert logits.shape == (2, 4, 32, 48)
    for mine, theirs in zip(
        (*own.encoder, *own.decoder), (*there.encoder, *there.decoder), strict=True
    ):
        assert mine.shape == theirs.shape
    assert [each.shape[1:] for each in own.encoder] == [each.shape[1:] for each in own.decoder]
    # Three times half the resolution, after the fold.
    assert [each.shape[-1] for each in own.encoder] == [24, 12, 6, 3]


def test_time_and_skip_connections_matter() -> None:
    made, images = network(), torch.randn(1, 1, 32, 32)
    early, late = (made(images, torch.tensor([step])) for step in (10, 900))
    assert (early - late).abs().max() > 1e-3
    same = made(images, torch.tensor([10]), lambda encoder: encoder)
    torch.testing.assert_close(same, early)
    other = made(images, torch.tensor([10]), lambda encoder: [0 * each for each in encoder])
    assert (other - early).abs().max() > 1e-3


def test_the_shipped_size_fits() -> None:
    count = sum(
        parameter.numel()
        for part in (MorphologyUNet(), MorphologyUNet(out_channels=4, timed=False),
                     *(MorphologyTuner(variant=variant) for variant in VARIANTS))
        for parameter in part.parameters()
    )  # fmt: skip
    assert 2 * count < 16 * 2**20


def features(seed: int, count: int = 1) -> Features:
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(count, width, 4, 4, generator=generator) for width in WIDTHS * 2]
    return Features(tuple(made[:4]), tuple(made[4:]))


def test_a_new_tuner_gives_what_the_equations_leave_of_it() -> None:
    own, fed = features(0).encoder, features(1)
    published = MorphologyTuner(WIDTHS)(own, fed)
    residual = MorphologyTuner(WIDTHS, variant="residual")(own, fed)
    for level in range(len(WIDTHS)):
        torch.testing.assert_close(published[level], fed.decoder[level])
        torch.testing.assert_close(residual[level], own[level] + fed.decoder[level])


def test_a_tuner_is_equation_7() -> None:
    own, fed = features(0).encoder, features(1)
    tuner = MorphologyTuner(WIDTHS)
    torch.nn.init.normal_(tuner.up[1].weight)
    made = tuner(own, fed)[1]
    inner = torch.einsum("oc,bchw->bohw", tuner.down[1].weight[..., 0, 0], own[1] + fed.encoder[1])
    inner = torch.nn.functional.gelu(inner + tuner.down[1].bias.view(-1, 1, 1))
    wanted = torch.einsum("oc,bchw->bohw", tuner.up[1].weight[..., 0, 0], inner) + fed.decoder[1]
    torch.testing.assert_close(made, wanted)


@pytest.mark.parametrize("count", range(1, 10))
def test_depth_weights_sum_to_one(count: int) -> None:
    weights = depth_weights(count)
    assert len(weights) == count
    assert sum(weights) == pytest.approx(1)
    if count == 5:
        assert weights == pytest.approx([each / 0.999 for each in DEPTH_WEIGHTS])
    if count == 9:
        assert weights[1] / weights[0] == pytest.approx((0.109 + 0.205) / 2 / 0.109)
    assert depth_weights(count, [1, 1]) == pytest.approx([1 / count] * count)


@pytest.mark.parametrize(
    ("count", "known", "says"),
    [(0, (1.0,), "0 depths"), (10, (1.0,), "10 depths"), (5, (1.0, -0.1), "-0.1"),
     (5, (0.0, 0.0), "0.0"), (2, (0.0, 1.0, 0.0), "leave none")],
)  # fmt: skip
def test_impossible_weights_are_refused(count: int, known: tuple[float, ...], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        depth_weights(count, known)


def test_features_are_fused_over_the_depths_of_each_case() -> None:
    of_depths = features(2, count=6)
    found = fused(of_depths, (0.2, 0.3, 0.5))
    values = of_depths.decoder[2]
    for case in range(2):
        wanted = sum(w * values[3 * case + d] for d, w in enumerate((0.2, 0.3, 0.5)))
        torch.testing.assert_close(found.decoder[2][case], wanted)
    extractor, depths = network(out_channels=4, timed=False), torch.randn(2, 3, 32, 32)
    alone = features_of(extractor, depths[1:], (0.0, 1.0, 0.0)).encoder[0]
    torch.testing.assert_close(alone, extractor.run(depths[1:, 1:2])[1].encoder[0])


def exact(image: Tensor) -> object:
    """The velocity of a network that knows one image only."""

    def velocity(state: Tensor, steps: Tensor) -> Tensor:
        abar = signal()[steps].view(-1, 1, 1, 1)
        noise = (state - abar.sqrt() * image) / (1 - abar).sqrt()
        return abar.sqrt() * noise - (1 - abar).sqrt() * image

    return velocity


def test_samples_end_at_what_the_network_knows_and_depend_on_the_start_alone() -> None:
    image = torch.rand(1, 1, 8, 8) * 2 - 1
    *estimates, last = samples(exact(image), torch.randn(1, 1, 8, 8), 10)
    assert len(estimates) == 9
    torch.testing.assert_close(last, image, atol=1e-3, rtol=0)
    made, start = network(), torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        one, same, other = (
            list(samples(made, begin, 5))[-1] for begin in (start, start, torch.randn_like(start))
        )
    assert torch.equal(one, same)
    assert (one - other).abs().max() > 1e-3


def test_a_sample_from_an_inverted_image_comes_back_to_it() -> None:
    # A Gaussian prior of variance 1/4, whose best estimate is linear in the state.
    def velocity(state: Tensor, steps: Tensor) -> Tensor:
        abar = signal()[steps].view(-1, 1, 1, 1)
        return state * (abar * (1 - abar)).sqrt() * (1 - 1 / 4) / (abar / 4 + 1 - abar)

    torch.manual_seed(0)
    image = (torch.randn(1, 1, 16, 16) / 2).clamp(-0.9, 0.9)
    start = inverted(velocity, image, 100)
    assert float(start.std()) == pytest.approx(1, abs=0.15)
    *_, back = samples(velocity, start, 100)
    assert float((back - image).square().mean().sqrt()) < 0.1
    *_, other = samples(velocity, torch.randn_like(start), 100)
    assert float((other - image).square().mean().sqrt()) > 0.3


def test_the_cosine_schedule() -> None:
    wanted = math.cos((0.5 + 0.008) / 1.008 * math.pi / 2) ** 2
    assert float(signal()[499]) == pytest.approx(wanted, rel=1e-2)
