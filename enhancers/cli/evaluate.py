"""``enhancers evaluate``: comparison of methods on test images with statistics."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from enhancers.cli.common import Device, check_folder, named_modality
from enhancers.cli.progress import tell_failures, with_bar
from enhancers.errors import ParameterError


def evaluate(
    protocol: Annotated[
        str, typer.Option(help="The protocol: lowdose-ct, ct-sr4, mr-sr4, us-speckle, ...")
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="DIR|phantoms", help="A folder of images or .npz archives, or phantoms."
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The results are written to its subfolder PROTOCOL.")
    ],
    methods: Annotated[
        str,
        typer.Option(
            metavar="A,B", help="The methods, METHOD:VARIANT or METHOD@NAME=VALUE; or 'all'."
        ),
    ] = "",
    seeds: Annotated[
        int, typer.Option(min=1, help="The number of seeds of each sampling method.")
    ] = 1,
    limit: Annotated[
        int | None, typer.Option(min=1, help="The number of images of each group.")
    ] = None,
    groups: Annotated[
        str, typer.Option(metavar="A,B", help="The groups of images: mr, ct, us, xr.")
    ] = "",
    modality: Annotated[
        str | None, typer.Option(help="The modality of all images of a folder.")
    ] = None,
    against: Annotated[
        str, typer.Option(help="The method that the others are compared with.")
    ] = "",
    pictures: Annotated[bool, typer.Option(help="Keep the computed images as PNG.")] = False,
    device: Device = "auto",
) -> None:
    """Degrade, enhance, measure and compare; results of earlier runs are reused."""
    from enhancers import devices
    from enhancers.evaluation.cases import read_cases
    from enhancers.evaluation.method_text import chosen, method_under_test
    from enhancers.evaluation.protocols import protocol as named
    from enhancers.evaluation.report import PICTURES, write
    from enhancers.evaluation.runs import RunPlan

    check_folder(out, "--out")
    asked = named(protocol)
    competing = chosen(asked, _words(methods))
    if against and method_under_test(against).key not in [one.key for one in competing]:
        raise ParameterError(f"--against {against} is not among the methods; add it to --methods.")
    said = None if modality is None else named_modality(modality)
    where = devices.choose(device)
    cases = read_cases(
        data, _words(groups) or asked.groups, limit=limit, modality=said,
        needs_mask=asked.needs_mask, needs_neighbours=asked.needs_neighbours,
        tell=lambda line: print(f"Note: {line}", file=sys.stderr),
    )  # fmt: skip
    plan = RunPlan(asked, tuple(cases), tuple(competing), seeds, where)
    folder = out / asked.key
    rows = with_bar(plan, folder, pictures=folder / PICTURES if pictures else None)
    write(folder, plan, rows, against)
    print((folder / "summary.md").read_text(encoding="utf-8"))
    print((folder / "times.md").read_text(encoding="utf-8"))
    print(
        f"{sum(row.fresh for row in rows)} rows computed, "
        f"{sum(not row.fresh and not row.error for row in rows)} kept; see {folder}",
        file=sys.stderr,
    )
    if tell_failures(rows):
        raise typer.Exit(1)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
