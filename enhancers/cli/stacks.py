"""The commands for inputs of several images: spine-volumes, stack."""

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


def stack(
    sources: Annotated[
        list[Path], typer.Argument(metavar="PICTURE...", help="Pictures of one size, in order.")
    ],
    out: Annotated[Path, typer.Option(help="The TIFF file to write (.tif or .tiff).")],
) -> None:
    """Write several pictures as the pages of one TIFF file, which is one input for a method.

    Values are kept as they are.
    """
    from enhancers.cli.outputs import check_file
    from enhancers.errors import ParameterError
    from enhancers.files import write_atomic
    from enhancers.load import load
    from enhancers.save.stack import to_tiff_pages

    for source in sources:
        check_file(source, out)
    if out.suffix.lower() not in (".tif", ".tiff"):
        raise ParameterError(f"--out {out.name} is a TIFF file; give it the ending .tif.")
    write_atomic(out, to_tiff_pages([load(source) for source in sources]))
