"""``enhancers spine-volumes``: the cohort of spine phantoms as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from enhancers.cli.common import Seed, check_folder


def spine_volumes(
    out: Annotated[Path, typer.Option(help="The folder to write to.")],
    size: Annotated[
        int, typer.Option(min=64, max=1024, help="The side of the images in pixels.")
    ] = 256,
    seed: Seed = 0,
) -> None:
    """Write 432 synthetic ultrasound volumes of 191 spines with their truth.

    Each is a TIFF of five coronal images, from superficial to deep, with the artefact-free image
    and the mask beside it; truth.csv has the curve angles, the level and the part of each.
    """
    import sys

    from tqdm.auto import tqdm

    from enhancers.phantoms.spine.cohort import cohort, write_cohort

    check_folder(out, "--out")
    steps = write_cohort(out, size=size, seed=seed)
    *_, table = tqdm(steps, total=len(cohort(seed)) + 1, unit="file", file=sys.stderr)
    print(table)
