"""``benchmarks spine``: the tables of the paper on morphology-consistent diffusion."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.evidence import WORK
from enhancers.asset_files import ASSETS
from enhancers.cli.common import Device
from enhancers.cli.progress import tell_failures


def spine(
    networks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of trained networks. Default: those that ship."),
    ] = None,
    volumes: Annotated[
        int | None, typer.Option(min=1, help="Held-out volumes. Default: all 181.")
    ] = None,
    variant_volumes: Annotated[
        int, typer.Option(min=1, help="Of them with the variants of the method.")
    ] = 16,
    slow_volumes: Annotated[
        int, typer.Option(min=1, help="Of them with slow methods and the variants of Table V.")
    ] = 10,
    rival_minutes: Annotated[
        float, typer.Option(min=0.1, help="Training of the supervised U-Net, once.")
    ] = 20.0,
    work: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of computed rows and the U-Net.")
    ] = WORK.parent / "spine",
    out: Annotated[
        Path | None, typer.Option(help="Markdown file of the page; a picture beside it.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure the method on held-out volumes of spines; status 1 where a floor is missed.

    Rows that are stored are not computed again, and the U-Net is trained once.
    """
    from benchmarks.spine import page, settings
    from benchmarks.spine.floors import failures
    from benchmarks.spine.run import measured
    from enhancers import devices

    scans = settings.held_out(volumes)
    found, rows = measured(
        networks or ASSETS / "networks" / "morphology", scans,
        settings.spread_out(scans, variant_volumes), settings.spread_out(scans, slow_volumes),
        rival_minutes, work,
        devices.choose(device), picture=None if out is None else out.with_suffix(".png"),
        file=sys.stderr,
    )  # fmt: skip
    command = " ".join([
        "python -m benchmarks spine",
        *([f"--volumes {volumes}"] if volumes else []), f"--variant-volumes {variant_volumes}",
        f"--slow-volumes {slow_volumes}",
    ])  # fmt: skip
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    text = page.as_markdown(found, command, when, "" if out is None else f"{out.stem}.png")
    print(text)
    if out is not None:
        out.write_text(f"{text}\n", encoding="utf-8")
    if tell_failures(rows) or any(failures(found)):
        raise typer.Exit(1)
