"""``benchmarks reconstruction``: the tables of the reader-study paper on test subjects."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.evidence import WORK
from enhancers.cli.common import Device
from enhancers.cli.progress import tell_failures, with_bar
from enhancers.errors import ParameterError


def reconstruction(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of ct.npz, mr.npz and us.npz.")],
    images: Annotated[
        int | None,
        typer.Option(min=1, help="Images of each modality. Default: all of the test subjects."),
    ] = None,
    methods: Annotated[
        str, typer.Option(metavar="A,B", help="Methods to run. Default: all of the tables.")
    ] = "",
    patches: Annotated[
        int, typer.Option(min=100, help="Patches of each modality for FID and KID.")
    ] = 2000,
    repeats: Annotated[int, typer.Option(min=2, help="Timed runs of each method.")] = 5,
    steps: Annotated[
        str, typer.Option(metavar="N,N", help="Sampling steps to compare. Default: 10 to 1000.")
    ] = "",
    step_images: Annotated[
        int, typer.Option(min=1, help="Images of each modality for the comparison of steps.")
    ] = 2,
    work: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of computed rows and results.")
    ] = WORK / "reconstruction",
    out: Annotated[Path | None, typer.Option(help="Markdown file of the page.")] = None,
    per_image: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Item, method, measures and distance of each image, for 'study stats regression'.",
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure reconstructions as the reader-study paper does; status 1 where a floor is missed.

    Rows that are stored are not computed again.
    """
    import pandas as pd

    from benchmarks.reconstruction import measure, page, settings
    from benchmarks.reconstruction.features import classifier
    from benchmarks.reconstruction.tables import Found
    from enhancers import devices
    from enhancers.evaluation.runs import RunPlan

    chosen = settings.candidates(_words(methods) or tuple(settings.CANDIDATES))
    counts = _numbers(steps) or (*settings.SHORT_STEPS, *settings.PUBLISHED_STEPS)
    cases = settings.read_cases(data, images)
    named, protocol = devices.choose(device), settings.protocol()
    network, accuracy = classifier(data, work)
    plan = RunPlan(protocol, tuple(cases), tuple(chosen), device=named)
    rows = with_bar(plan, work, pictures=work / "results")
    scans = tuple(case for case in cases if case.group == settings.SCANS)
    if scans and not methods:
        of_scans = tuple(settings.candidates(tuple(settings.OF_SCANS)))
        more = replace(plan, cases=scans, candidates=of_scans)
        rows = [*rows, *with_bar(more, work, pictures=work / "results")]
    by_steps = {}
    for count in counts:
        sampled = settings.candidates([f"{settings.SAMPLE}@steps={count}"])
        few = tuple(settings.read_cases(data, step_images))
        found = with_bar(replace(plan, cases=few, candidates=tuple(sampled)), work)
        good = tuple(row for row in found if not row.error)
        if good:
            by_steps[count] = good
    good = tuple(row for row in rows if not row.error)
    command = " ".join(["python -m benchmarks reconstruction --data DIR",
                        *([f"--images {images}"] if images else [])])  # fmt: skip
    known = Found(
        good,
        measure.distances(good, cases, work / "results", network, patches),
        measure.latencies(
            protocol, cases[0], chosen, repeats, named,
            lambda text: print(f"timing {text}", file=sys.stderr),
        ),
        by_steps, accuracy, patches,
    )  # fmt: skip
    if per_image is not None:
        far = measure.image_distances(good, cases, work / "results", network)
        pd.DataFrame(
            {"item": row.case, "method": row.candidate, **row.measured.scores, "distance": one}
            for row, one in zip(good, far, strict=True)
        ).to_csv(per_image, index=False, lineterminator="\n")
    text = page.as_markdown(known, command, datetime.now(UTC).strftime("%Y-%m-%d"))
    print(text)
    if out is not None:
        out.write_text(f"{text}\n", encoding="utf-8")
    if tell_failures(rows) or any(page.failures(known)):
        raise typer.Exit(1)


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _numbers(text: str) -> tuple[int, ...]:
    words = _words(text)
    if not all(word.isdecimal() and int(word) for word in words):
        raise ParameterError(f"--steps {text} is not possible; give numbers such as 10,50,100.")
    return tuple(int(word) for word in words)
