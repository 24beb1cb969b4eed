"""Runs the experiment: train on clean images, segment every variant of the test images."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from importlib.metadata import version as installed
from pathlib import Path

from torch import nn

from benchmarks.segmentation import networks, training
from benchmarks.segmentation.measures import agreement
from benchmarks.segmentation.store import RunStore, SegmentationRow
from benchmarks.segmentation.subjects import Cohort, Labels, Subject
from benchmarks.segmentation.training import Progress, Recipe
from benchmarks.segmentation.variants import (
    CLEAN,
    DEGRADED,
    NONE,
    Enhanced,
    Picture,
    damage,
    damaged,
)
from enhancers import devices
from enhancers.evaluation.methods_under_test import MethodUnderTest
from enhancers.image import Pixels, pixels_digest
from enhancers.source_digest import source_digest

SAMPLING_SEED = 0
"""Seed of methods that sample; each test image is enhanced once, for all networks."""
DECIMALS = 4

_HERE = "benchmarks.segmentation"
TRAINING_CODE, MEASURES_CODE = f"{_HERE}.training", f"{_HERE}.measures"
"""Modules whose code, with all that they import, determines networks and scores."""


@dataclass(frozen=True)
class Experiment:
    """An experiment: every network is trained once for each seed on each cohort.

    ``degradations`` are as `variants.damage` reads them.
    """

    cohorts: tuple[Cohort, ...]
    networks: tuple[str, ...]
    methods: tuple[MethodUnderTest, ...]
    seeds: tuple[int, ...]
    recipe: Recipe
    degradations: tuple[str, ...] = ("paper",)
    device: str = "cpu"

    @property
    def pieces(self) -> int:
        """The largest number of images to enhance and epochs to train."""
        images = sum(len(cohort.test) for cohort in self.cohorts)
        images *= len(self.methods) * len(self.degradations)
        runs = len(self.cohorts) * len(self.networks) * len(self.seeds)
        return images + runs * self.recipe.epochs


@dataclass(frozen=True, eq=False)
class VariantImages:
    """The test images of a cohort in one variant, with the levels of the degradation."""

    degradation: str
    variant: str
    pictures: tuple[Picture, ...]
    levels: tuple[float, ...]


Tick = Callable[[str, int], None]


def _ignore(note: str, pieces: int) -> None:
    """Report no progress."""


def run(plan: Experiment, folder: Path, tick: Tick = _ignore) -> list[SegmentationRow]:
    """Compute the rows of a plan that are not stored, and return all of them.

    Parameters
    ----------
    plan : Experiment
    folder : Path
        Of enhanced images, trained networks and rows, which a later run reuses.
    tick : callable
        Called with what was done, and how many of `Experiment.pieces` that was.

    Raises
    ------
    ReadingRoomError
    """
    for key in plan.networks:
        networks.find(key)
    rows: list[SegmentationRow] = []
    with RunStore(folder) as store:
        for cohort in plan.cohorts:
            tests = list(images_of(plan, cohort, folder, tick))
            for key in plan.networks:
                for seed in plan.seeds:
                    rows += _trial(plan, cohort, key, seed, tests, store, tick)
    return rows


def images_of(
    plan: Experiment, cohort: Cohort, folder: Path, tick: Tick = _ignore
) -> Iterator[VariantImages]:
    """The test images of a cohort: clean, then in each variant under each degradation.

    Results of methods are stored below ``folder`` and reused.
    """
    clean = [_picture(each.pixels) for each in cohort.test]
    yield VariantImages(NONE, CLEAN, tuple(clean), (0.0,) * len(clean))
    enhanced = Enhanced(folder / "enhanced", seed=SAMPLING_SEED, device=plan.device)
    for name in plan.degradations:
        how = damage(name, cohort.modality)
        degraded = [damaged(cohort, each, how) for each in cohort.test]
        levels = tuple(round(each.level, DECIMALS) for each in degraded)
        pictures = [_picture(each.pixels) for each in degraded]
        yield VariantImages(name, DEGRADED, tuple(pictures), levels)
        for one in plan.methods:
            found = []
            for each in degraded:
                found.append(enhanced.picture(each, how.task, one))
                tick(f"{cohort.key}, {name}: {one.key}", 1)
            yield VariantImages(name, one.key, tuple(found), levels)


def _picture(pixels: Pixels) -> Picture:
    return Picture(pixels, pixels_digest(pixels))


def _trial(
    plan: Experiment,
    cohort: Cohort,
    key: str,
    seed: int,
    tests: Sequence[VariantImages],
    store: RunStore,
    tick: Tick,
) -> list[SegmentationRow]:
    """All rows of one network with one seed; it is trained only where rows are missing."""
    weights = training_digest(plan, cohort, key, seed)
    label = f"{cohort.key}: {key}, seed {seed}"
    rows: list[SegmentationRow] = []
    network: nn.Module | None = None
    for test in tests:
        done = _rows_digest(weights, cohort, test)
        found = store.get(done)
        if found is None:
            network = network or _network(plan, cohort, key, seed, weights, label, store, tick)
            images = [picture.pixels for picture in test.pictures]
            predicted = training.predict(network, images, plan.device)
            found = tuple(_measured(cohort, key, seed, test, predicted))
            store.put(done, found)
        rows += found
    if network is None:
        tick(label, plan.recipe.epochs)
    return rows


def _network(
    plan: Experiment,
    cohort: Cohort,
    key: str,
    seed: int,
    weights: str,
    label: str,
    store: RunStore,
    tick: Tick,
) -> nn.Module:
    stored = store.network(weights, key, cohort.classes, cohort.size)
    if stored is not None:
        tick(label, plan.recipe.epochs)
        return stored.to(plan.device)
    last = 0

    def epoch(progress: Progress) -> None:
        nonlocal last
        last = progress.epoch
        tick(f"{label}, loss {progress.loss:.3f}", 1)

    made = training.train(cohort, key, plan.recipe, seed=seed, device=plan.device, tick=epoch)
    tick(label, plan.recipe.epochs - last)
    store.put_network(weights, made)
    return made


def _measured(
    cohort: Cohort, key: str, seed: int, test: VariantImages, predicted: Sequence[Labels]
) -> Iterator[SegmentationRow]:
    for subject, level, found in zip(cohort.test, test.levels, predicted, strict=True):
        for number, structure in enumerate(cohort.structures, 1):
            same = agreement(found == number, subject.labels == number)
            values: tuple[float | None, ...] = (None,) * 4
            if same is not None:
                values = tuple(round(value, DECIMALS) for value in astuple(same))
            yield SegmentationRow(
                cohort.key, key, seed, test.degradation, test.variant, subject.key, level,
                structure, *values,
            )  # fmt: skip


def training_digest(plan: Experiment, cohort: Cohort, key: str, seed: int) -> str:
    """SHA-256 over everything that determines a trained network, in hexadecimal."""

    def digests(subjects: Sequence[Subject]) -> list[str]:
        return [subject.digest for subject in subjects]

    return _digest(
        {
            "network": key,
            "package": networks.version(networks.find(key)),
            "torch": installed("torch"),
            "python": platform.python_version(),
            "recipe": asdict(plan.recipe),
            "seed": seed,
            "classes": cohort.classes,
            "train": digests(cohort.train),
            "validation": digests(cohort.validation),
            "device": devices.model_name(plan.device),
            "code": source_digest(TRAINING_CODE),
        }
    )


def _rows_digest(weights: str, cohort: Cohort, test: VariantImages) -> str:
    return _digest(
        {
            "weights": weights,
            "cohort": [cohort.key, *cohort.structures],
            "variant": [test.degradation, test.variant, *test.levels],
            "pictures": [picture.digest for picture in test.pictures],
            "subjects": [[subject.key, subject.digest] for subject in cohort.test],
            "code": source_digest(MEASURES_CODE),
        }
    )


def _digest(facts: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
