"""One test image of each cohort in every variant, with the true and the found outlines."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.segmentation import training
from benchmarks.segmentation.measures import agreement
from benchmarks.segmentation.runs import Experiment, VariantImages, images_of, training_digest
from benchmarks.segmentation.store import RunStore
from benchmarks.segmentation.subjects import Cohort, Labels
from benchmarks.segmentation.variants import CLEAN, DEGRADED, NONE
from benchmarks.small_png import small_png
from enhancers.errors import ReadingRoomError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRUE, FOUND = "#7fd6f2", "#ff8c42"
"""Colours of the outlines, distinct on gray and for red-green colour blindness."""
INCHES, DPI, COLOURS = 1.7, 110, 64
TITLE = 26
"""Characters per line of a title."""


def file_name(degradation: str) -> str:
    """The name of a degradation's picture."""
    return f"segmentation-{re.sub(r'[^a-z0-9_.-]+', '-', degradation)}.png"


def draw(plan: Experiment, work: Path, out: Path) -> list[Path]:
    """Draw a picture for each degradation, with a row per cohort and a column per variant.

    It shows the result of the first network with the first seed on the test image whose degraded
    version is segmented worst. Cohorts whose network is not stored are left out.

    Parameters
    ----------
    plan : Experiment
        Already run by `runs.run`.
    work : Path
        Its folder.
    out : Path
        Where the pictures go.
    """
    rows = [row for cohort in plan.cohorts if (row := _predicted(plan, cohort, work)) is not None]
    if not rows:
        return []
    return [_sheet(rows, plan, name, out / file_name(name)) for name in plan.degradations]


class _Row:
    """A cohort with its images and what a network found in them."""

    def __init__(
        self, cohort: Cohort, images: list[VariantImages], found: list[list[Labels]]
    ) -> None:
        self.cohort, self.images, self.found = cohort, images, found

    def columns(self, degradation: str) -> list[int]:
        """Indices of the images of a degradation, including the clean ones."""
        return [
            number
            for number, each in enumerate(self.images)
            if each.degradation in (degradation, NONE)
        ]

    def dice(self, column: int, subject: int) -> float:
        """Mean Dice over the structures that are present."""
        truth, found = self.cohort.test[subject].labels, self.found[column][subject]
        scores = [agreement(found == k, truth == k) for k in range(1, self.cohort.classes)]
        return float(np.mean([score.dice for score in scores if score is not None] or [0.0]))

    def worst(self, degradation: str) -> int:
        """The subject whose degraded image is segmented worst."""
        column = next(
            number
            for number in self.columns(degradation)
            if self.images[number].variant == DEGRADED
        )
        return min(range(len(self.cohort.test)), key=lambda each: self.dice(column, each))


def _predicted(plan: Experiment, cohort: Cohort, work: Path) -> _Row | None:
    key, seed = plan.networks[0], plan.seeds[0]
    with RunStore(work) as store:
        weights = training_digest(plan, cohort, key, seed)
        network = store.network(weights, key, cohort.classes, cohort.size)
    if network is None:
        return None
    network.to(plan.device)
    images = list(images_of(plan, cohort, work))
    found = [
        training.predict(network, [picture.pixels for picture in each.pictures], plan.device)
        for each in images
    ]
    return _Row(cohort, images, found)


def _sheet(rows: list[_Row], plan: Experiment, degradation: str, path: Path) -> Path:
    from matplotlib.figure import Figure

    labels = {CLEAN: "clean", DEGRADED: "degraded"} | {one.key: one.label for one in plan.methods}
    columns = len(labels)
    figure = Figure(figsize=(INCHES * columns, (INCHES + 0.45) * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), columns, squeeze=False)
    for row, axes in zip(rows, panels, strict=True):
        subject = row.worst(degradation)
        for axis, column in zip(axes, row.columns(degradation), strict=True):
            dice = row.dice(column, subject)
            label = textwrap.fill(labels[row.images[column].variant], TITLE)
            axis.set_title(f"{label}\nDice {dice:.2f}", fontsize=7)
            _panel(axis, row, column, subject)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(small_png(figure, DPI, COLOURS))
    except OSError as error:
        raise ReadingRoomError(
            f"{path.parent} cannot be written: {error.strerror}; name another folder."
        ) from error
    return path


def _panel(axis: Axes, row: _Row, column: int, subject: int) -> None:
    axis.set_axis_off()
    pixels = row.images[column].pictures[subject].pixels
    axis.imshow(pixels, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
    for labels, colour in (
        (row.cohort.test[subject].labels, TRUE),
        (row.found[column][subject], FOUND),
    ):
        for number in range(1, row.cohort.classes):
            mask = labels == number
            if mask.any() and not mask.all():
                axis.contour(mask.astype(float), levels=[0.5], colors=colour, linewidths=0.7)
