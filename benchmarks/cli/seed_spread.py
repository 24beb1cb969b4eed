"""``benchmarks seed-spread``: what the spread between seeds says about the error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from enhancers.cli.common import Device
from enhancers.errors import ParameterError


def seed_spread(
    data: Annotated[str, typer.Option(help="Images of which the held-out subjects are used.")],
    out: Annotated[
        Path | None, typer.Option(help="File of the calibrations. Default: the shipped one.")
    ] = None,
    work: Annotated[
        Path, typer.Option(help="Folder of finished runs, which are not repeated.")
    ] = Path(".runs/seed-spread"),
    only: Annotated[
        list[str] | None, typer.Option(help="Settings to calibrate: denoise, sr4, ...")
    ] = None,
    limit: Annotated[int, typer.Option(min=4, help="Most images of a group.")] = 6,
    device: Device = "auto",
) -> None:
    """Calibrate the spread between seeds on held-out images, for the networks installed here."""
    from benchmarks.seed_spread import samples, write
    from benchmarks.seed_spread.settings import SETTINGS
    from enhancers import devices
    from enhancers.compare.seed_spread import CALIBRATION, table
    from enhancers.evaluation.cases import read_cases
    from enhancers.method import nearest
    from enhancers.settings import get_settings

    known = [setting.key for setting in SETTINGS]
    for key in only or ():
        if key not in known:
            raise ParameterError(f"--only {key} is unknown; {nearest(key, known)}.")
    where = devices.choose(device)
    devices.limit_threads(get_settings().threads)
    for setting in SETTINGS:
        if only and setting.key not in only:
            continue
        images = read_cases(data, setting.groups, limit=limit)
        runs = list(samples.collect(setting, images, work, device=where))
        found = write.calibration(setting, runs)
        write.write(out or CALIBRATION, [found])
        print(table([found]), end="", flush=True)
