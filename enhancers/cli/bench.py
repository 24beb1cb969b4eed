"""``enhancers bench``: the commands behind the figures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from enhancers.cli.common import Device
from enhancers.errors import ParameterError

app = typer.Typer(help="The commands behind the figures.", no_args_is_help=True)


@app.command("floors")
def bench_floors(
    data: Annotated[Path | None, typer.Option(help="Folder of .npz; phantoms without it.")] = None,
    images: Annotated[int, typer.Option(min=1, help="Of each modality.")] = 8,
    only: Annotated[list[str] | None, typer.Option(help="autoencoder, hybrid, ...")] = None,
    device: Device = "auto",
    out: Annotated[Path | None, typer.Option(help="Write the table as Markdown.")] = None,
) -> None:
    """Measure the floors of the embedded priors; exit status 1 where one is missed."""
    from tqdm.auto import tqdm

    from enhancers import bench, devices

    chosen = tuple(only or bench.STAGES)
    unknown = [name for name in chosen if name not in bench.STAGES]
    if unknown:
        raise ParameterError(f"--only {unknown[0]} is unknown; use {', '.join(bench.STAGES)}.")
    cases = bench.validation_cases(data, images)
    with tqdm(unit="image", file=sys.stderr) as bar:

        def tick(stage: str) -> None:
            bar.set_description(stage, refresh=False)
            bar.update()

        found = list(bench.floors(cases, devices.choose(device), chosen, tick))
    text = bench.as_markdown(found, len(cases))
    print(text)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    if not all(floor.met for _, _, floors in found for floor in floors):
        raise typer.Exit(1)
