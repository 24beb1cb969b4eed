"""Loads the networks, trains the rival where that is still to be done, and measures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from tqdm.auto import tqdm

from benchmarks.spine import pictures, settings
from benchmarks.spine.found import Found
from benchmarks.spine.measure import Run
from benchmarks.spine.methods import Tools
from benchmarks.spine.rival import trained_rival
from enhancers.evaluation.store import ResultRow, RowStore
from enhancers.networks.morphology.enhance import MorphologyNetworks
from enhancers.networks.training.morphology.volumes import spine_corpus
from enhancers.phantoms.spine.cohort import Scan


def measured(
    folder: Path, scans: Sequence[Scan], some: Sequence[Scan], few: Sequence[Scan], minutes: float,
    work: Path, device: str, *, side: int = settings.SIDE, picture: Path | None = None,
    file: TextIO | None = None,
) -> tuple[Found, list[ResultRow]]:  # fmt: skip
    """What was measured, and all rows with those that failed.

    Parameters
    ----------
    folder : Path
        Of the networks.
    scans, some, few : sequence of Scan
        The volumes, those of them with the variants, and those with the slow methods.
    minutes : float
        Training time of the rival.
    work : Path
        Of the rows and the rival.
    device : str
    side : int
        Of the images in pixels.
    picture : Path, optional
        Where a picture of some volumes is written.
    file : file, optional
        Of the progress bar.

    Raises
    ------
    NetworkMissing
    """
    networks = {
        variant: MorphologyNetworks.load(folder, variant, device) for variant in settings.VARIANTS
    }
    known = networks[settings.SHIPPED]
    facts = _facts(folder)
    rival = trained_rival(
        lambda: spine_corpus(known.side, cohorts=facts.get("cohorts", 1)).tuning, known.side,
        minutes, work, device,
        widths=known.extractor.config.block_out_channels,
    )  # fmt: skip
    tools = Tools(networks, folder, rival, settings.STEPS, device)
    run = Run(scans, some, few, side, tools, RowStore(work))
    truths, rows = {}, []
    with tqdm(run.rows(), total=run.count, unit="row", file=file) as bar:
        for truth, row in bar:
            bar.set_description(row.candidate, refresh=False)
            truths[row.case] = truth
            rows.append(row)
    if picture is not None:
        pictures.store(picture, scans, side, tools)
    found = Found(
        tuple(row for row in rows if not row.error),
        truths,
        facts,
        f"The supervised U-Net is of the same shape, is given all depths and was trained for "
        f"{rival.minutes:.0f} min ({rival.steps} steps, L1 to the artefact-free image, final loss "
        f"{rival.loss:.4f}) on the same volumes as the tuners. It does not ship.",
    )  # fmt: skip
    return found, rows


def _facts(folder: Path) -> dict[str, Any]:
    """What the training of the networks wrote down; nothing where it did not."""
    path = folder / "training.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
