import numpy as np
import pytest
import torch

from benchmarks.segmentation import networks
from benchmarks.segmentation.networks import NETWORKS, build, check_size, logits
from benchmarks.segmentation.subjects import Cohort, hearts
from benchmarks.segmentation.training import (
    Progress,
    Recipe,
    augment,
    batches,
    predict,
    segmentation_loss,
    train,
)
from enhancers.errors import ParameterError, ReadingRoomError

pytest.importorskip("monai")
pytest.importorskip("segmentation_models_pytorch")

QUICK = Recipe(epochs=6, learning_rate=1e-2, batch=4)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return hearts("cardiac_mr", size=32, train=9, validation=2, test=2)


@pytest.mark.parametrize("key", NETWORKS)
def test_every_network_scores_every_class_at_every_pixel(key: str) -> None:
    network = build(key, 4, 32, 0)
    images = torch.rand(2, 1, 32, 32)
    scores = logits(network, images)
    assert scores.shape == (2, 4, 32, 32)
    segmentation_loss(scores, torch.zeros(2, 32, 32, dtype=torch.int64)).backward()
    # Both packages build a few layers that their networks do not use.
    reached = [p.grad for p in network.parameters() if p.grad is not None]
    assert len(reached) > 0.8 * len(list(network.parameters()))
    assert all(grad.isfinite().all() for grad in reached)
    assert sum(p.numel() for p in network.parameters()) < 5e6


def test_first_weights_depend_on_the_seed_alone_and_on_nothing_global() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one, other = build("unet", 4, 32, 7), build("unet", 4, 32, 8)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(2)
    again = build("unet", 4, 32, 7)
    assert all(map(torch.equal, one.state_dict().values(), again.state_dict().values()))
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


def test_networks_and_sizes_that_are_not_there_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ParameterError, match=r"No segmentation network unett.*unet"):
        build("unett", 4, 32, 0)
    for size in (24, 40, 1024, -16, 0):
        with pytest.raises(ParameterError, match="multiple of 16"):
            check_size(size)

    def missing(name: str) -> str:
        raise networks.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(networks.importlib.metadata, "version", missing)
    with pytest.raises(ReadingRoomError, match=r"needs monai.*requirements-segmentation\.txt"):
        networks.find("unet")


def test_training_learns_and_the_same_seed_gives_the_same_network(cohort: Cohort) -> None:
    told: list[Progress] = []
    first = train(cohort, "unet", QUICK, seed=3, device="cpu", tick=told.append)
    second = train(cohort, "unet", QUICK, seed=3, device="cpu")
    assert [each.epoch for each in told] == list(range(1, 7))
    assert told[-1].loss < 0.8 * told[0].loss
    assert all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))
    assert not first.training
    found = predict(first, [subject.pixels for subject in cohort.test], "cpu")
    assert [each.shape for each in found] == [(32, 32)] * 2
    assert {each.dtype for each in found} == {np.dtype(np.uint8)}


def test_the_best_epoch_is_kept_and_training_stops_without_gain(cohort: Cohort) -> None:
    told: list[Progress] = []
    # At this rate the loss goes up and down.
    recipe = Recipe(epochs=12, learning_rate=0.3, batch=4, patience=2)
    network = train(cohort, "unet", recipe, seed=0, device="cpu", tick=told.append)
    losses = [each.loss for each in told]
    best = losses.index(min(losses))
    assert len(losses) == min(best + 3, 12) < 12
    subjects = cohort.validation
    images = torch.from_numpy(np.stack([each.pixels for each in subjects])[:, None])
    labels = torch.from_numpy(np.stack([each.labels for each in subjects]).astype(np.int64))
    with torch.inference_mode():
        assert float(segmentation_loss(logits(network, images), labels)) == pytest.approx(
            min(losses), rel=1e-5
        )


def test_dice_and_cross_entropy_reward_the_truth() -> None:
    labels = torch.randint(0, 3, (2, 16, 16), generator=torch.Generator().manual_seed(0))
    right = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float() * 30
    assert float(segmentation_loss(right, labels)) < 1e-3
    even = float(segmentation_loss(torch.zeros(2, 3, 16, 16), labels))
    # Cross-entropy of an even guess, and Dice of a third of each pixel.
    assert even == pytest.approx(np.log(3) + 2 / 3, abs=0.02)
    assert float(segmentation_loss(-right, labels)) > even


def test_masks_follow_their_images_when_these_are_moved() -> None:
    labels = torch.zeros(8, 48, 48, dtype=torch.int64)
    labels[:, 12:30, 8:20] = 1
    images = labels[:, None].float()
    moved, followed = augment(images, labels, Recipe(), torch.Generator().manual_seed(0))
    assert ((moved[:, 0] > 0.5) == (followed == 1)).float().mean() > 0.99
    assert all(not torch.equal(each, moved[0]) for each in moved[1:])
    areas = followed.sum((1, 2)).float() / labels[0].sum()
    assert areas.min() > 0.78
    assert areas.max() < 1.24
    # Mirrored or not: the rectangle lies in the left half, or in the right one.
    left = followed[:, :, :24].sum((1, 2)) > followed[:, :, 24:].sum((1, 2))
    assert 0 < left.sum() < 8
    still = Recipe(rotation=0.0, scaling=0.0, flip=False)
    same, masks = augment(images, labels, still, torch.Generator().manual_seed(0))
    assert torch.allclose(same, images, atol=1e-5)
    assert torch.equal(masks, labels)


@pytest.mark.parametrize(("count", "sizes"), [(9, [4, 5]), (8, [4, 4]), (10, [4, 4, 2]), (2, [2])])
def test_no_batch_has_one_image(count: int, sizes: list[int]) -> None:
    parts = batches(count, 4, torch.Generator().manual_seed(0))
    assert [len(part) for part in parts] == sizes
    assert sorted(torch.cat(parts).tolist()) == list(range(count))


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"batch": 1}, {"patience": 0}, {"learning_rate": 0.0},
     {"learning_rate": float("nan")}, {"learning_rate": 2.0}],
)  # fmt: skip
def test_an_impossible_recipe_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="not possible"):
        Recipe(**wrong)  # type: ignore[arg-type]


def test_training_that_diverges_is_told() -> None:
    flat = hearts("echo", size=32, train=2, validation=1, test=1)
    broken = Recipe(epochs=1, learning_rate=1e-3)
    subject = flat.validation[0]
    # What reaches the network is checked before; here it is spoiled behind the check.
    subject.pixels[:] = np.nan
    with pytest.raises(ReadingRoomError, match="diverged"):
        train(flat, "unet", broken, seed=0, device="cpu")
