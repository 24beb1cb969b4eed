"""``benchmarks ablations``: the effect of data, size, steps and objective of a training."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from enhancers.cli.common import Device
from enhancers.errors import ParameterError


def ablations(
    out: Annotated[Path, typer.Option(help="Folder into which the table is written.")],
    data: Annotated[
        Path | None, typer.Option(help="Training images. Without it, phantoms are used.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder of finished trainings. Default: .runs/ingredients.")
    ] = None,
    steps: Annotated[int, typer.Option(min=2, help="Number of steps of each training.")] = 600,
    only: Annotated[
        list[str] | None, typer.Option(help="Trainings to run: base, narrow, ...")
    ] = None,
    device: Device = "auto",
) -> None:
    """Train variants of the pixel network for the same number of steps and compare them."""
    from benchmarks.ablations import recipes, report, trainings
    from benchmarks.performance.figures import machine, software
    from enhancers import devices
    from enhancers.evaluation.protocols import FOUR
    from enhancers.method import nearest
    from enhancers.networks.training.corpus import read_corpus
    from enhancers.networks.training.validation import EACH
    from enhancers.settings import get_settings

    known = [recipe.key for recipe in recipes.RECIPES]
    for key in only or ():
        if key not in known:
            raise ParameterError(f"--only {key} is unknown; {nearest(key, known)}.")
    where = devices.choose(device)
    devices.limit_threads(get_settings().threads)
    corpus = read_corpus(data)
    stored = work or Path(".runs") / "ingredients"
    found = [
        trainings.train(recipe, corpus, steps, stored, where)
        for recipe in recipes.RECIPES
        if not only or recipe.key in only
    ]
    found.append(trainings.shipped(corpus, where))
    groups = tuple(name for name in FOUR if name in corpus.groups) or corpus.groups
    words = "".join(f" --only {key}" for key in only or ())
    given = " --data DIR" if data else ""
    result = report.AblationReport(
        command=f"python -m benchmarks ablations{given} --steps {steps}{words} --out DIR",
        when=datetime.now(UTC).strftime("%Y-%m-%d"),
        machine=machine(where),
        versions=software(),
        groups=groups,
        images=EACH,
        trained=tuple(found),
    )
    print(report.write(out, result), end="")
