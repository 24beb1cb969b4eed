"""``benchmarks floors``, ``speed`` and ``memory``: quality and cost of the networks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enhancers.cli.common import Device
from enhancers.errors import ParameterError

if TYPE_CHECKING:
    from benchmarks.performance.figures import Measurement

Out = Annotated[
    Path | None,
    typer.Option(help="Markdown file of the figures; a JSON file is written next to it."),
]
LEAST_RUNS = 5
LARGE_SIDE = 4096


def floors(
    data: Annotated[
        Path | None, typer.Option(help="Folder of .npz archives. Default: phantoms.")
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="Number of images of each modality.")] = 8,
    only: Annotated[
        list[str] | None, typer.Option(help="Stages to measure: autoencoder, hybrid, ...")
    ] = None,
    device: Device = "auto",
    out: Annotated[Path | None, typer.Option(help="Markdown file of the table.")] = None,
) -> None:
    """Measure the least quality of the embedded networks; exit status 1 where a floor is missed."""
    from tqdm.auto import tqdm

    from benchmarks import performance
    from enhancers import devices

    chosen = tuple(only or performance.STAGES)
    unknown = [name for name in chosen if name not in performance.STAGES]
    if unknown:
        raise ParameterError(
            f"--only {unknown[0]} is unknown; use {', '.join(performance.STAGES)}."
        )
    cases = performance.validation_cases(data, images)
    with tqdm(unit="image", file=sys.stderr) as bar:

        def tick(stage: str) -> None:
            bar.set_description(stage, refresh=False)
            bar.update()

        found = list(performance.floors(cases, devices.choose(device), chosen, tick))
    text = performance.as_markdown(found, len(cases))
    print(text)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    if not all(floor.met for _, _, floors in found for floor in floors):
        raise typer.Exit(1)


def speed(
    device: Device = "auto",
    out: Out = None,
    quick: Annotated[bool, typer.Option(help="Use small images, to try the command.")] = False,
    estimates: Annotated[
        bool,
        typer.Option(help="Compare the estimated time of classical methods with that of runs."),
    ] = False,
    side: Annotated[
        list[int] | None,
        typer.Option(min=32, help="Sides in pixels for --estimates. Default: 256, ..., 6000."),
    ] = None,
) -> None:
    """Measure sampling loops against bare network calls; exit status 1 where one is too slow.

    With --estimates, the classical methods instead, whose estimate must be within a factor of two.
    """
    from benchmarks.performance.speed import speed as measure
    from enhancers import devices

    if estimates:
        _estimates(tuple(side or ()), quick, out)
        return
    if side:
        raise ParameterError("--side belongs to --estimates; give both, or neither.")
    chosen = devices.choose(device)
    kind = devices.device_type(chosen).upper()
    lines = measure(chosen, quick=quick)
    command = f"speed --device {chosen}{' --quick' if quick else ''}"
    _conclude(f"Speed on the {kind}", command, chosen, lines, out)


def _estimates(sides: tuple[int, ...], quick: bool, out: Path | None) -> None:
    """Estimated and measured times of the classical methods, which run on the CPU."""
    from benchmarks.performance import estimates, large_images

    chosen = sides or ((64,) if quick else large_images.SIDES)
    words = "".join(f" --side {side}" for side in sides)
    command = f"speed --estimates{words}{' --quick' if quick else ''}"
    lines = estimates.estimates(chosen)
    _conclude("Estimates of classical methods", command, "cpu", lines, out)


def memory(
    runs: Annotated[int, typer.Option(min=LEAST_RUNS, help="Number of runs of each method.")] = 50,
    only: Annotated[list[str] | None, typer.Option(help="Keys of methods to measure.")] = None,
    side: Annotated[
        int, typer.Option(min=256, help="Side in pixels of the large image.")
    ] = LARGE_SIDE,
    page: Annotated[
        bool,
        typer.Option("--page", help="Measure a volume of 512 x 512 x 300 on the page instead."),
    ] = False,
    device: Device = "auto",
    out: Out = None,
) -> None:
    """Measure memory over runs and on a large image; exit status 1 where it is too much."""
    if page:
        from benchmarks.performance.page_memory import page_memory

        _conclude("A volume on the page", "memory --page", "cpu", page_memory(), out)
        return
    from benchmarks.performance.memory import memory as measure
    from enhancers import devices, registry

    chosen, keys = devices.choose(device), tuple(registry.get(key).key for key in only or ())
    kind = devices.device_type(chosen).upper()
    words = "".join(f" --only {key}" for key in keys)
    words += "" if side == LARGE_SIDE else f" --side {side}"
    command = f"memory --runs {runs}{words} --device {chosen}"
    lines = measure(chosen, runs, keys, side=side)
    _conclude(f"Memory on the {kind}", command, chosen, lines, out)


def all_slices(
    side: Annotated[int, typer.Option(min=64, help="Side in pixels of a slice.")] = 512,
    count: Annotated[int, typer.Option(min=4, help="Number of slices.")] = 300,
    out: Out = None,
) -> None:
    """Measure the memory of a run of all slices; exit status 1 where it is too much."""
    from benchmarks.performance.memory import all_slices as measure

    command = f"all-slices --side {side} --count {count}"
    lines = (measure(side, many) for many in (max(4, count // 10), count))
    _conclude("Memory of a run of all slices", command, "cpu", lines, out)


def _conclude(
    title: str, command: str, device: str, lines: Iterator[Measurement], out: Path | None
) -> None:
    """Show progress, print the table, and write it to ``out``."""
    from tqdm.auto import tqdm

    from benchmarks.performance import figures

    found = []
    with tqdm(lines, unit="figure", file=sys.stderr) as bar:
        for line in bar:
            bar.set_description(line.name[:40])
            found.append(line)
    report = figures.report(title, f"python -m benchmarks {command}", device, found)
    print(figures.section(report), end="")
    if out is not None:
        figures.write(out, report)
    if not report.met:
        raise typer.Exit(1)
