"""``enhancers priors``: the networks of the diffusion methods."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from enhancers.cli.common import AsJson, Device, Seed

app = typer.Typer(help="The networks of the diffusion methods.", no_args_is_help=True)


class Which(StrEnum):
    """Which prior to train."""

    PIXEL = "pixel"
    LATENT = "latent"


@app.command("list")
def list_priors(as_json: AsJson = False) -> None:
    """List the priors and whether they are here."""
    from enhancers.priors.catalog import PRIORS

    if as_json:
        facts = [
            {"key": p.key, "label": p.label, "present": p.present, "megabytes": p.megabytes,
             "licence": p.licence}
            for p in PRIORS
        ]  # fmt: skip
        print(json.dumps({"priors": facts}, indent=2))
        return
    for prior in PRIORS:
        state = f"present, {prior.megabytes:.1f} MB" if prior.present else "not here"
        print(f"{prior.key:10}{state:20}{prior.summary}")


@app.command()
def train(
    which: Annotated[Which, typer.Option(help="pixel or latent.")],
    data: Annotated[Path | None, typer.Option(help="Images; phantoms alone without it.")] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="Training time.")] = 60.0,
    out: Annotated[Path | None, typer.Option(help="Folder; default .runs/WHICH.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint.")] = False,
    start: Annotated[
        Path | None, typer.Option(help="Train the prior in this folder further.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train a prior; copy its folder to assets/priors to use it."""
    from enhancers import devices
    from enhancers.priors.corpus import read_corpus
    from enhancers.priors.train import train_latent, train_pixel

    folder = out or Path(".runs") / which
    trainer = train_pixel if which is Which.PIXEL else train_latent
    corpus = read_corpus(data)
    reports = trainer(
        corpus, minutes, folder, devices.choose(device), seed=seed, resume=resume, start=start
    )  # fmt: skip
    for report in reports:
        print(f"{report.stage}: {report.steps} steps, {report.minutes:.1f} min, "
              f"loss {report.loss:.4f}")  # fmt: skip
        for name, value in report.validation.items():
            print(f"  {name}: {value:g}")
